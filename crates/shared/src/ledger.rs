//! The notification ledger: what a route wants somebody to be told, and what became of it.

use chrono::{DateTime, Utc};

use crate::{IncidentId, NotificationId, named_enum};

named_enum! {
    /// Why somebody is told.
    pub enum NoticeKind {
        /// An incident was opened.
        Triggered = "triggered",
        /// Somebody took an incident.
        Acknowledged = "acknowledged",
        /// An incident was resolved.
        Resolved = "resolved",
    }
}

named_enum! {
    /// What became of a notice.
    pub enum NoticeStatus {
        /// Nobody has sent it yet, or a try failed and another will follow.
        Pending = "pending",
        /// A notifier holds its lease and is sending it.
        Sending = "sending",
        /// The receiver took it.
        Delivered = "delivered",
        /// A newer notice said what it would have said.
        Superseded = "superseded",
        /// It will not be sent; the ledger says why.
        Dead = "dead",
    }
}

/// One line of the ledger as the worker writes it, unique per incident, receiver and revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Names the line.
    pub id: NotificationId,
    /// What it is about.
    pub incident_id: IncidentId,
    /// Who is told.
    pub receiver: String,
    /// The incident's version that it tells of.
    pub revision: i64,
    /// Why.
    pub kind: NoticeKind,
    /// When the change happened.
    pub created_at: DateTime<Utc>,
    /// The trace of the event that caused it.
    pub trace: String,
}
