//! Who asks for something to be done, and what their request says of itself.

use std::borrow::Cow;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderValue;
use chrono::{SubsecRound as _, Utc};
use tocsin_service::http::Problem;
use tocsin_shared::{Action, Actor, ActorKind, Command, CommandId, ErrorCode, TraceContext};

/// By which a dashboard or a bot says for whom it acts.
const X_TOCSIN_ACTOR: &str = "x-tocsin-actor";
/// Longest name in it, in characters.
pub(crate) const MAX_NAME_CHARS: usize = 100;
/// By which a client names a request, so that repeating it does nothing twice.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Longest such name, in bytes.
pub(crate) const MAX_KEY_BYTES: usize = 255;

/// A caller that may act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    actor: Actor,
    /// The client's own name of the request.
    key: Option<String>,
    /// The trace that the request belongs to.
    pub(crate) parent: Option<TraceContext>,
}

impl Caller {
    /// Whoever was let in. Who holds a token may say for whom it acts; a person acts for nobody else.
    pub(crate) fn of(request: &HttpRequest, actor: &Actor) -> Result<Self, Problem> {
        let headers = request.headers();
        let mut actor = actor.clone();
        if actor.kind == ActorKind::Token
            && let Some(name) = headers.get(X_TOCSIN_ACTOR).map(name_in).transpose()?
        {
            actor.name = format!("{name} via {}", actor.name);
        }
        let parent = headers.get("traceparent").and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(Self { actor, key: headers.get(IDEMPOTENCY_KEY).map(key_in).transpose()?, parent })
    }

    /// The command by which this caller asks for something now; refused if it asks for what cannot be.
    pub(crate) fn command(&self, action: Action) -> Result<Command, Problem> {
        let id = match &self.key {
            Some(key) => {
                let request = serde_json::to_string(&action).map_err(|_| Problem::new(ErrorCode::Internal))?;
                CommandId::of_request(&self.owner(), key, &request)
            }
            None => CommandId::generate(),
        };
        // What the store keeps of a time, so that all who tell of it tell the same.
        let at = Utc::now().trunc_subsecs(6);
        let trace = self.parent.unwrap_or_else(TraceContext::random);
        let command = Command { id, at, actor: self.actor.clone(), trace, action };
        command.check().map_err(|error| Problem::new(ErrorCode::InvalidPayload).detail(error.to_string()))?;
        Ok(command)
    }
}

impl Caller {
    /// Whose keys its keys are told apart from.
    fn owner(&self) -> Cow<'_, str> {
        match self.actor.kind {
            ActorKind::Token => Cow::Borrowed(&self.actor.id),
            kind => Cow::Owned(format!("{kind}/{}", self.actor.id)),
        }
    }
}

fn name_in(value: &HeaderValue) -> Result<String, Problem> {
    let name = std::str::from_utf8(value.as_bytes()).unwrap_or_default().trim();
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        let detail = format!("header {X_TOCSIN_ACTOR}: use 1 to {MAX_NAME_CHARS} printable characters, in UTF-8");
        return Err(Problem::new(ErrorCode::BadRequest).detail(detail));
    }
    Ok(name.to_owned())
}

fn key_in(value: &HeaderValue) -> Result<String, Problem> {
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= MAX_KEY_BYTES => Ok(key.to_owned()),
        _ => {
            let detail = format!("header {IDEMPOTENCY_KEY}: use 1 to {MAX_KEY_BYTES} visible ASCII characters");
            Err(Problem::new(ErrorCode::BadRequest).detail(detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use tocsin_shared::IncidentId;

    use super::*;

    fn caller(headers: &[(&str, &str)]) -> Result<Caller, Problem> {
        let with = |request: TestRequest, (name, value): &(&str, &str)| {
            request.insert_header((*name, HeaderValue::from_bytes(value.as_bytes()).unwrap()))
        };
        let ops = Actor { kind: ActorKind::Token, id: "ops".to_owned(), name: "ops".to_owned() };
        Caller::of(&headers.iter().fold(TestRequest::default(), with).to_http_request(), &ops)
    }

    #[test]
    fn a_name_is_told_with_the_token_that_vouches_for_it() {
        assert_eq!(caller(&[]).unwrap().actor.name, "ops");
        let named = caller(&[("X-Tocsin-Actor", "Jürgen Ö")]).unwrap().actor;
        assert_eq!((named.id.as_str(), named.name.as_str()), ("ops", "Jürgen Ö via ops"));
        for unusable in ["", " ", "a\tb", &"x".repeat(MAX_NAME_CHARS + 1)] {
            assert!(caller(&[("X-Tocsin-Actor", unusable)]).is_err(), "{unusable:?}");
        }
        assert!(caller(&[("X-Tocsin-Actor", &"ü".repeat(MAX_NAME_CHARS))]).is_ok());
    }

    #[test]
    fn a_person_acts_for_nobody_else_and_has_keys_of_their_own() {
        let ada = Actor { kind: ActorKind::User, id: "ops".to_owned(), name: "ada@example.com".to_owned() };
        let headers = [("X-Tocsin-Actor", "Grace"), ("Idempotency-Key", "k1")];
        let request = headers.into_iter().fold(TestRequest::default(), TestRequest::insert_header).to_http_request();
        let person = Caller::of(&request, &ada).unwrap();
        assert_eq!(person.actor, ada);
        let acknowledge = Action::Acknowledge { incident: IncidentId::generate() };
        let of_token = caller(&headers[1..]).unwrap().command(acknowledge.clone()).unwrap();
        assert_ne!(person.command(acknowledge).unwrap().id, of_token.id);
    }

    #[test]
    fn a_key_makes_a_repeat_the_same_command_and_another_request_another_one() {
        let incident = IncidentId::generate();
        let id =
            |headers: &[(&str, &str)], action: &Action| caller(headers).unwrap().command(action.clone()).unwrap().id;
        let (acknowledge, reopen) = (Action::Acknowledge { incident }, Action::Reopen { incident });
        let key = [("Idempotency-Key", "k1")];
        assert_eq!(id(&key, &acknowledge), id(&key, &acknowledge));
        assert_ne!(id(&key, &acknowledge), id(&key, &reopen));
        assert_ne!(id(&[], &acknowledge), id(&[], &acknowledge));
        for unusable in ["", "ü", &"x".repeat(MAX_KEY_BYTES + 1)] {
            assert!(caller(&[("Idempotency-Key", unusable)]).is_err(), "{unusable:?}");
        }
    }

    #[test]
    fn the_trace_of_the_request_goes_on() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(caller(&[("traceparent", text)]).unwrap().parent, Some(text.parse().unwrap()));
        assert_eq!(caller(&[("traceparent", "nonsense")]).unwrap().parent, None);
    }
}
