//! Silences, as they are shown.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tocsin_shared::{Matchers, Recurrence, Silence, SilenceId};
use utoipa::ToSchema;

use crate::openapi::schemas;

/// Alerts of which nobody is told for a while.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Silence)]
pub(crate) struct SilenceView {
    #[schema(value_type = schemas::Id)]
    id: SilenceId,
    status: SilenceStatus,
    #[schema(value_type = schemas::Matchers)]
    matchers: Matchers,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    #[schema(value_type = Option<schemas::Recurrence>)]
    recurrence: Option<Recurrence>,
    author: String,
    comment: String,
    created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum SilenceStatus {
    /// In force.
    Active,
    /// Not in force, and it will be.
    Pending,
    /// It was.
    Expired,
}

impl SilenceStatus {
    fn of(silence: &Silence, now: DateTime<Utc>) -> Self {
        match now {
            now if now >= silence.ends_at => Self::Expired,
            now if silence.is_active(now) => Self::Active,
            _ => Self::Pending,
        }
    }
}

impl From<Silence> for SilenceView {
    fn from(silence: Silence) -> Self {
        Self {
            id: silence.id,
            status: SilenceStatus::of(&silence, Utc::now()),
            matchers: silence.matchers,
            starts_at: silence.starts_at,
            ends_at: silence.ends_at,
            recurrence: silence.recurrence,
            author: silence.author,
            comment: silence.comment,
            created_at: silence.created_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn silence() -> Silence {
        Silence {
            id: "01990a3e-0000-7000-8000-000000000001".parse().unwrap(),
            matchers: "alertname=DiskFull,host=~\"db-.*\"".parse().unwrap(),
            starts_at: at("2026-03-02T10:00:00Z"),
            ends_at: at("2026-03-04T10:00:00Z"),
            recurrence: Some(serde_json::from_str(r#"{"from":"22:00","to":"23:00"}"#).unwrap()),
            author: "Ann via ops".to_owned(),
            comment: "moving the data".to_owned(),
            created_at: at("2026-03-01T10:00:00Z"),
        }
    }

    #[test]
    fn a_silence_is_shown_as_documented() {
        insta::assert_json_snapshot!(SilenceView::from(silence()));
    }

    #[test]
    fn between_its_windows_a_silence_is_pending_and_after_its_end_it_is_expired() {
        for (now, status) in [
            ("2026-03-01T22:30:00Z", SilenceStatus::Pending),
            ("2026-03-02T22:30:00Z", SilenceStatus::Active),
            ("2026-03-03T12:00:00Z", SilenceStatus::Pending),
            ("2026-03-04T10:00:00Z", SilenceStatus::Expired),
            ("2026-03-04T22:30:00Z", SilenceStatus::Expired),
        ] {
            assert_eq!(SilenceStatus::of(&silence(), at(now)), status, "{now}");
        }
        let always = Silence { recurrence: None, ..silence() };
        assert_eq!(SilenceStatus::of(&always, always.starts_at), SilenceStatus::Active);
    }
}
