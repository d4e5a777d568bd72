//! Alerts: loaded and locked by key for a batch, written back whole, listed and shown.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::board::{Alert, AlertKey};
use tocsin_shared::{
    AlertEvent, AlertId, AlertSeverity, AlertStatus, EventId, Fingerprint, IncidentId, Labels, SilenceId, UnknownName,
};
use uuid::Uuid;

use crate::schema::{alerts, incident_alerts};
use crate::{Operation, Page, Store, StoreError, Window};

/// Most alerts of one incident that one request shows.
const MAX_ALERTS_OF_INCIDENT: i64 = 500;

/// Which alerts a list shows. What is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// Only of this kind of sender.
    pub source: Option<String>,
    /// Only in this state.
    pub status: Option<AlertStatus>,
    /// Only of this severity.
    pub severity: Option<AlertSeverity>,
    /// Only with all of these labels.
    pub labels: Labels,
    /// Only with this text in the title, whatever its case.
    pub text: Option<String>,
}

#[derive(Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = alerts, check_for_backend(Pg))]
struct Row {
    id: Uuid,
    integration: String,
    fingerprint: String,
    external_id: Option<String>,
    source: String,
    status: String,
    severity: String,
    title: String,
    description: Option<String>,
    labels: serde_json::Value,
    annotations: serde_json::Value,
    source_url: Option<String>,
    incident_id: Option<Uuid>,
    started_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    event_at: DateTime<Utc>,
    event_id: Uuid,
    received_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    occurrences: i64,
    event_status: Option<String>,
    event_received_at: Option<DateTime<Utc>>,
    firing_seen_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    timed_out: bool,
    silenced_by: Option<Uuid>,
    inhibited_by: Option<Uuid>,
    inhibits: Vec<String>,
    inhibitable: Vec<String>,
}

impl TryFrom<Row> for Alert {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let fingerprint = Fingerprint::from_stored(row.fingerprint);
        let status = known("alerts.status", &row.status)?;
        // A row that the version before has written does not tell the two apart.
        let event_status = row.event_status.map(|text| known("alerts.event_status", &text)).transpose()?;
        Ok(Self {
            id: AlertId::from_uuid(row.id),
            key: AlertKey { integration: row.integration, fingerprint: fingerprint.clone() },
            source: row.source,
            status,
            newest: AlertEvent {
                fingerprint,
                external_id: row.external_id,
                status: event_status.unwrap_or(status),
                severity: known("alerts.severity", &row.severity)?,
                title: row.title,
                description: row.description,
                labels: labels("alerts.labels", row.labels)?,
                annotations: labels("alerts.annotations", row.annotations)?,
                source_url: row.source_url,
                started_at: Some(row.started_at),
                ended_at: row.ended_at,
                event_at: row.event_at,
                expires_at: None,
                is_bare: false,
            },
            newest_id: EventId::from_uuid(row.event_id),
            newest_received_at: row.event_received_at.unwrap_or(row.last_seen_at),
            firing_seen_at: row.firing_seen_at,
            expires_at: row.expires_at,
            timed_out: row.timed_out,
            incident_id: row.incident_id.map(IncidentId::from_uuid),
            started_at: row.started_at,
            received_at: row.received_at,
            last_seen_at: row.last_seen_at,
            occurrences: row.occurrences,
            silenced_by: row.silenced_by.map(SilenceId::from_uuid),
            inhibited_by: row.inhibited_by.map(AlertId::from_uuid),
            inhibits: row.inhibits,
            inhibitable: row.inhibitable,
        })
    }
}

/// Reads the name of an enumeration's value.
pub(crate) fn known<T: std::str::FromStr<Err = UnknownName>>(
    column: &'static str,
    text: &str,
) -> Result<T, StoreError> {
    text.parse().map_err(|source| StoreError::UnknownValue { column, source })
}

/// Reads a label set.
pub(crate) fn labels(column: &'static str, value: serde_json::Value) -> Result<Labels, StoreError> {
    serde_json::from_value(value).map_err(|source| StoreError::Json { column, source })
}

