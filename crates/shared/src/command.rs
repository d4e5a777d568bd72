//! Commands: what responders ask for, on their way from the api, or from ingest, to the worker, and what became
//! of it.
//!
//! A command travels like a delivery: as an entry with the fields `v, id, at, actor, traceparent, action`, the versions and
//! the tolerance of [`envelope`](crate::envelope). It acts once per [`CommandId`], however often it comes.

mod action;

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

pub use action::{Action, CommandError, MAX_DEAD_LETTERS, MAX_SILENCE_S, MIN_SILENCE_S, NewSilence};

use crate::envelope::{VERSION, invalid};
use crate::{CommandId, EnvelopeError, ErrorCode, IncidentId, SilenceId, TraceContext, named_enum};

/// The fields of an entry, in the order in which they are written.
pub const FIELDS: [&str; 6] = ["v", "id", "at", "actor", "traceparent", "action"];

named_enum! {
    /// What kind of somebody acts.
    pub enum ActorKind {
        /// A person who has signed in.
        User = "user",
        /// A person who has signed in to Slack.
        Slack = "slack",
        /// Whoever holds an API token.
        Token = "token",
        /// A sender of alerts.
        Integration = "integration",
        /// Tocsin itself.
        System = "system",
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// What kind of somebody.
    pub kind: ActorKind,
    /// Which one: unique among its kind.
    pub id: String,
    /// How people call them.
    pub name: String,
}

/// One thing that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Names the command; it is done once.
    pub id: CommandId,
    /// When it was asked for.
    pub at: DateTime<Utc>,
    /// Who asks.
    pub actor: Actor,
    /// The trace of the request.
    pub trace: TraceContext,
    /// What shall be done.
    pub action: Action,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum CommandOutcome {
    /// It is done, durably.
    Done {
        /// The incident that it was about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident: Option<IncidentId>,
        /// The silence that it was about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        silence: Option<SilenceId>,
        /// Whether anything is now other than before.
        changed: bool,
        /// How many things, where it was about some of many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<usize>,
    },
    /// It is not done, and will not be.
    Rejected {
        /// Why.
        code: ErrorCode,
        /// Why in this very case, for whoever asked: "incident 12 is resolved; reopen it first".
        detail: String,
    },
}

impl Command {
    /// The values of [`FIELDS`].
    ///
    /// # Errors
    /// When a part cannot be written as JSON, which no value of this type causes.
    pub fn to_values(&self) -> Result<[String; FIELDS.len()], serde_json::Error> {
        Ok([
            VERSION.to_owned(),
            self.id.to_string(),
            self.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            serde_json::to_string(&self.actor)?,
            self.trace.to_string(),
            serde_json::to_string(&self.action)?,
        ])
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// [`EnvelopeError`], which names the field; of an action that is out of its bounds, too. A missing or malformed
    /// `traceparent` is not an error.
    pub fn from_fields(fields: &HashMap<String, String>) -> Result<Self, EnvelopeError> {
        let field = |name: &'static str| fields.get(name).ok_or(EnvelopeError::MissingField { field: name });
        let version = field("v")?;
        if version != VERSION {
            return Err(EnvelopeError::UnsupportedVersion { found: version.clone() });
        }
        let command = Self {
            id: field("id")?.parse().map_err(invalid("id"))?,
            at: DateTime::parse_from_rfc3339(field("at")?).map_err(invalid("at"))?.to_utc(),
            actor: serde_json::from_str(field("actor")?).map_err(invalid("actor"))?,
            trace: fields.get("traceparent").and_then(|text| text.parse().ok()).unwrap_or_else(TraceContext::random),
            action: serde_json::from_str(field("action")?).map_err(invalid("action"))?,
        };
        command.check().map_err(invalid("action"))?;
        Ok(command)
    }

    /// Whether what it asks for is within the documented bounds.
    ///
    /// # Errors
    /// [`CommandError`], whose text begins with the field that is not.
    pub fn check(&self) -> Result<(), CommandError> {
        self.action.check()?;
        match &self.action {
            Action::Silence { silence } => Ok(silence.of(self).check()?),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
