//! What can be asked for, and its bounds.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Command;
use crate::alert::{MAX_LABEL_CHARS, MAX_LABELS, MAX_TEXT_CHARS, MAX_TITLE_CHARS};
use crate::ledger::{DeadNotices, MAX_DEAD_NOTICES};
use crate::silence::{MAX_COMMENT_CHARS, SilenceError};
use crate::{IncidentId, IncidentSeverity, Labels, Matchers, Recurrence, Silence, SilenceId};

/// Most dead letters that one command drives again.
pub const MAX_DEAD_LETTERS: usize = 1_000;
/// Shortest time for which an incident is silenced, in seconds: a minute.
pub const MIN_SILENCE_S: u32 = 60;
/// Longest: thirty days.
pub const MAX_SILENCE_S: u32 = 30 * 24 * 3_600;
/// Longest name of a receiver, in characters.
const MAX_RECEIVER_CHARS: usize = 100;
/// Longest text of all matchers of a silence, in characters.
const MAX_MATCHERS_CHARS: usize = 65_536;

/// What shall be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// Somebody takes an incident.
    Acknowledge {
        /// Which.
        incident: IncidentId,
    },
    /// An incident is over.
    Resolve {
        /// Which.
        incident: IncidentId,
        /// What there is to say of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// An incident was none.
    Cancel {
        /// Which.
        incident: IncidentId,
        /// What there is to say of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// An incident is not over.
    Reopen {
        /// Which.
        incident: IncidentId,
    },
    /// Something to remember of an incident.
    Note {
        /// Which.
        incident: IncidentId,
        /// What.
        text: String,
    },
    /// An incident is as bad as a person says, not as its alerts do.
    SetSeverity {
        /// Which.
        incident: IncidentId,
        /// How bad.
        severity: IncidentSeverity,
    },
    /// An incident that no alert tells of.
    Declare {
        /// One line for people.
        title: String,
        /// More lines.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary: Option<String>,
        /// How bad it is.
        severity: IncidentSeverity,
        /// What identifies it; routes go by them.
        #[serde(default)]
        labels: Labels,
    },
    /// Alerts shall tell nobody for a time.
    Silence {
        /// Which, and when.
        silence: NewSilence,
    },
    /// A silence ends now, and stays in the list.
    SilenceEnd {
        /// Which.
        id: SilenceId,
    },
    /// A silence was none.
    SilenceDelete {
        /// Which.
        id: SilenceId,
    },
    /// The alerts of an incident shall tell nobody for a time, those that join it meanwhile included.
    SilenceIncident {
        /// Which.
        incident: IncidentId,
        /// For how long, in seconds.
        duration_s: u32,
    },
    /// What could not be applied shall be tried again.
    Redrive {
        /// Which.
        dead_letters: Vec<i64>,
    },
    /// What could not be told shall be tried again.
    RedriveNotices {
        /// Which.
        notices: DeadNotices,
    },
}

/// A silence that is asked for. The rest of it comes from the command: see [`NewSilence::of`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSilence {
    /// Which alerts: those that match all of these.
    pub matchers: Matchers,
    /// From when on; without it, at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
    /// Until when.
    pub ends_at: DateTime<Utc>,
    /// At which times of that; without it, at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurrence: Option<Recurrence>,
    /// Why.
    #[serde(default)]
    pub comment: String,
}

impl NewSilence {
    /// The silence that `command` asks for. It has the id of its command, so that it is the same one however often the
    /// command comes.
    #[must_use]
    pub fn of(&self, command: &Command) -> Silence {
        Silence {
            id: SilenceId::from_uuid(command.id.as_uuid()),
            matchers: self.matchers.clone(),
            starts_at: self.starts_at.unwrap_or(command.at),
            ends_at: self.ends_at,
            recurrence: self.recurrence.clone(),
            author: command.actor.name.clone(),
            comment: self.comment.clone(),
            created_at: command.at,
        }
    }
}

/// What is asked for is out of its bounds.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A text that says nothing.
    #[error("{field}: is empty")]
    Empty {
        /// Which.
        field: &'static str,
    },
    /// A text that is too long.
    #[error("{field}: is longer than {max} characters")]
    TooLong {
        /// Which.
        field: &'static str,
        /// Most characters.
        max: usize,
    },
    /// Too many of something.
    #[error("{field}: has more than {max} entries")]
    TooMany {
        /// Of what.
        field: &'static str,
        /// Most of them.
        max: usize,
    },
    /// A text with a NUL, which Postgres cannot hold.
    #[error("{field}: holds a NUL")]
    Nul {
        /// Which.
        field: &'static str,
    },
    /// A number that is too small or too large.
    #[error("{field}: is not from {min} to {max}")]
    OutOfBounds {
        /// Which.
        field: &'static str,
        /// Least that it may be.
        min: u32,
        /// Most.
        max: u32,
    },
    /// A silence that cannot be.
    #[error("{field}: {fault}")]
    Silence {
        /// Which of its fields says so.
        field: &'static str,
        /// What is wrong.
        fault: SilenceError,
    },
}

