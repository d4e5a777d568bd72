//! The notification ledger: what a route wants somebody to be told, and what became of it.

mod dead;
mod fold;
mod plan;

use std::time::Duration;

use chrono::{DateTime, Utc};
pub use dead::{DeadNotices, MAX_DEAD_NOTICES};
pub use fold::{Fold, fold};
pub use plan::{Pair, Pending, Plan, Row, Standing, plan};

use crate::{IncidentId, NotificationId, named_enum};

named_enum! {
    /// Why somebody is told.
    pub enum NoticeKind {
        /// An incident was opened.
        Triggered = "triggered",
        /// More of it fires, or it became worse.
        Updated = "updated",
        /// Somebody took an incident.
        Acknowledged = "acknowledged",
        /// An incident was resolved.
        Resolved = "resolved",
        /// An incident that was over goes on.
        Reopened = "reopened",
        /// Somebody says that it was none.
        Canceled = "canceled",
        /// An incident comes and goes so often that it is not told each time from now on.
        Flapping = "flapping",
        /// An incident is still open, and nobody has taken it.
        Reminder = "reminder",
        /// Nobody has taken an incident in time, and so a further receiver is told.
        Escalated = "escalated",
        /// Another receiver could not be told, and so its fallback is.
        Undelivered = "undelivered",
    }
}

impl NoticeKind {
    /// Whether it waits for what else comes in (`group_wait`): the first that is told of an incident.
    #[must_use]
    pub const fn begins(self) -> bool {
        matches!(self, Self::Triggered | Self::Reopened)
    }

    /// Whether it tells of an end.
    #[must_use]
    pub const fn ends(self) -> bool {
        matches!(self, Self::Resolved | Self::Canceled)
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

/// Something that a receiver is to be told, before it is known when. Unique per incident, receiver and revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Names the ledger's row.
    pub id: NotificationId,
    /// What it is about.
    pub incident_id: IncidentId,
    /// Who is told.
    pub receiver: String,
    /// The incident's version that it tells of.
    pub revision: i64,
    /// Why.
    pub kind: NoticeKind,
    /// How long the first notice of an incident waits for what else fires.
    pub group_wait: Duration,
    /// How much time there is at least between two that tell of more.
    pub group_interval: Duration,
    /// When the change happened.
    pub created_at: DateTime<Utc>,
    /// The trace of the event that caused it.
    pub trace: String,
}
