//! Incidents: loaded and locked for a batch, opened and changed by it, listed and shown.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::incident::FiringCounts;
use tocsin_shared::{AlertId, Incident, IncidentId, IncidentSeverity, IncidentStatus, Labels};
use uuid::Uuid;

use crate::alert::{containing, known, labels, labels_json};
use crate::schema::incidents;
use crate::{Operation, Page, Store, StoreError, Window};

/// Which incidents a list shows. What is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// Only in this state.
    pub status: Option<IncidentStatus>,
    /// Only of this severity.
    pub severity: Option<IncidentSeverity>,
    /// Only with all of these labels.
    pub labels: Labels,
    /// Only with this text in the title, whatever its case.
    pub text: Option<String>,
    /// Only those made at this time or later.
    pub created_after: Option<DateTime<Utc>>,
    /// Only those made before this time.
    pub created_before: Option<DateTime<Utc>>,
}

/// An incident, with what only the store knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentRecord {
    /// The number by which people call it.
    pub number: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// The incident.
    pub incident: Incident,
}

#[derive(Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = incidents, check_for_backend(Pg))]
struct Row {
    id: Uuid,
    number: i64,
    title: String,
    summary: Option<String>,
    status: String,
    severity: String,
    group_key: String,
    labels: serde_json::Value,
    alert_count: i32,
    firing_critical: i32,
    firing_warning: i32,
    firing_info: i32,
    created_at: DateTime<Utc>,
    triggered_at: DateTime<Utc>,
    acknowledged_at: Option<DateTime<Utc>>,
    acknowledged_by: Option<String>,
    resolved_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
    version: i64,
}

impl TryFrom<Row> for IncidentRecord {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            number: row.number,
            created_at: row.created_at,
            incident: Incident {
                id: IncidentId::from_uuid(row.id),
                title: row.title,
                summary: row.summary,
                status: known("incidents.status", &row.status)?,
                severity: known("incidents.severity", &row.severity)?,
                group_key: row.group_key,
                labels: labels("incidents.labels", row.labels)?,
                alert_count: row.alert_count,
                firing: FiringCounts {
                    critical: row.firing_critical,
                    warning: row.firing_warning,
                    info: row.firing_info,
                },
                triggered_at: row.triggered_at,
                acknowledged_at: row.acknowledged_at,
                acknowledged_by: row.acknowledged_by,
                resolved_at: row.resolved_at,
                updated_at: row.updated_at,
                version: row.version,
            },
        })
    }
}

impl Store {
    /// One window of the incidents that pass the filter, newest first; the cursor is an incident's number.
    pub async fn incident_list(
        &self,
        filter: &IncidentFilter,
        window: Window<i64>,
    ) -> Result<Page<IncidentRecord>, StoreError> {
        self.run(Operation::IncidentList, |connection| {
            async move {
                let total = filtered(filter).count().get_result(connection).await?;
                let mut query = filtered(filter).select(Row::as_select()).order(incidents::number.desc());
                if let Some(before) = window.before {
                    query = query.filter(incidents::number.lt(before));
                }
                let rows: Vec<Row> = query.offset(window.offset).limit(window.limit + 1).load(connection).await?;
                let items = rows.into_iter().map(IncidentRecord::try_from).collect::<Result<_, _>>()?;
                Ok(Page::from_one_more(items, window.limit, total))
            }
            .scope_boxed()
        })
        .await
    }

    /// One incident, by its id.
    pub async fn incident_get(&self, id: IncidentId) -> Result<Option<IncidentRecord>, StoreError> {
        self.incident_where(move || incidents::table.filter(incidents::id.eq(id.as_uuid())).into_boxed()).await
    }

    /// One incident, by its number.
    pub async fn incident_get_by_number(&self, number: i64) -> Result<Option<IncidentRecord>, StoreError> {
        self.incident_where(move || incidents::table.filter(incidents::number.eq(number)).into_boxed()).await
    }

    async fn incident_where(
        &self,
        query: impl Fn() -> incidents::BoxedQuery<'static, Pg> + Sync,
    ) -> Result<Option<IncidentRecord>, StoreError> {
        let query = &query;
        self.run(Operation::IncidentGet, |connection| {
            async move {
                let row: Option<Row> = query().select(Row::as_select()).first(connection).await.optional()?;
                row.map(IncidentRecord::try_from).transpose()
            }
            .scope_boxed()
        })
        .await
    }
}

