//! Microsoft Teams, by the webhook of a workflow
//! (<https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook>): cards, which
//! cannot be edited later.

mod card;

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tocsin_bus::Quota;
use tocsin_service::config::document::TeamsSection;
use tocsin_service::config::{Environment, ExposeSecret as _, Problem, SecretString};

use super::exchange::{Response, call};
use super::{Answer, Http, Provider, Sent, digest};
use crate::message::Message;
use crate::story::Story;
use crate::texts::Texts;

/// Most bytes of an answer that are read.
const MAX_RESPONSE_BYTES: usize = 4 * 1_024;

/// What Teams takes before it throttles: four a second, sixty in half a minute, a hundred in an hour.
const PACE: [Quota; 3] = [
    Quota { interval: Duration::from_millis(250), burst: 4 },
    Quota { interval: Duration::from_millis(500), burst: 60 },
    Quota { interval: Duration::from_secs(36), burst: 100 },
];

/// A workflow.
#[derive(Debug)]
pub(super) struct Teams {
    url: SecretString,
    texts: Texts,
    destination: String,
}

impl Teams {
    pub(super) fn new(section: &TeamsSection, path: &str, texts: Texts, env: &Environment) -> Result<Self, Problem> {
        let url = section.webhook_url(path).http_address(env, false)?;
        let destination = format!("teams:{}", digest(url.expose_secret()));
        Ok(Self { url, texts, destination })
    }

    fn body(&self, story: &Story) -> Value {
        card::body(&Message::of(story, &self.texts))
    }

    async fn post(&self, http: &Http, story: &Story) -> Sent {
        let request = http.open.post(self.url.expose_secret()).json(&self.body(story));
        match call(request, MAX_RESPONSE_BYTES).await {
            Ok(response) => response.sent(answer(&response), &[&self.url]),
            Err(sent) => sent,
        }
    }
}

/// What the status says, unless it is one of success and the text tells of an error.
fn answer(response: &Response) -> Answer {
    match (response.answer(), spoken_error(&String::from_utf8_lossy(&response.body))) {
        (Answer::Taken, Some(408 | 429 | 500..)) => Answer::Failed { retry_after: response.retry_after },
        (Answer::Taken, Some(_)) => Answer::Refused,
        (answer, _) => answer,
    }
}

/// The status that a text speaks of, as in "Microsoft Teams endpoint returned HTTP error 429 with …".
fn spoken_error(text: &str) -> Option<u16> {
    let text = text.to_ascii_lowercase();
    let (_, after) = text.split_once("error")?;
    let number = |word: &str| (word.len() == 3).then(|| word.parse().ok()).flatten();
    let mut numbers = after.split(|c: char| !c.is_ascii_alphanumeric()).filter_map(number);
    numbers.find(|status: &u16| (400..600).contains(status))
}

impl Provider for Teams {
    fn destination(&self) -> &str {
        &self.destination
    }

    fn pace(&self) -> &[Quota] {
        &PACE
    }

    fn preview(&self, story: &Story) -> String {
        serde_json::to_string_pretty(&self.body(story)).unwrap_or_default()
    }

    fn send<'a>(&'a self, http: &'a Http, story: &'a Story) -> BoxFuture<'a, Sent> {
        Box::pin(self.post(http, story))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_may_speak_of_an_error() {
        for (text, status) in [
            (
                "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId tcid=0,server=DB3PEPF00000429",
                Some(429),
            ),
            ("Microsoft Teams endpoint returned HTTP error 413", Some(413)),
            (r#"{"error":{"code":"502"}}"#, Some(502)),
            ("1", None),
            ("", None),
            ("429", None),
            ("error 42900, 0429", None),
        ] {
            assert_eq!(spoken_error(text), status, "{text}");
        }
    }
}
