//! Decisions and dead letters, as they are shown.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tocsin_shared::{AlertId, EventId, IncidentId};
use tocsin_store::{DeadLetterRecord, DecisionRecord};

/// One decision. What was not decided is `null`.
#[derive(Debug, Serialize)]
pub(crate) struct DecisionView {
    event_id: EventId,
    received_at: DateTime<Utc>,
    applied_at: DateTime<Utc>,
    alert_id: Option<AlertId>,
    incident_id: Option<IncidentId>,
    /// What became of the event.
    outcome: String,
    /// The paths of the routes that the alert took; the first one owns the group.
    routes: Value,
    group_key: Value,
    /// `silence:<id>` or `inhibition:<id of the alert that inhibits>`.
    suppressed_by: Value,
    /// Who is told of what, and why not where it is `withheld`.
    notices: Value,
    /// The event in normal form, unless it says just what was known.
    event: Option<Value>,
}

impl From<(usize, DecisionRecord)> for DecisionView {
    fn from((_, record): (usize, DecisionRecord)) -> Self {
        let mut detail = record.detail.unwrap_or_default();
        let mut part = |name: &str| detail.get_mut(name).map(Value::take).unwrap_or_default();
        Self {
            event_id: EventId::from_uuid(record.event_id),
            received_at: record.received_at,
            applied_at: record.applied_at,
            alert_id: record.alert_id.map(AlertId::from_uuid),
            incident_id: record.incident_id.map(IncidentId::from_uuid),
            outcome: record.outcome,
            routes: part("routes"),
            group_key: part("group_key"),
            suppressed_by: part("suppressed_by"),
            notices: part("notices"),
            event: record.payload,
        }
    }
}

/// An entry that could not be applied.
#[derive(Debug, Serialize)]
pub(crate) struct DeadLetterView {
    id: i64,
    /// Where it came from: `events`, `commands` or `inbox`.
    stream: String,
    entry_id: String,
    /// Why it could not be applied.
    reason: String,
    /// What it held.
    fields: Value,
    created_at: DateTime<Utc>,
}

impl From<DeadLetterRecord> for DeadLetterView {
    fn from(record: DeadLetterRecord) -> Self {
        let DeadLetterRecord { id, stream, entry_id, fields, reason, created_at } = record;
        Self { id, stream, entry_id, reason, fields, created_at }
    }
}
