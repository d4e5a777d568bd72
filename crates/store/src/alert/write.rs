//! Writing alerts whole, or that they were heard of again.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tocsin_shared::board::Alert;
use tocsin_shared::{AlertId, IncidentId, SilenceId};
use uuid::Uuid;

use super::labels_json;
use crate::StoreError;
use crate::statement::Statement;

/// The columns, in the order in which they are bound. Arrays of arrays there are none, so that lists come as JSON.
macro_rules! columns {
    () => {
        "id, integration, fingerprint, external_id, source, status, severity, title, description, labels, annotations, \
         source_url, incident_id, started_at, ended_at, event_at, event_id, received_at, last_seen_at, occurrences, \
         event_status, event_received_at, firing_seen_at, expires_at, timed_out, silenced_by, inhibited_by, inhibits, \
         inhibitable"
    };
}

/// The bound arrays, as the table `new`.
macro_rules! new_rows {
    () => {
        concat!(
            "UNNEST($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
             $23, $24, $25, $26, $27, $28, $29) AS new (",
            columns!(),
            ")"
        )
    };
}

const UPDATE: &str = concat!(
    "\
UPDATE alerts SET
    external_id = new.external_id, source = new.source, status = new.status, severity = new.severity,
    title = new.title, description = new.description, labels = new.labels, annotations = new.annotations,
    source_url = new.source_url, incident_id = new.incident_id, started_at = new.started_at, ended_at = new.ended_at,
    event_at = new.event_at, event_id = new.event_id, received_at = new.received_at, last_seen_at = new.last_seen_at,
    occurrences = new.occurrences, event_status = new.event_status, event_received_at = new.event_received_at,
    firing_seen_at = new.firing_seen_at, expires_at = new.expires_at, timed_out = new.timed_out,
    silenced_by = new.silenced_by, inhibited_by = new.inhibited_by,
    inhibits = ARRAY(SELECT jsonb_array_elements_text(new.inhibits)),
    inhibitable = ARRAY(SELECT jsonb_array_elements_text(new.inhibitable))
FROM ",
    new_rows!(),
    "
WHERE alerts.id = new.id
RETURNING alerts.id"
);

/// `DO NOTHING`, because `DO UPDATE` would lock a row that another worker has made since we looked, out of the order in
/// which alerts are locked: the way into a deadlock.
const INSERT: &str = concat!(
    "INSERT INTO alerts (",
    columns!(),
    ")
SELECT id, integration, fingerprint, external_id, source, status, severity, title, description, labels, annotations,
    source_url, incident_id, started_at, ended_at, event_at, event_id, received_at, last_seen_at, occurrences,
    event_status, event_received_at, firing_seen_at, expires_at, timed_out, silenced_by, inhibited_by,
    ARRAY(SELECT jsonb_array_elements_text(inhibits)), ARRAY(SELECT jsonb_array_elements_text(inhibitable))
FROM ",
    new_rows!(),
    "
ON CONFLICT (integration, fingerprint) DO NOTHING
RETURNING id"
);

