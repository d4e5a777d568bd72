//! Silences: alerts of which nobody is told for a while, once or again and again.

mod recurrence;

use chrono::{DateTime, Utc};

pub use recurrence::{Recurrence, RecurrenceError};

use crate::{Labels, Matchers, SilenceId};

/// Longest author, in characters.
pub const MAX_AUTHOR_CHARS: usize = 200;
/// Longest comment, in characters.
pub const MAX_COMMENT_CHARS: usize = 4_096;

/// Nobody is told of the alerts that `matchers` match, from `starts_at` (inclusive) until `ends_at` (exclusive), or,
/// with a recurrence, within its windows in that time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Names it.
    pub id: SilenceId,
    /// Which alerts.
    pub matchers: Matchers,
    /// Since when.
    pub starts_at: DateTime<Utc>,
    /// Until when.
    pub ends_at: DateTime<Utc>,
    /// In which windows only, if not all the time.
    pub recurrence: Option<Recurrence>,
    /// Who says so.
    pub author: String,
    /// Why.
    pub comment: String,
    /// When it was said.
    pub created_at: DateTime<Utc>,
}

/// A silence that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SilenceError {
    /// It would never be in force.
    #[error("it must end after it starts")]
    EndsBeforeStart,
    /// It would silence everything, or what nobody thinks of.
    #[error("at least one matcher must ask for a label that is there")]
    MatchesEverything,
    /// There must be somebody to ask.
    #[error("it must have an author, of at most 200 characters")]
    Author,
    /// The comment is too long.
    #[error("the comment must have at most 4,096 characters")]
    Comment,
}

impl Silence {
    /// Whether it is in force at that time.
    #[must_use]
    pub fn is_active(&self, at: DateTime<Utc>) -> bool {
        let in_time = self.starts_at <= at && at < self.ends_at;
        in_time && self.recurrence.as_ref().is_none_or(|recurrence| recurrence.covers(at))
    }

    /// Whether nobody is told of an alert with these labels at that time.
    #[must_use]
    pub fn mutes(&self, labels: &Labels, at: DateTime<Utc>) -> bool {
        self.is_active(at) && self.matchers.matches(labels)
    }

    /// Whether it may be: it ends after it starts, its texts have their bounds, and it does not match an alert without
    /// labels, for it would match every one.
    pub fn check(&self) -> Result<(), SilenceError> {
        if self.ends_at <= self.starts_at {
            return Err(SilenceError::EndsBeforeStart);
        }
        if self.matchers.iter().all(|matcher| matcher.matches_value("")) {
            return Err(SilenceError::MatchesEverything);
        }
        if self.author.trim().is_empty() || self.author.chars().count() > MAX_AUTHOR_CHARS {
            return Err(SilenceError::Author);
        }
        if self.comment.chars().count() > MAX_COMMENT_CHARS {
            return Err(SilenceError::Comment);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn silence() -> Silence {
        Silence {
            id: SilenceId::generate(),
            matchers: "team=db".parse().unwrap(),
            starts_at: at("2026-03-02T10:00:00Z"),
            ends_at: at("2026-03-30T10:00:00Z"),
            recurrence: None,
            author: "ada".to_owned(),
            comment: String::new(),
            created_at: at("2026-03-01T10:00:00Z"),
        }
    }

    #[test]
    fn it_mutes_what_it_matches_from_its_start_until_its_end() {
        let silence = silence();
        let (db, web) = (Labels::from([("team".into(), "db".into())]), Labels::from([("team".into(), "web".into())]));
        assert!(silence.mutes(&db, silence.starts_at) && !silence.mutes(&web, silence.starts_at));
        assert!(!silence.mutes(&db, silence.starts_at - TimeDelta::microseconds(1)));
        assert!(
            !silence.mutes(&db, silence.ends_at) && silence.mutes(&db, silence.ends_at - TimeDelta::microseconds(1))
        );
    }

    #[test]
    fn with_a_recurrence_it_is_in_force_within_its_windows_alone() {
        let recurrence = serde_json::from_str(r#"{"from":"22:00","to":"23:00"}"#).unwrap();
        let silence = Silence { recurrence: Some(recurrence), ..silence() };
        assert!(!silence.is_active(at("2026-03-01T22:30:00Z")), "before it starts");
        assert!(silence.is_active(at("2026-03-02T22:30:00Z")));
        assert!(!silence.is_active(at("2026-03-02T23:30:00Z")));
        assert!(!silence.is_active(at("2026-03-30T22:30:00Z")), "after it ends");
    }

    #[test]
    fn a_silence_that_cannot_be_is_refused() {
        use SilenceError as E;
        let matching = |text: &str| Silence { matchers: text.parse().unwrap(), ..silence() };
        assert_eq!(silence().check(), Ok(()));
        assert_eq!(matching("team!=\"\",a=~.*").check(), Ok(()));
        for text in ["", "team!=db", "team=~.*", "team=\"\",a!=b"] {
            assert_eq!(matching(text).check(), Err(E::MatchesEverything), "{text}");
        }
        let never = Silence { ends_at: silence().starts_at, ..silence() };
        assert_eq!(never.check(), Err(E::EndsBeforeStart));
        assert_eq!(Silence { author: " ".to_owned(), ..silence() }.check(), Err(E::Author));
        let comment = "x".repeat(MAX_COMMENT_CHARS + 1);
        assert_eq!(Silence { comment, ..silence() }.check(), Err(E::Comment));
    }
}
