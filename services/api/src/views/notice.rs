//! The ledger, as it is shown.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tocsin_shared::ledger::{NoticeKind, NoticeStatus};
use tocsin_shared::{IncidentId, NotificationId};
use tocsin_store::{DeliveryRecord, NoticeRecord};

#[derive(Debug, Serialize)]
pub(crate) struct NoticeView {
    id: NotificationId,
    incident_id: IncidentId,
    receiver: String,
    revision: i64,
    kind: NoticeKind,
    status: NoticeStatus,
    reason: Option<String>,
    attempts: i32,
    created_at: DateTime<Utc>,
    next_attempt_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    redriven_at: Option<DateTime<Utc>>,
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

#[derive(Debug, Serialize)]
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

#[derive(Debug, Serialize)]
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