#[derive(QueryableByName)]
struct Written {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// Writes alerts that were locked by [`alerts_lock_in_txn`](super::alerts_lock_in_txn) or did not exist then, in the order of their keys.
///
/// # Errors
/// [`StoreError::Raced`] if one of the latter exists now.
pub(crate) async fn alerts_write_in_txn(
    connection: &mut AsyncPgConnection,
    changed: &[Alert],
) -> Result<(), StoreError> {
    let changed: Vec<&Alert> = changed.iter().collect();
    let updated = write(connection, UPDATE, &changed).await?;
    let new: Vec<&Alert> = changed.into_iter().filter(|alert| !updated.contains(&alert.id.as_uuid())).collect();
    let inserted = write(connection, INSERT, &new).await?;
    if inserted.len() == new.len() { Ok(()) } else { Err(StoreError::Raced) }
}

const HEAR: &str = "\
UPDATE alerts SET
    started_at = new.started_at, event_at = new.event_at, event_id = new.event_id,
    event_received_at = new.event_received_at, firing_seen_at = new.firing_seen_at, expires_at = new.expires_at,
    received_at = new.received_at, last_seen_at = new.last_seen_at, occurrences = new.occurrences
FROM UNNEST($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS new (id, started_at, event_at, event_id, event_received_at,
    firing_seen_at, expires_at, received_at, last_seen_at, occurrences)
WHERE alerts.id = new.id";

/// Writes of alerts that were locked by [`alerts_lock_in_txn`](super::alerts_lock_in_txn) that they were heard of again: the bulk of a storm.
pub(crate) async fn alerts_hear_in_txn(connection: &mut AsyncPgConnection, heard: &[Alert]) -> Result<(), StoreError> {
    if heard.is_empty() {
        return Ok(());
    }
    let times = |time: fn(&Alert) -> DateTime<Utc>| heard.iter().map(time).collect::<Vec<_>>();
    Statement::numbered(HEAR)
        .bind::<Array<SqlUuid>, _>(heard.iter().map(|a| a.id.as_uuid()).collect::<Vec<Uuid>>())
        .bind::<Array<Timestamptz>, _>(times(|a| a.started_at))
        .bind::<Array<Timestamptz>, _>(times(|a| a.newest.event_at))
        .bind::<Array<SqlUuid>, _>(heard.iter().map(|a| a.newest_id.as_uuid()).collect::<Vec<Uuid>>())
        .bind::<Array<Timestamptz>, _>(times(|a| a.newest_received_at))
        .bind::<Array<Nullable<Timestamptz>>, _>(heard.iter().map(|a| a.firing_seen_at).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(heard.iter().map(|a| a.expires_at).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(times(|a| a.received_at))
        .bind::<Array<Timestamptz>, _>(times(|a| a.last_seen_at))
        .bind::<Array<BigInt>, _>(heard.iter().map(|a| a.occurrences).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Says which were written.
async fn write(
    connection: &mut AsyncPgConnection,
    statement: &str,
    alerts: &[&Alert],
) -> Result<HashSet<Uuid>, StoreError> {
    if alerts.is_empty() {
        return Ok(HashSet::new());
    }
    let events = || alerts.iter().map(|alert| &alert.newest);
    let written: Vec<Written> = Statement::numbered(statement)
        .bind::<Array<SqlUuid>, _>(alerts.iter().map(|a| a.id.as_uuid()).collect::<Vec<Uuid>>())
        .bind::<Array<Text>, _>(alerts.iter().map(|a| a.key.integration.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(alerts.iter().map(|a| a.key.fingerprint.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(events().map(|e| e.external_id.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(alerts.iter().map(|a| a.source.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(alerts.iter().map(|a| a.status.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(events().map(|e| e.severity.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(events().map(|e| e.title.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(events().map(|e| e.description.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(events().map(|e| labels_json(&e.labels)).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(events().map(|e| labels_json(&e.annotations)).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(events().map(|e| e.source_url.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Nullable<SqlUuid>>, _>(
            alerts.iter().map(|a| a.incident_id.map(IncidentId::as_uuid)).collect::<Vec<Option<Uuid>>>(),
        )
        .bind::<Array<Timestamptz>, _>(alerts.iter().map(|a| a.started_at).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(alerts.iter().map(|a| a.ended_at()).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(events().map(|e| e.event_at).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(alerts.iter().map(|a| a.newest_id.as_uuid()).collect::<Vec<Uuid>>())
        .bind::<Array<Timestamptz>, _>(alerts.iter().map(|a| a.received_at).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(alerts.iter().map(|a| a.last_seen_at).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(alerts.iter().map(|a| a.occurrences).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(events().map(|e| e.status.as_str()).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(alerts.iter().map(|a| a.newest_received_at).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(alerts.iter().map(|a| a.firing_seen_at).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(alerts.iter().map(|a| a.expires_at).collect::<Vec<_>>())
        .bind::<Array<Bool>, _>(alerts.iter().map(|a| a.timed_out).collect::<Vec<_>>())
        .bind::<Array<Nullable<SqlUuid>>, _>(
            alerts.iter().map(|a| a.silenced_by.map(SilenceId::as_uuid)).collect::<Vec<Option<Uuid>>>(),
        )
        .bind::<Array<Nullable<SqlUuid>>, _>(
            alerts.iter().map(|a| a.inhibited_by.map(AlertId::as_uuid)).collect::<Vec<Option<Uuid>>>(),
        )
        .bind::<Array<Jsonb>, _>(alerts.iter().map(|a| serde_json::json!(a.inhibits)).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(alerts.iter().map(|a| serde_json::json!(a.inhibitable)).collect::<Vec<_>>())
        .load(connection)
        .await?;
    Ok(written.into_iter().map(|row| row.id).collect())
}