fn filtered(filter: &IncidentFilter) -> incidents::BoxedQuery<'static, Pg> {
    let mut query = incidents::table.into_boxed();
    if let Some(status) = filter.status {
        query = query.filter(incidents::status.eq(status.as_str()));
    }
    if let Some(severity) = filter.severity {
        query = query.filter(incidents::severity.eq(severity.as_str()));
    }
    if !filter.labels.is_empty() {
        query = query.filter(incidents::labels.contains(labels_json(&filter.labels)));
    }
    if let Some(text) = &filter.text {
        query = query.filter(incidents::title.ilike(containing(text)));
    }
    if let Some(after) = filter.created_after {
        query = query.filter(incidents::created_at.ge(after));
    }
    if let Some(before) = filter.created_before {
        query = query.filter(incidents::created_at.lt(before));
    }
    query
}

const LOCK: &str = "\
SELECT * FROM incidents
WHERE (id = ANY($1) OR group_key = ANY($2)) AND status IN ('triggered', 'acknowledged')
ORDER BY id
FOR UPDATE";

/// Loads and locks the open incidents among these ids and of these groups, in the order of their ids.
pub(crate) async fn incidents_lock_in_txn(
    connection: &mut AsyncPgConnection,
    ids: Vec<Uuid>,
    group_keys: Vec<String>,
) -> Result<Vec<Incident>, StoreError> {
    let rows: Vec<Row> = diesel::sql_query(LOCK)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Text>, _>(group_keys)
        .load(connection)
        .await?;
    rows.into_iter().map(|row| IncidentRecord::try_from(row).map(|record| record.incident)).collect()
}

const INSERT: &str = "\
INSERT INTO incidents (id, title, summary, status, severity, group_key, labels, alert_count, firing_critical, \
firing_warning, firing_info, triggered_at, acknowledged_at, acknowledged_by, resolved_at, updated_at, version)
SELECT * FROM UNNEST($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
ON CONFLICT (group_key) WHERE status IN ('triggered', 'acknowledged') DO NOTHING";

const UPDATE: &str = "\
UPDATE incidents SET
    title = new.title, summary = new.summary, status = new.status, severity = new.severity, labels = new.labels,
    alert_count = new.alert_count, firing_critical = new.firing_critical, firing_warning = new.firing_warning,
    firing_info = new.firing_info, acknowledged_at = new.acknowledged_at, acknowledged_by = new.acknowledged_by,
    resolved_at = new.resolved_at, updated_at = new.updated_at, version = new.version
FROM UNNEST($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) AS new (id, title, summary, \
status, severity, group_key, labels, alert_count, firing_critical, firing_warning, firing_info, triggered_at, \
acknowledged_at, acknowledged_by, resolved_at, updated_at, version)
WHERE incidents.id = new.id";

/// Writes incidents that did not exist when [`incidents_lock_in_txn`] looked.
///
/// # Errors
/// [`StoreError::Raced`] if one of their groups has an open incident now.
pub(crate) async fn incidents_insert_in_txn(
    connection: &mut AsyncPgConnection,
    opened: &[Incident],
) -> Result<(), StoreError> {
    if write(connection, INSERT, opened).await? == opened.len() { Ok(()) } else { Err(StoreError::Raced) }
}

/// Writes incidents that [`incidents_lock_in_txn`] has locked.
pub(crate) async fn incidents_update_in_txn(
    connection: &mut AsyncPgConnection,
    updated: &[Incident],
) -> Result<(), StoreError> {
    write(connection, UPDATE, updated).await.map(|_| ())
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
    let written = diesel::sql_query(statement)
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
        .execute(connection)
        .await?;
    Ok(written)
}

const JOIN: &str = "\
INSERT INTO incident_alerts (incident_id, alert_id)
SELECT * FROM UNNEST($1, $2)
ON CONFLICT DO NOTHING";

/// Makes alerts belong to incidents.
pub(crate) async fn incident_alerts_insert_in_txn(
    connection: &mut AsyncPgConnection,
    memberships: &[(IncidentId, AlertId)],
) -> Result<(), StoreError> {
    if memberships.is_empty() {
        return Ok(());
    }
    diesel::sql_query(JOIN)
        .bind::<Array<SqlUuid>, _>(memberships.iter().map(|(incident, _)| incident.as_uuid()).collect::<Vec<Uuid>>())
        .bind::<Array<SqlUuid>, _>(memberships.iter().map(|(_, alert)| alert.as_uuid()).collect::<Vec<Uuid>>())
        .execute(connection)
        .await?;
    Ok(())
}
