//! The ledger, as it is shown.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tocsin_shared::ledger::{NoticeKind, NoticeStatus};
use tocsin_shared::{IncidentId, NotificationId};
use tocsin_store::{DeliveryRecord, NoticeRecord};
use utoipa::ToSchema;

use crate::openapi::schemas;

/// One row of the ledger: that a receiver is to be told of an incident, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notification)]
pub(crate) struct NoticeView {
    #[schema(value_type = schemas::Id)]
    id: NotificationId,
    #[schema(value_type = schemas::Id)]
    incident_id: IncidentId,
    receiver: String,
    /// The incident's version that it tells of.
    revision: i64,
    #[schema(value_type = schemas::NotificationKind)]
    kind: NoticeKind,
    #[schema(value_type = schemas::NotificationStatus)]
    status: NoticeStatus,
    /// Why it is dead.
    reason: Option<String>,
    attempts: i32,
    created_at: DateTime<Utc>,
    next_attempt_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    redriven_at: Option<DateTime<Utc>>,
    /// The receiver in whose place this one was told.
    instead_of: Option<String>,
    because: Option<String>,
}

impl From<NoticeRecord> for NoticeView {
    fn from(record: NoticeRecord) -> Self {
        Self {
            id: record.id,
            incident_id: record.incident_id,
            receiver: record.receiver,
            revision: record.revision,
            kind: record.kind,
            status: record.status,
            reason: record.reason,
            attempts: record.attempts,
            created_at: record.created_at,
            next_attempt_at: record.next_attempt_at,
            finished_at: record.finished_at,
            redriven_at: record.redriven_at,
            instead_of: record.instead_of,
            because: record.because,
        }
    }
}

/// A notification with each attempt.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NotificationDetail)]
pub(crate) struct NoticeDetailView {
    #[serde(flatten)]
    notice: NoticeView,
    /// Oldest first.
    deliveries: Vec<DeliveryView>,
}

impl NoticeDetailView {
    pub(crate) fn new(notice: NoticeRecord, deliveries: Vec<DeliveryRecord>) -> Self {
        Self { notice: notice.into(), deliveries: deliveries.into_iter().map(DeliveryView::from).collect() }
    }
}

/// One attempt.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
struct DeliveryView {
    attempt: i32,
    at: DateTime<Utc>,
    latency_ms: i32,
    http_status: Option<i32>,
    answer: String,
}

impl From<DeliveryRecord> for DeliveryView {
    fn from(record: DeliveryRecord) -> Self {
        let DeliveryRecord { attempt, at, latency_ms, http_status, answer } = record;
        Self { attempt, at, latency_ms, http_status, answer }
    }
}