/// Writes a label set.
pub(crate) fn labels_json(labels: &Labels) -> serde_json::Value {
    labels.iter().map(|(name, value)| (name.clone(), serde_json::Value::from(value.as_str()))).collect()
}

/// Turns a text into a pattern for `ILIKE` that finds it anywhere.
pub(crate) fn containing(text: &str) -> String {
    format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

impl Store {
    /// One window of the alerts that pass the filter, newest first; the cursor is an alert's id.
    pub async fn alert_list(&self, filter: &AlertFilter, window: Window<AlertId>) -> Result<Page<Alert>, StoreError> {
        self.run(Operation::AlertList, |connection| {
            async move {
                let total = filtered(filter).count().get_result(connection).await?;
                let mut query = filtered(filter).select(Row::as_select()).order(alerts::id.desc());
                if let Some(before) = window.before {
                    query = query.filter(alerts::id.lt(before.as_uuid()));
                }
                let rows: Vec<Row> = query.offset(window.offset).limit(window.limit + 1).load(connection).await?;
                let items = rows.into_iter().map(Alert::try_from).collect::<Result<_, _>>()?;
                Ok(Page::from_one_more(items, window.limit, total))
            }
            .scope_boxed()
        })
        .await
    }

    /// One alert.
    pub async fn alert_get(&self, id: AlertId) -> Result<Option<Alert>, StoreError> {
        self.run(Operation::AlertGet, |connection| {
            async move {
                let row: Option<Row> =
                    alerts::table.find(id.as_uuid()).select(Row::as_select()).first(connection).await.optional()?;
                row.map(Alert::try_from).transpose()
            }
            .scope_boxed()
        })
        .await
    }

    /// The newest 500 alerts that belong, or have belonged, to an incident.
    pub async fn incident_alerts(&self, incident: IncidentId) -> Result<Vec<Alert>, StoreError> {
        self.run(Operation::IncidentAlerts, |connection| {
            async move {
                let rows: Vec<Row> = incident_alerts::table
                    .inner_join(alerts::table)
                    .filter(incident_alerts::incident_id.eq(incident.as_uuid()))
                    .order(alerts::id.desc())
                    .limit(MAX_ALERTS_OF_INCIDENT)
                    .select(Row::as_select())
                    .load(connection)
                    .await?;
                rows.into_iter().map(Alert::try_from).collect()
            }
            .scope_boxed()
        })
        .await
    }
}

fn filtered(filter: &AlertFilter) -> alerts::BoxedQuery<'static, Pg> {
    let mut query = alerts::table.into_boxed();
    if let Some(source) = &filter.source {
        query = query.filter(alerts::source.eq(source.clone()));
    }
    if let Some(status) = filter.status {
        query = query.filter(alerts::status.eq(status.as_str()));
    }
    if let Some(severity) = filter.severity {
        query = query.filter(alerts::severity.eq(severity.as_str()));
    }
    if !filter.labels.is_empty() {
        query = query.filter(alerts::labels.contains(labels_json(&filter.labels)));
    }
    if let Some(text) = &filter.text {
        query = query.filter(alerts::title.ilike(containing(text)));
    }
    query
}

const LOCK: &str = "\
SELECT alerts.* FROM alerts
JOIN UNNEST($1, $2) AS wanted (integration, fingerprint) USING (integration, fingerprint)
ORDER BY integration, fingerprint
FOR UPDATE OF alerts";

