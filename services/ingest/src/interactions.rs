//! Clicks on the buttons that stand under incidents in Slack: authentic → understood → a command on the stream → 200.
//!
//! Slack waits three seconds for the answer and shows the user a warning without it; so what is durable is answered, and
//! what became of it is told afterwards. Where an incident has changed, its message shows that by the ledger. What no message
//! would show (it is acknowledged already, it cannot be done) goes to whoever clicked, as a message for them alone.

mod payload;
mod reply;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::ConnectionType;
use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{SubsecRound as _, Utc};
use tocsin_bus::{BusConfig, BusError, Commands};
use tocsin_service::config::{ConfigError, Document, Environment, Problem as Fault, Reloading, SecretString};
use tocsin_service::http::{MAX_BODY_BYTES, Problem};
use tocsin_service::telemetry::trace;
use tocsin_shared::{Action, Command, CommandOutcome, ErrorCode, TraceContext};
use tokio::sync::Semaphore;
use tracing::Instrument as _;
use url::Url;

use self::payload::Click;
use self::reply::Replies;
use crate::trust::slack;
use crate::{RunError, body, metrics};

const PATH: &str = "/api/v1/slack/interactions";
/// Longest wait for Redis. With the way to here and back it leaves something of Slack's three seconds.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait for what became of a click. After it the user is told that it will be done.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(10);
/// Most clicks whose outcome is waited for at a time. One more is done no less; only nobody is told beside the message.
const MAX_WAITING: usize = 16;
/// When to try again what Redis did not take, in seconds.
const RETRY_AFTER_SECS: u32 = 1;

/// What the file says of Slack.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// The secrets with which Slack may sign. Without any, clicks are not taken.
    secrets: Vec<SecretString>,
    /// How an address begins to which a click may be answered.
    prefix: Option<Url>,
}

impl Settings {
    /// Builds what the file describes, and reads its secrets.
    pub(crate) fn from_document(document: &Document, env: &Environment) -> Result<Self, ConfigError> {
        let Some(section) = &document.slack else {
            return Ok(Self::default());
        };
        let (mut secrets, mut problems) = (Vec::new(), Vec::new());
        for source in section.signing_secrets() {
            match source.resolve(env) {
                Ok(secret) => secrets.push(secret),
                Err(problem) => problems.push(problem),
            }
        }
        let prefix = Url::parse(section.response_url_prefix()).inspect_err(|error| {
            let remedy = "write an address that ends in a slash, such as https://hooks.slack.com/";
            problems.push(Fault::new("slack.response_url_prefix", error.to_string(), remedy));
        });
        if problems.is_empty() { Ok(Self { secrets, prefix: prefix.ok() }) } else { Err(ConfigError { problems }) }
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
        let mut verdict = Err(Problem::new(ErrorCode::InvalidSignature));
        for secret in &self.secrets {
            verdict = slack::verify(secret, headers, body, Utc::now());
            if verdict.is_ok() {
                break;
            }
        }
        verdict
    }
}

/// Takes clicks. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Interactions {
    settings: Reloading<Settings>,
    commands: Commands,
    replies: Replies,
    waiting: Arc<Semaphore>,
}

/// Adds the route.
pub(crate) fn add(app: &mut web::ServiceConfig) {
    app.service(web::resource(PATH).post(interact));
}

async fn interact(request: HttpRequest, payload: web::Payload, interactions: web::Data<Interactions>) -> HttpResponse {
    let taken = interactions.take(request.headers(), payload).await;
    metrics::interaction(match &taken {
        Ok(true) => "accepted",
        Ok(false) => "ignored",
        Err(problem) => problem.code().as_str(),
    });
    taken.map_or_else(
        |problem| {
            let mut response = problem.answer(&request);
            if matches!(problem.code(), ErrorCode::RequestTimeout | ErrorCode::PayloadTooLarge) {
                // There is more of the body to come, for which nobody waits any longer.
                response.head_mut().set_connection_type(ConnectionType::Close);
            }
            response
        },
        |_| HttpResponse::Ok().finish(),
    )
}

impl Interactions {
    /// Connects in the background. Must be called on a tokio runtime.
    pub(crate) fn start(bus: &BusConfig, settings: Reloading<Settings>) -> Result<Self, RunError> {
        let patient = BusConfig { command_timeout: SEND_TIMEOUT, ..bus.clone() };
        Ok(Self {
            settings,
            commands: Commands::start(&patient)?,
            replies: Replies::new()?,
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
        })
    }

