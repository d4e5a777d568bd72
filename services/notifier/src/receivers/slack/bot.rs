//! An app of a workspace (<https://docs.slack.dev/apis/web-api/>): one message per incident, edited as the incident changes, with
//! its story in the thread.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tocsin_bus::Quota;
use tocsin_service::config::{ExposeSecret as _, SecretString};
use tocsin_shared::ledger::NoticeKind;
use url::Url;

use super::super::exchange::{Response, call, redacted};
use super::super::{Answer, Http, Provider, Sent};
use super::blocks;
use crate::message::Message;
use crate::story::Story;
use crate::texts::Texts;

/// Most bytes of an answer that are read: it repeats the message.
const MAX_RESPONSE_BYTES: usize = 256 * 1_024;

/// Errors that may pass, which come with status 200. All others are final.
const PASSING: &[&str] = &[
    "ratelimited",
    "rate_limited",
    "message_limit_exceeded",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
];
/// Errors that say that a message can be edited no more, and so is told anew.
const NOT_EDITABLE: &[&str] = &["message_not_found", "cant_update_message", "edit_window_closed"];

/// An app and a channel.
#[derive(Debug)]
pub(super) struct SlackBot {
    token: SecretString,
    channel: String,
    api_url: String,
    texts: Texts,
    destination: String,
    pace: [Quota; 1],
}

/// What Slack calls a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Reference {
    channel: String,
    ts: String,
}

/// The part of an answer that matters.
#[derive(Debug, Deserialize)]
struct Outcome {
    ok: bool,
    #[serde(default)]
    error: String,
    channel: Option<String>,
    ts: Option<String>,
}

impl SlackBot {
    pub(super) fn new(token: SecretString, channel: String, api_url: String, texts: Texts, pace: Quota) -> Self {
        let host = Url::parse(&api_url).map_or_else(|_| api_url.clone(), |url| url.authority().to_owned());
        let destination = format!("slack:{host}/{channel}");
        Self { token, channel, api_url, texts, destination, pace: [pace] }
    }

    /// Told for the first time: posted. Later: the message is edited, and what happened is said in its thread. Both are done
    /// again if only one of them was: the edit changes nothing then.
    async fn tell(&self, http: &Http, story: &Story) -> Sent {
        let known = story.message.clone().and_then(|message| serde_json::from_value::<Reference>(message).ok());
        let Some(reference) = known else {
            return self.post(http, story).await;
        };
        let (edited, error) = self.call(http, "chat.update", &self.edit(story, &reference)).await;
        if NOT_EDITABLE.contains(&error.as_str()) {
            return self.post(http, story).await;
        }
        if edited.answer != Answer::Taken {
            return edited;
        }
        let (replied, _) = self.call(http, "chat.postMessage", &self.reply(story, &reference)).await;
        // The reply is no message to edit: the first one stays the incident's.
        Sent { message: None, ..replied }
    }

    async fn post(&self, http: &Http, story: &Story) -> Sent {
        self.call(http, "chat.postMessage", &self.first(story)).await.0
    }

    /// The first message says why it is sent.
    fn first(&self, story: &Story) -> Value {
        let message = Message::of(story, &self.texts);
        whole(story, &message, json!({"channel": self.channel, "unfurl_links": false, "unfurl_media": false}))
    }

    /// What an edit leaves says how it stands.
    fn edit(&self, story: &Story, reference: &Reference) -> Value {
        let message = Message::of_state(story, &self.texts);
        whole(story, &message, json!({"channel": reference.channel, "ts": reference.ts}))
    }

    /// What needs somebody's eyes is shown in the channel, too, and not to the thread's readers alone.
    fn reply(&self, story: &Story, reference: &Reference) -> Value {
        let message = Message::of(story, &self.texts);
        let needs_eyes = matches!(
            story.kind,
            NoticeKind::Reopened | NoticeKind::Escalated | NoticeKind::Reminder | NoticeKind::Undelivered
        );
        json!({
            "channel": reference.channel,
            "thread_ts": reference.ts,
            "reply_broadcast": needs_eyes,
            "unfurl_links": false,
            "unfurl_media": false,
            "text": blocks::reply(&message),
        })
    }

    /// Calls a method, and gives what came of it with Slack's word for what was wrong, if anything was.
    async fn call(&self, http: &Http, method: &str, body: &Value) -> (Sent, String) {
        let url = format!("{}/{method}", self.api_url);
        let request = http.open.post(url).bearer_auth(self.token.expose_secret()).json(body);
        match call(request, MAX_RESPONSE_BYTES).await {
            Ok(response) => self.outcome(&response, method),
            Err(sent) => (sent, String::new()),
        }
    }

    fn outcome(&self, response: &Response, method: &str) -> (Sent, String) {
        if !response.status.is_success() {
            let answer = if response.answer() == Answer::Gone { Answer::Refused } else { response.answer() };
            return (response.sent(answer, &[&self.token]), String::new());
        }
        let Ok(outcome) = serde_json::from_slice::<Outcome>(&response.body) else {
            // Whatever answered, it was not Slack: a proxy, perhaps.
            let answer = Answer::Failed { retry_after: response.retry_after };
            return (response.sent(answer, &[&self.token]), String::new());
        };
        if !outcome.ok {
            let passes = PASSING.contains(&outcome.error.as_str());
            let answer = if passes { Answer::Failed { retry_after: response.retry_after } } else { Answer::Refused };
            let words = format!("{method}: {}", redacted(&outcome.error, &[&self.token]));
            return (response.said(answer, &words), outcome.error);
        }
        let mut sent = response.said(Answer::Taken, &format!("{method}: ok"));
        if let (Some(channel), Some(ts)) = (outcome.channel, outcome.ts) {
            sent.message = serde_json::to_value(Reference { channel, ts }).ok();
        }
        (sent, String::new())
    }
}

/// A message with its blocks. Buttons make sense unless it is a test.
fn whole(story: &Story, message: &Message, mut body: Value) -> Value {
    let incident = &story.record.incident;
    let mut blocks = blocks::of(message);
    if !story.is_test {
        blocks.extend(blocks::buttons(incident.id, incident.status));
    }
    body["text"] = blocks::fallback(message).into();
    body["blocks"] = blocks.into();
    body
}

impl Provider for SlackBot {
    fn destination(&self) -> &str {
        &self.destination
    }

    fn pace(&self) -> &[Quota] {
        &self.pace
    }

    /// The requests, each behind its method's name.
    fn preview(&self, story: &Story) -> String {
        let known = story.message.clone().and_then(|message| serde_json::from_value::<Reference>(message).ok());
        let requests = match known {
            None => json!({"chat.postMessage": self.first(story)}),
            Some(reference) => json!({
                "chat.update": self.edit(story, &reference),
                "chat.postMessage": self.reply(story, &reference),
            }),
        };
        serde_json::to_string_pretty(&requests).unwrap_or_default()
    }

    fn send<'a>(&'a self, http: &'a Http, story: &'a Story) -> BoxFuture<'a, Sent> {
        Box::pin(self.tell(http, story))
    }
}
