//! What a receiver is told.

pub(crate) mod sample;
#[cfg(test)]
pub(crate) mod told;

use chrono::{DateTime, Utc};
use tocsin_shared::NotificationId;
use tocsin_shared::board::Alert;
use tocsin_shared::ledger::NoticeKind;
use tocsin_store::IncidentRecord;
use url::Url;

/// Everything that a message may say. It is of the moment of sending: a notice that waited tells what is true by then.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    /// The ledger's row: the same for every attempt, so a receiver that knows it can tell a repeat.
    pub(crate) notice: NotificationId,
    /// Why somebody is told.
    pub(crate) kind: NoticeKind,
    /// The incident's version that the notice is about.
    pub(crate) revision: i64,
    /// When the change happened.
    pub(crate) at: DateTime<Utc>,
    /// The incident.
    pub(crate) record: IncidentRecord,
    /// Its alerts, those that fire first; no more than messages have room for.
    pub(crate) alerts: Vec<Alert>,
    /// The incident's page, if it is known where the dashboard is.
    pub(crate) link: Option<Url>,
    /// In whose place this receiver is told, and why that one could not be.
    pub(crate) instead_of: Option<InsteadOf>,
    /// What the provider calls the message that already tells of this incident.
    pub(crate) message: Option<serde_json::Value>,
    /// Whether it is only to try the receiver out; the message says so.
    pub(crate) is_test: bool,
}

/// Whom a fallback stands in for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InsteadOf {
    pub(crate) receiver: String,
    pub(crate) reason: String,
}

impl Story {
    /// The page of an incident on a dashboard at `public`.
    pub(crate) fn page(public: Option<&Url>, number: i64) -> Option<Url> {
        let mut url = public?.clone();
        url.path_segments_mut().ok()?.pop_if_empty().extend(["incidents", &number.to_string()]);
        Some(url)
    }
}