    /// Takes what Slack sends, and says whether there was anything to do.
    async fn take(&self, headers: &HeaderMap, payload: web::Payload) -> Result<bool, Problem> {
        let settings = self.settings.current();
        if settings.secrets.is_empty() {
            return Err(Problem::new(ErrorCode::NotFound).detail("Slack's buttons are switched off here"));
        }
        slack::check_headers(headers, Utc::now())?;
        let body = body::arrived(payload, MAX_BODY_BYTES).await?;
        settings.verify(headers, &body)?;
        let Some(click) = payload::read(&body)? else {
            return Ok(false);
        };
        let span = tracing::info_span!("click", command.id = %click.id, command.action = click.action.name());
        async move {
            let Click { id, action, actor, response_url } = click;
            let trace = trace::context_of(&tracing::Span::current(), TraceContext::random());
            let command = Command { id, at: Utc::now().trunc_subsecs(6), actor, trace, action };
            self.send(&command).await?;
            let address =
                settings.prefix.as_ref().zip(response_url).and_then(|(prefix, url)| reply::allowed(&url, prefix));
            self.follow(command, address);
            Ok(true)
        }
        .instrument(span)
        .await
    }

    async fn send(&self, command: &Command) -> Result<(), Problem> {
        let sent = tokio::time::timeout(SEND_TIMEOUT, self.commands.send(command)).await;
        sent.unwrap_or(Err(BusError::Timeout)).map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot send a command");
            Problem::new(ErrorCode::RedisUnavailable).retry_after(RETRY_AFTER_SECS)
        })
    }

    /// Waits for what becomes of it, beside everything else, and tells whoever clicked if nothing else does.
    fn follow(&self, command: Command, address: Option<Url>) {
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            metrics::replied("unwatched");
            return;
        };
        let (commands, replies) = (self.commands.clone(), self.replies.clone());
        let watching = async move {
            let outcome = commands.outcome(command.id, OUTCOME_TIMEOUT).await.unwrap_or_else(|error| {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot wait for an outcome");
                None
            });
            metrics::replied(match (reply_to(&command.action, outcome.as_ref()), address) {
                (None, _) => "none",
                (Some(_), None) => "unaddressed",
                (Some(text), Some(address)) => replies.post(address, &text).await,
            });
            drop(place);
        };
        tokio::spawn(watching.in_current_span());
    }
}

/// What whoever clicked is told, if the incident's message does not show it.
fn reply_to(action: &Action, outcome: Option<&CommandOutcome>) -> Option<String> {
    match (action, outcome) {
        (_, Some(CommandOutcome::Rejected { detail, .. })) => Some(format!("That is not possible: {detail}.")),
        (_, None) => Some("Taken on; it is done as soon as possible, and the message shows it then.".to_owned()),
        (Action::SilenceIncident { .. }, Some(_)) => {
            Some("Silenced for 1 h: nobody is told of what these alerts have in common.".to_owned())
        }
        (_, Some(CommandOutcome::Done { changed: true, .. })) => None,
        (Action::Acknowledge { .. }, _) => Some("It is acknowledged already.".to_owned()),
        (_, _) => Some("It is so already.".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use tocsin_shared::IncidentId;

    use super::*;

    fn done(changed: bool) -> CommandOutcome {
        CommandOutcome::Done { incident: None, silence: None, changed, count: None }
    }

    #[test]
    fn whoever_clicked_is_told_what_no_message_shows() {
        let incident = IncidentId::generate();
        let acknowledge = Action::Acknowledge { incident };
        let silence = Action::SilenceIncident { incident, duration_s: 3_600 };
        let detail = "it is resolved; reopen it first".to_owned();
        let refused = CommandOutcome::Rejected { code: ErrorCode::InvalidTransition, detail };
        let told = |action: &Action, outcome: Option<&CommandOutcome>| reply_to(action, outcome);
        assert_eq!(told(&acknowledge, Some(&done(true))), None);
        assert_eq!(told(&acknowledge, Some(&done(false))).unwrap(), "It is acknowledged already.");
        assert!(told(&acknowledge, Some(&refused)).unwrap().contains("it is resolved; reopen it first"));
        assert!(told(&acknowledge, None).unwrap().contains("as soon as possible"));
        assert!(told(&silence, Some(&done(true))).unwrap().starts_with("Silenced for 1 h"));
    }

    #[test]
    fn without_a_secret_nothing_is_authentic_and_with_two_either_is_enough() {
        assert!(Settings::default().verify(&slack::tests::signed("", b"x", Utc::now()), b"x").is_err());
        let document = Document::parse("slack: {signing_secret: new, old_signing_secret_env: OLD}").unwrap();
        let missing = Settings::from_document(&document, &Environment::default()).unwrap_err();
        assert_eq!(missing.problems[0].key, "slack.old_signing_secret_env");
        let settings = Settings::from_document(&document, &Environment::from_values([("OLD", "old")])).unwrap();
        for secret in ["new", "old"] {
            let headers = slack::tests::signed(secret, b"payload=", Utc::now());
            assert_eq!(settings.verify(&headers, b"payload="), Ok(()), "{secret}");
        }
        let headers = slack::tests::signed("other", b"payload=", Utc::now());
        assert_eq!(settings.verify(&headers, b"payload=").unwrap_err().code(), ErrorCode::InvalidSignature);
    }
}
