//! Receivers. Each kind has a file of its own that lays a message out and reads the provider's answer.

mod email;
mod exchange;
mod slack;
mod teams;
mod webhook;

use std::collections::HashMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sha2::{Digest as _, Sha256};
use tocsin_bus::Quota;
use tocsin_service::config::document::{ReceiverKind, ReceiverSection};
use tocsin_service::config::{ConfigError, Document, Environment, Problem};
use tocsin_service::http::client_builder;

use crate::guard::PublicOnly;
use crate::story::Story;
use crate::texts::Texts;

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

/// The HTTP clients that receivers share, and how long anything may take. None follows a redirect.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    /// Reaches any address, through the environment's proxy if there is one.
    pub(crate) open: reqwest::Client,
    /// Reaches public addresses alone, and through no proxy, which would look names up in our place.
    pub(crate) guarded: reqwest::Client,
    /// Longest that one delivery may take, whatever carries it.
    pub(crate) timeout: Duration,
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

impl Http {
    /// Clients whose every request ends after `timeout`.
    pub(crate) fn new(timeout: Duration) -> reqwest::Result<Self> {
        let open = client_builder().timeout(timeout).build()?;
        let guarded = client_builder().timeout(timeout).no_proxy().dns_resolver(Arc::new(PublicOnly)).build()?;
        Ok(Self { open, guarded, timeout })
    }
}

impl Receivers {
    /// Builds every receiver of the file and reads its secrets.
    pub(crate) fn from_document(document: &Document, env: &Environment) -> Result<Self, ConfigError> {
        let mut receivers = HashMap::new();
        let mut problems = Vec::new();
        for (index, section) in document.receivers.iter().enumerate() {
            match provider(section, &format!("receivers[{index}]"), env) {
                Ok(Some(provider)) => {
                    let receiver = Receiver { provider, fallback: section.fallback.clone() };
                    receivers.insert(section.name.clone(), receiver);
                }
                Ok(None) => {}
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

    /// Their names, each with where it leads.
    pub(crate) fn destinations(&self) -> Vec<(&str, &str)> {
        self.iter().map(|(name, receiver)| (name, receiver.provider.destination())).collect()
    }
}

/// The provider of the receiver at `path`; none if it tells nobody.
fn provider(section: &ReceiverSection, path: &str, env: &Environment) -> Result<Option<Arc<dyn Provider>>, Problem> {
    let Some(kind) = section.kind() else {
        return Ok(None);
    };
    let texts = Texts::new(&section.templates, path)?;
    Ok(Some(match kind {
        ReceiverKind::Slack(slack) => slack::provider(slack, path, texts, env)?,
        ReceiverKind::Teams(teams) => Arc::new(teams::Teams::new(teams, path, texts, env)?),
        ReceiverKind::Webhook(webhook) => Arc::new(webhook::Webhook::new(webhook, path, env)?),
        ReceiverKind::Email(email) => Arc::new(email::Email::new(email, path, texts, env)?),
    }))
}

impl Sent {
    pub(crate) fn refused(reason: &str) -> Self {
        Self { answer: Answer::Refused, http_status: None, text: reason.to_owned(), message: None }
    }

    /// No answer came; a later attempt may bring one.
    fn failed(reason: &str) -> Self {
        let answer = Answer::Failed { retry_after: None };
        Self { answer, http_status: None, text: bounded(reason), message: None }
    }
}

/// Calls that may come at once, for each in a second.
const BURST: u32 = 5;

/// So many calls in a second, and [`BURST`] times as many at once.
fn pace(per_second: NonZeroU16) -> Quota {
    let per_second = u32::from(per_second.get());
    Quota { interval: Duration::from_secs(1) / per_second, burst: BURST * per_second }
}

/// A name for a destination that holds a secret: the same for the same, and telling nothing.
fn digest(secret: &str) -> String {
    hex::encode(&Sha256::digest(secret.as_bytes())[..8])
}

/// The start of a text, such as Postgres can hold.
fn bounded(text: &str) -> String {
    let mut end = text.len().min(MAX_ANSWER_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].replace('\0', "\u{FFFD}")
}

#[cfg(test)]
mod tests;
