//! The notification ledger: written by the worker together with the state, moved on by notifiers.
//!
//! A notifier claims a row with a lease: a token that only it knows, and a time after which another may claim the row.
//! The outcome is written only under the token, so a notifier that lost its lease cannot overwrite what the next one did.

mod bury;
mod claim;
mod finish;
mod list;
mod redrive;
mod write;

use std::time::Duration;

use chrono::{DateTime, Utc};
use tocsin_shared::ledger::NoticeKind;
use tocsin_shared::{IncidentId, NotificationId};
use uuid::Uuid;

pub use self::bury::{Burial, Buried, GoneReceiver, Waiting};
pub use self::claim::{Claim, Room};
pub use self::list::{DeliveryRecord, NoticeFilter, NoticeRecord};
pub(crate) use self::redrive::notices_redrive_in_txn;
pub use self::redrive::{NoticesRedriven, RedrivenNotice};
pub(crate) use self::write::{notices_hush_in_txn, notices_insert_in_txn};

/// A notice that this process may send, until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedNotice {
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
    /// In whose place the receiver is told, and why that one could not be.
    pub instead_of: Option<(String, String)>,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// When the change happened.
    pub created_at: DateTime<Utc>,
    /// Since when the receiver is owed it: its deadline counts from here.
    pub owed_since: DateTime<Utc>,
    /// The trace of the event that caused it.
    pub trace: String,
    lease_token: Uuid,
}

/// One try at a delivery, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// How long the receiver took.
    pub latency: Duration,
    /// What it answered with, if it answered.
    pub http_status: Option<u16>,
    /// What it said, or why it said nothing; bounded and without secrets.
    pub answer: String,
}

/// What follows from an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver took it.
    Delivered,
    /// Another attempt follows, after this long.
    Retry {
        /// From now.
        after: Duration,
    },
    /// It will not be sent.
    Dead {
        /// Why.
        reason: String,
    },
    /// It will not be sent, nor will anything else to this receiver, until its destination changes.
    Gone {
        /// Why.
        reason: String,
    },
}

/// An attempt, with all that the ledger keeps of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What was sent.
    pub notice: ClaimedNotice,
    /// Where to: the receiver's destination at that time.
    pub destination: String,
    /// How it went.
    pub attempt: Attempt,
    /// What follows.
    pub verdict: Verdict,
    /// What the provider calls the message from now on; none leaves that as it was.
    pub message: Option<serde_json::Value>,
    /// Who is told when this receiver cannot be.
    pub fallback: Option<String>,
}
