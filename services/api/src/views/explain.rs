//! Decisions and dead letters, as they are shown.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tocsin_shared::{AlertId, EventId, IncidentId};
use tocsin_store::{DeadLetterRecord, DecisionRecord};
use utoipa::ToSchema;

use crate::openapi::schemas;

/// One decision. What was not decided is `null`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Decision)]
pub(crate) struct DecisionView {
    #[schema(value_type = schemas::Id)]
    event_id: EventId,
    received_at: DateTime<Utc>,
    applied_at: DateTime<Utc>,
    #[schema(value_type = Option<schemas::Id>)]
    alert_id: Option<AlertId>,
    #[schema(value_type = Option<schemas::Id>)]
    incident_id: Option<IncidentId>,
    /// What became of the event.
    #[schema(value_type = schemas::Outcome)]
    outcome: String,
    /// The paths of the routes that the alert took; the first one owns the group.
    #[schema(value_type = Option<Vec<String>>)]
    routes: Value,
    #[schema(value_type = Option<String>)]
    group_key: Value,
    /// `silence:<id>` or `inhibition:<id of the alert that inhibits>`.
    #[schema(value_type = Option<String>)]
    suppressed_by: Value,
    /// Who is told of what, and why not where it is `withheld`.
    #[schema(value_type = Option<Vec<schemas::Anything>>)]
    notices: Value,
    /// The event in normal form, unless it says just what was known.
    #[schema(value_type = schemas::Anything)]
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
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(crate) struct DeadLetterView {
    id: i64,
    /// Where it came from: `events`, `commands` or `inbox`.
    stream: String,
    entry_id: String,
    /// Why it could not be applied.
    reason: String,
    /// What it held.
    #[schema(value_type = schemas::Anything)]
    fields: Value,
    created_at: DateTime<Utc>,
}

impl From<DeadLetterRecord> for DeadLetterView {
    fn from(record: DeadLetterRecord) -> Self {
        let DeadLetterRecord { id, stream, entry_id, fields, reason, created_at } = record;
        Self { id, stream, entry_id, reason, fields, created_at }
    }
}
