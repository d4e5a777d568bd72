//! Writing incidents, and which alerts belong to them.

use diesel::QueryableByName;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tocsin_shared::incident::FiringCounts;
use tocsin_shared::{AlertId, Incident, IncidentId};
use uuid::Uuid;

use crate::StoreError;
use crate::alert::labels_json;
use crate::statement::Statement;

/// The bound arrays, as the table `new`. Arrays of arrays there are none, so that lists come as JSON.
macro_rules! new_rows {
    () => {
        "UNNEST($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, \
         $24, $25, $26, $27) AS new (id, title, summary, status, severity, group_key, labels, alert_count, firing_critical, \
         firing_warning, firing_info, triggered_at, acknowledged_at, acknowledged_by, resolved_at, updated_at, version, \
         routes, resolve_policy, declared, severity_is_set, resolved_by, flaps, flapping_since, remind_at, escalate_at, \
         escalated_after_s)"
    };
}

const INSERT: &str = concat!(
    "\
INSERT INTO incidents (id, title, summary, status, severity, group_key, labels, alert_count, firing_critical, \
firing_warning, firing_info, triggered_at, acknowledged_at, acknowledged_by, resolved_at, updated_at, version, \
routes, resolve_policy, declared, severity_is_set, resolved_by, flaps, flapping_since, remind_at, \
escalate_at, escalated_after_s)
SELECT id, title, summary, status, severity, group_key, labels, alert_count, firing_critical, firing_warning,
    firing_info, triggered_at, acknowledged_at, acknowledged_by, resolved_at, updated_at, version,
    ARRAY(SELECT jsonb_array_elements_text(routes)), resolve_policy, declared, severity_is_set, resolved_by,
    ARRAY(SELECT jsonb_array_elements_text(flaps)::timestamptz), flapping_since, remind_at,
    escalate_at, escalated_after_s
FROM ",
    new_rows!(),
    "
ON CONFLICT (group_key) WHERE status IN ('triggered', 'acknowledged') DO NOTHING"
);

const UPDATE: &str = concat!(
    "\
UPDATE incidents SET
    title = new.title, summary = new.summary, status = new.status, severity = new.severity, labels = new.labels,
    alert_count = new.alert_count, firing_critical = new.firing_critical, firing_warning = new.firing_warning,
    firing_info = new.firing_info, triggered_at = new.triggered_at, acknowledged_at = new.acknowledged_at,
    acknowledged_by = new.acknowledged_by, resolved_at = new.resolved_at, updated_at = new.updated_at,
    version = new.version, routes = ARRAY(SELECT jsonb_array_elements_text(new.routes)),
    resolve_policy = new.resolve_policy, severity_is_set = new.severity_is_set, resolved_by = new.resolved_by,
    flaps = ARRAY(SELECT jsonb_array_elements_text(new.flaps)::timestamptz), flapping_since = new.flapping_since,
    remind_at = new.remind_at, escalate_at = new.escalate_at, escalated_after_s = new.escalated_after_s
FROM ",
    new_rows!(),
    "
WHERE incidents.id = new.id"
);

/// Writes incidents that did not exist when [`incidents_lock_in_txn`](super::incidents_lock_in_txn) looked.
///
/// # Errors
/// [`StoreError::Raced`] if one of their groups has an open incident now.
pub(crate) async fn incidents_insert_in_txn(
    connection: &mut AsyncPgConnection,
    opened: &[Incident],
) -> Result<(), StoreError> {
    if write(connection, INSERT, opened).await? == opened.len() { Ok(()) } else { Err(StoreError::Raced) }
}

/// Writes incidents that [`incidents_lock_in_txn`](super::incidents_lock_in_txn) has locked.
///
/// # Errors
/// [`StoreError::Raced`] if one is opened again whose group has another open incident by now.
pub(crate) async fn incidents_update_in_txn(
    connection: &mut AsyncPgConnection,
    updated: &[Incident],
) -> Result<(), StoreError> {
    match write(connection, UPDATE, updated).await {
        Err(StoreError::Database(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _))) => {
            Err(StoreError::Raced)
        }
        written => written.map(|_| ()),
    }
}