/// Loads and locks those of the named alerts that exist, in the order of their keys.
pub(crate) async fn alerts_lock_in_txn(
    connection: &mut AsyncPgConnection,
    keys: &[AlertKey],
) -> Result<Vec<Alert>, StoreError> {
    let rows: Vec<Row> = diesel::sql_query(LOCK)
        .bind::<Array<Text>, _>(keys.iter().map(|key| key.integration.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(keys.iter().map(|key| key.fingerprint.as_str()).collect::<Vec<_>>())
        .load(connection)
        .await?;
    rows.into_iter().map(Alert::try_from).collect()
}

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

/// Writes alerts that were locked by [`alerts_lock_in_txn`] or did not exist then, in the order of their keys.
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

/// Writes of alerts that were locked by [`alerts_lock_in_txn`] that they were heard of again: the bulk of a storm.
pub(crate) async fn alerts_hear_in_txn(connection: &mut AsyncPgConnection, heard: &[Alert]) -> Result<(), StoreError> {
    if heard.is_empty() {
        return Ok(());
    }
    let times = |time: fn(&Alert) -> DateTime<Utc>| heard.iter().map(time).collect::<Vec<_>>();
    diesel::sql_query(HEAR)
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
    let written: Vec<Written> = diesel::sql_query(statement)
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

const SIBLINGS: &str = "\
SELECT DISTINCT others.integration, others.fingerprint
FROM UNNEST($1, $2) AS named (integration, fingerprint)
JOIN alerts AS alert USING (integration, fingerprint)
JOIN incidents ON incidents.id = alert.incident_id AND incidents.resolve_policy = 'any'
JOIN alerts AS others ON others.incident_id = incidents.id AND others.status = 'firing'";

#[derive(QueryableByName)]
struct Key {
    #[diesel(sql_type = Text)]
    integration: String,
    #[diesel(sql_type = Text)]
    fingerprint: String,
}

impl From<Key> for AlertKey {
    fn from(Key { integration, fingerprint }: Key) -> Self {
        Self { integration, fingerprint: Fingerprint::from_stored(fingerprint) }
    }
}

/// The firing alerts that end together with one of these. Not locked: there may be others by the time that they are.
pub(crate) async fn siblings_in_txn(
    connection: &mut AsyncPgConnection,
    keys: &BTreeSet<AlertKey>,
) -> Result<BTreeSet<AlertKey>, StoreError> {
    let siblings: Vec<Key> = diesel::sql_query(SIBLINGS)
        .bind::<Array<Text>, _>(keys.iter().map(|key| key.integration.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(keys.iter().map(|key| key.fingerprint.as_str()).collect::<Vec<_>>())
        .load(connection)
        .await?;
    Ok(siblings.into_iter().map(AlertKey::from).collect())
}

const FIRING_OF: &str = "\
SELECT integration, fingerprint FROM alerts WHERE incident_id = ANY($1) AND status = 'firing'
ORDER BY integration, fingerprint";

/// The firing alerts of incidents, to be locked. There may be others by then.
pub(crate) async fn alerts_firing_in_txn(
    connection: &mut AsyncPgConnection,
    incidents: &[IncidentId],
) -> Result<Vec<AlertKey>, StoreError> {
    let ids: Vec<Uuid> = incidents.iter().map(|id| id.as_uuid()).collect();
    let keys: Vec<Key> = diesel::sql_query(FIRING_OF).bind::<Array<SqlUuid>, _>(ids).load(connection).await?;
    Ok(keys.into_iter().map(AlertKey::from).collect())
}

const INHIBITORS: &str = "\
SELECT key, id FROM alerts CROSS JOIN LATERAL UNNEST(inhibits) AS key
WHERE status = 'firing' AND inhibits <> '{}' AND inhibits && $1 AND key = ANY($1)";

#[derive(QueryableByName)]
struct Inhibitor {
    #[diesel(sql_type = Text)]
    key: String,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// The firing alerts that are the source of one of these inhibitions.
pub(crate) async fn inhibitors_in_txn(
    connection: &mut AsyncPgConnection,
    keys: BTreeSet<String>,
) -> Result<Vec<(String, AlertId)>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<String> = keys.into_iter().collect();
    let found: Vec<Inhibitor> = diesel::sql_query(INHIBITORS).bind::<Array<Text>, _>(keys).load(connection).await?;
    Ok(found.into_iter().map(|found| (found.key, AlertId::from_uuid(found.id))).collect())
}