impl From<SilenceError> for CommandError {
    fn from(fault: SilenceError) -> Self {
        let field = match fault {
            SilenceError::EndsBeforeStart => "ends_at",
            SilenceError::MatchesEverything => "matchers",
            SilenceError::Author => "author",
            SilenceError::Comment => "comment",
        };
        Self::Silence { field, fault }
    }
}

impl Action {
    /// Its name: what stands in `do`, and the label under which it is measured.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Acknowledge { .. } => "acknowledge",
            Self::Resolve { .. } => "resolve",
            Self::Cancel { .. } => "cancel",
            Self::Reopen { .. } => "reopen",
            Self::Note { .. } => "note",
            Self::SetSeverity { .. } => "set_severity",
            Self::Declare { .. } => "declare",
            Self::Silence { .. } => "silence",
            Self::SilenceEnd { .. } => "silence_end",
            Self::SilenceDelete { .. } => "silence_delete",
            Self::SilenceIncident { .. } => "silence_incident",
            Self::Redrive { .. } => "redrive",
            Self::RedriveNotices { .. } => "redrive_notices",
        }
    }

    /// Whether it is within the bounds of its texts and lists. A silence's own rules are those of [`Command::check`].
    ///
    /// # Errors
    /// [`CommandError`], whose text begins with the field that is not.
    pub fn check(&self) -> Result<(), CommandError> {
        match self {
            Self::Resolve { note: Some(note), .. } | Self::Cancel { note: Some(note), .. } => {
                check_text("note", note, MAX_TEXT_CHARS)
            }
            Self::Note { text, .. } => check_text("text", text, MAX_TEXT_CHARS),
            Self::Declare { title, summary, labels, .. } => {
                check_text("title", title, MAX_TITLE_CHARS)?;
                if let Some(summary) = summary {
                    check_text("summary", summary, MAX_TEXT_CHARS)?;
                }
                check_count("labels", labels.len(), MAX_LABELS)?;
                for (name, value) in labels {
                    check_text("labels", name, MAX_LABEL_CHARS)?;
                    check_characters("labels", value, MAX_LABEL_CHARS)?;
                }
                Ok(())
            }
            Self::Redrive { dead_letters } if dead_letters.is_empty() => {
                Err(CommandError::Empty { field: "dead_letters" })
            }
            Self::Redrive { dead_letters } => check_count("dead_letters", dead_letters.len(), MAX_DEAD_LETTERS),
            Self::SilenceIncident { duration_s, .. } => {
                check_bounds("duration", *duration_s, MIN_SILENCE_S, MAX_SILENCE_S)
            }
            Self::RedriveNotices { notices: DeadNotices::These(ids) } if ids.is_empty() => {
                Err(CommandError::Empty { field: "notices" })
            }
            Self::RedriveNotices { notices: DeadNotices::These(ids) } => {
                check_count("notices", ids.len(), MAX_DEAD_NOTICES as usize)
            }
            Self::RedriveNotices { notices: DeadNotices::Matching { receiver, limit, .. } } => {
                if let Some(receiver) = receiver {
                    check_text("receiver", receiver, MAX_RECEIVER_CHARS)?;
                }
                check_bounds("limit", *limit, 1, MAX_DEAD_NOTICES)
            }
            Self::Silence { silence } => {
                check_characters("matchers", &silence.matchers.to_string(), MAX_MATCHERS_CHARS)?;
                check_characters("comment", &silence.comment, MAX_COMMENT_CHARS)
            }
            _ => Ok(()),
        }
    }
}

/// A text that must say something.
fn check_text(field: &'static str, text: &str, max: usize) -> Result<(), CommandError> {
    if text.trim().is_empty() {
        return Err(CommandError::Empty { field });
    }
    check_characters(field, text, max)
}

fn check_characters(field: &'static str, text: &str, max: usize) -> Result<(), CommandError> {
    if text.contains('\0') {
        return Err(CommandError::Nul { field });
    }
    if text.chars().nth(max).is_some() { Err(CommandError::TooLong { field, max }) } else { Ok(()) }
}

fn check_bounds(field: &'static str, number: u32, min: u32, max: u32) -> Result<(), CommandError> {
    if (min..=max).contains(&number) { Ok(()) } else { Err(CommandError::OutOfBounds { field, min, max }) }
}

fn check_count(field: &'static str, count: usize, max: usize) -> Result<(), CommandError> {
    if count > max { Err(CommandError::TooMany { field, max }) } else { Ok(()) }
}
