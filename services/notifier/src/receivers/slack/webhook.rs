//! Incoming webhooks (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>): plain posts, which cannot be
//! edited later.

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tocsin_bus::Quota;
use tocsin_service::config::{ExposeSecret as _, SecretString};

use super::super::exchange::call;
use super::super::{Answer, Http, Provider, Sent, digest};
use super::blocks;
use crate::message::Message;
use crate::story::Story;
use crate::texts::Texts;

/// Most bytes of an answer that are read; Slack says a word or two.
const MAX_RESPONSE_BYTES: usize = 4 * 1_024;

/// An incoming webhook.
#[derive(Debug)]
pub(super) struct SlackWebhook {
    url: SecretString,
    texts: Texts,
    destination: String,
    pace: [Quota; 1],
}

impl SlackWebhook {
    pub(super) fn new(url: SecretString, texts: Texts, pace: Quota) -> Self {
        let destination = format!("slack:{}", digest(url.expose_secret()));
        Self { url, texts, destination, pace: [pace] }
    }

    fn body(&self, story: &Story) -> Value {
        let message = Message::of(story, &self.texts);
        json!({"text": blocks::fallback(&message), "blocks": blocks::of(&message)})
    }

    async fn post(&self, http: &Http, story: &Story) -> Sent {
        let request = http.open.post(self.url.expose_secret()).json(&self.body(story));
        match call(request, MAX_RESPONSE_BYTES).await {
            Ok(response) => {
                // 410 is said of a channel that is archived, and that may be opened again.
                let answer = if response.answer() == Answer::Gone { Answer::Refused } else { response.answer() };
                response.sent(answer, &[&self.url])
            }
            Err(sent) => sent,
        }
    }
}

impl Provider for SlackWebhook {
    fn destination(&self) -> &str {
        &self.destination
    }

    fn pace(&self) -> &[Quota] {
        &self.pace
    }

    fn preview(&self, story: &Story) -> String {
        serde_json::to_string_pretty(&self.body(story)).unwrap_or_default()
    }

    fn send<'a>(&'a self, http: &'a Http, story: &'a Story) -> BoxFuture<'a, Sent> {
        Box::pin(self.post(http, story))
    }
}