async fn write(
    connection: &mut AsyncPgConnection,
    statement: &str,
    incidents: &[Incident],
) -> Result<usize, StoreError> {
    if incidents.is_empty() {
        return Ok(0);
    }
    let firing = |count: fn(&FiringCounts) -> i32| incidents.iter().map(|i| count(&i.firing)).collect::<Vec<_>>();
    let written = Statement::numbered(statement)
        .bind::<Array<SqlUuid>, _>(incidents.iter().map(|i| i.id.as_uuid()).collect::<Vec<Uuid>>())
        .bind::<Array<Text>, _>(incidents.iter().map(|i| i.title.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(incidents.iter().map(|i| i.summary.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(incidents.iter().map(|i| i.status.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(incidents.iter().map(|i| i.severity.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(incidents.iter().map(|i| i.group_key.as_str()).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(incidents.iter().map(|i| labels_json(&i.labels)).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(incidents.iter().map(|i| i.alert_count).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(firing(|counts| counts.critical))
        .bind::<Array<Integer>, _>(firing(|counts| counts.warning))
        .bind::<Array<Integer>, _>(firing(|counts| counts.info))
        .bind::<Array<Timestamptz>, _>(incidents.iter().map(|i| i.triggered_at).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(incidents.iter().map(|i| i.acknowledged_at).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(incidents.iter().map(|i| i.acknowledged_by.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(incidents.iter().map(|i| i.resolved_at).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(incidents.iter().map(|i| i.updated_at).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(incidents.iter().map(|i| i.version).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(incidents.iter().map(|i| serde_json::json!(i.routes)).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(incidents.iter().map(|i| i.policy.as_str()).collect::<Vec<_>>())
        .bind::<Array<Bool>, _>(incidents.iter().map(|i| i.declared).collect::<Vec<_>>())
        .bind::<Array<Bool>, _>(incidents.iter().map(|i| i.severity_is_set).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(incidents.iter().map(|i| i.resolved_by.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(incidents.iter().map(|i| serde_json::json!(i.flaps)).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(incidents.iter().map(|i| i.flapping_since).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(incidents.iter().map(|i| i.remind_at).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(incidents.iter().map(|i| i.escalate_at).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(incidents.iter().map(escalated_after_s).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(written)
}

fn escalated_after_s(incident: &Incident) -> i32 {
    i32::try_from(incident.escalated_after.as_secs()).unwrap_or(i32::MAX)
}

const JOIN: &str = "\
WITH new AS (SELECT * FROM UNNEST($1, $2) AS new (incident_id, alert_id)),
joined AS (
    INSERT INTO incident_alerts (incident_id, alert_id) SELECT * FROM new
    ON CONFLICT DO NOTHING
    RETURNING incident_id, alert_id)
SELECT incident_id AS id, count(*) AS alerts FROM new
WHERE NOT EXISTS (SELECT FROM joined WHERE joined.incident_id = new.incident_id AND joined.alert_id = new.alert_id)
GROUP BY incident_id
ORDER BY incident_id";

const UNCOUNT: &str = "\
UPDATE incidents SET alert_count = alert_count - n.alerts::integer
FROM UNNEST($1, $2) AS n (id, alerts) WHERE incidents.id = n.id";

#[derive(QueryableByName)]
struct Known {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = BigInt)]
    alerts: i64,
}

/// Makes alerts belong to incidents, which are written already and have counted them. An alert that comes back to one that
/// it belonged to long ago was counted twice; that is put right here.
pub(crate) async fn incident_alerts_insert_in_txn(
    connection: &mut AsyncPgConnection,
    memberships: &[(IncidentId, AlertId)],
) -> Result<(), StoreError> {
    if memberships.is_empty() {
        return Ok(());
    }
    let known: Vec<Known> = Statement::numbered(JOIN)
        .bind::<Array<SqlUuid>, _>(memberships.iter().map(|(incident, _)| incident.as_uuid()).collect::<Vec<Uuid>>())
        .bind::<Array<SqlUuid>, _>(memberships.iter().map(|(_, alert)| alert.as_uuid()).collect::<Vec<Uuid>>())
        .load(connection)
        .await?;
    if !known.is_empty() {
        Statement::numbered(UNCOUNT)
            .bind::<Array<SqlUuid>, _>(known.iter().map(|known| known.id).collect::<Vec<_>>())
            .bind::<Array<BigInt>, _>(known.iter().map(|known| known.alerts).collect::<Vec<_>>())
            .execute(connection)
            .await?;
    }
    Ok(())
}
