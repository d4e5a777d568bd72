//! Receivers. Each kind has a file of its own that renders a story and reads the provider's answer.

mod slack;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sha2::{Digest as _, Sha256};
use tocsin_bus::Quota;
use tocsin_service::config::{ConfigError, Document, Environment};
use tocsin_service::with_causes;

use crate::story::Story;
use slack::SlackWebhook;

/// Longest part of a provider's answer that is kept, in bytes.
const MAX_ANSWER_BYTES: usize = 512;

/// A kind of receiver, with all that it needs to reach one.
pub(crate) trait Provider: std::fmt::Debug + Send + Sync {
    /// Where it leads, without its secrets: receivers with the same destination share its pace and its breaker.
    fn destination(&self) -> &str;

    /// How often it may be called, in every respect at once.
    fn pace(&self) -> &[Quota];

    /// What would be sent, for people to look at: without secrets.
    fn preview(&self, story: &Story) -> String;

    /// Tells the story once.
    fn send<'a>(&'a self, http: &'a Http, story: &'a Story) -> BoxFuture<'a, Sent>;
}

/// The HTTP clients that receivers share.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    /// Reaches any address.
    pub(crate) open: reqwest::Client,
}

/// Somebody who can be told.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    pub(crate) provider: Arc<dyn Provider>,
    /// Who is told when this one cannot be.
    pub(crate) fallback: Option<String>,
}

/// The configured receivers, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Receivers(HashMap<String, Receiver>);

/// What a provider made of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It has it.
    Taken,
    /// It will not take it, however often it is asked.
    Refused,
    /// There is nobody any more: it will take no other, either.
    Gone,
    /// It may take it later.
    Failed {
        /// How long it asked us to wait.
        retry_after: Option<Duration>,
    },
}

/// An attempt, as the ledger records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) answer: Answer,
    pub(crate) http_status: Option<u16>,
    /// What the provider said, or why nothing came. Without secrets.
    pub(crate) text: String,
    /// What the provider calls the message from now on; none leaves it as it was.
    pub(crate) message: Option<serde_json::Value>,
}

impl Receivers {
    /// Builds every receiver of the file and reads its secrets.
    pub(crate) fn from_document(document: &Document, env: &Environment) -> Result<Self, ConfigError> {
        let mut receivers = HashMap::new();
        let mut problems = Vec::new();
        for (index, section) in document.receivers.iter().enumerate() {
            let Some(slack) = &section.slack else {
                continue;
            };
            match SlackWebhook::new(&slack.webhook_url(index), env) {
                Ok(webhook) => {
                    let receiver = Receiver { provider: Arc::new(webhook), fallback: None };
                    receivers.insert(section.name.clone(), receiver);
                }
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(Self(receivers)) } else { Err(ConfigError { problems }) }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Receiver> {
        self.0.get(name)
    }

    /// All of them, with their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Receiver)> {
        self.0.iter().map(|(name, receiver)| (name.as_str(), receiver))
    }
}

impl Sent {
    pub(crate) fn refused(reason: &str) -> Self {
        Self { answer: Answer::Refused, http_status: None, text: reason.to_owned(), message: None }
    }

    /// A request that brought no answer. The address is a secret and is left out.
    fn no_answer(error: reqwest::Error) -> Self {
        let text = with_causes(&error.without_url());
        Self { answer: Answer::Failed { retry_after: None }, http_status: None, text: bounded(&text), message: None }
    }
}

/// A name for a destination that holds a secret: the same for the same, and telling nothing.
fn digest(secret: &str) -> String {
    hex::encode(&Sha256::digest(secret.as_bytes())[..8])
}

/// The start of a response's body, as text that Postgres can hold.
async fn body_start(response: &mut reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_ANSWER_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return format!("[unreadable: {}]", error.without_url()),
        }
    }
    bounded(&String::from_utf8_lossy(&bytes))
}

fn bounded(text: &str) -> String {
    let mut end = text.len().min(MAX_ANSWER_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].replace('\0', "\u{FFFD}")
}

/// The `Retry-After` of a response, in its form of seconds.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let value = response.headers().get("retry-after")?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}
