//! Incidents: loaded and locked for a batch, opened and changed by it, listed and shown.

mod write;

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::incident::FiringCounts;
use tocsin_shared::{Incident, IncidentId, IncidentSeverity, IncidentStatus, Matcher};
use uuid::Uuid;

pub(crate) use self::write::{incident_alerts_insert_in_txn, incidents_insert_in_txn, incidents_update_in_txn};
use crate::alert::{known, labels};
use crate::list::{IncidentPlace, Question, Ranges, Rows, Terms, Wanted, chosen, list};
use crate::schema::incidents;
use crate::statement::Statement;
use crate::{Operation, Page, Store, StoreError, Window, columns};

/// Which incidents a list shows. What is empty or `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// Only in one of these states.
    pub status: Vec<IncidentStatus>,
    /// Only of one of these severities.
    pub severity: Vec<IncidentSeverity>,
    /// Only with labels that all of these match.
    pub labels: Vec<Matcher>,
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
pub(crate) struct Row {
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
    routes: Vec<String>,
    resolve_policy: String,
    declared: bool,
    severity_is_set: bool,
    resolved_by: Option<String>,
    flaps: Vec<DateTime<Utc>>,
    flapping_since: Option<DateTime<Utc>>,
    remind_at: Option<DateTime<Utc>>,
    escalate_at: Option<DateTime<Utc>>,
    escalated_after_s: i32,
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
                routes: row.routes,
                policy: known("incidents.resolve_policy", &row.resolve_policy)?,
                declared: row.declared,
                severity_is_set: row.severity_is_set,
                resolved_by: row.resolved_by,
                flaps: row.flaps,
                flapping_since: row.flapping_since,
                remind_at: row.remind_at,
                escalate_at: row.escalate_at,
                escalated_after: Duration::from_secs(u64::try_from(row.escalated_after_s).unwrap_or_default()),
            },
        })
    }
}

impl Store {
    /// One window of the incidents that pass the filter, newest first.
    pub async fn incident_list(
        &self,
        filter: &IncidentFilter,
        window: Window<IncidentPlace>,
    ) -> Result<Page<IncidentRecord, IncidentPlace>, StoreError> {
        self.run(Operation::IncidentList, |connection| {
            async move {
                let place = |row: &Row| IncidentPlace { created_at: row.created_at, number: row.number };
                let Rows { items, total, next } = list(connection, &question(filter), window, place).await?;
                let items = items.into_iter().map(IncidentRecord::try_from).collect::<Result<_, _>>()?;
                Ok(Page { items, total, next })
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

    /// Those of these incidents that there are, as they are now; in the order in which they changed last.
    pub async fn incidents_get(&self, ids: &[IncidentId]) -> Result<Vec<IncidentRecord>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
        let ids = &ids;
        self.run(Operation::IncidentsGet, |connection| {
            async move {
                let rows: Vec<Row> = Statement::numbered(THESE).bind::<Array<SqlUuid>, _>(ids).load(connection).await?;
                rows.into_iter().map(IncidentRecord::try_from).collect()
            }
            .scope_boxed()
        })
        .await
    }

    /// At most 500 incidents that are open and have changed since then, or were closed since then; in the order in which they
    /// changed. Costs as much as there are open ones.
    pub async fn incidents_changed(&self, since: DateTime<Utc>) -> Result<Vec<IncidentRecord>, StoreError> {
        self.run(Operation::IncidentsChanged, |connection| {
            async move {
                let query = Statement::numbered(CHANGED)
                    .bind::<Timestamptz, _>(since)
                    .bind::<BigInt, _>(i64::from(MAX_CHANGED));
                let rows: Vec<Row> = query.load(connection).await?;
                rows.into_iter().map(IncidentRecord::try_from).collect()
            }
            .scope_boxed()
        })
        .await
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

fn question(filter: &IncidentFilter) -> Question<'_, IncidentPlace> {
    let is_any = filter.status.is_empty() && filter.severity.is_empty();
    let ranges = (!is_any).then(|| {
        Ranges::of(
            &["status", "severity"],
            &[
                chosen(&filter.status, IncidentStatus::ALL, IncidentStatus::as_str),
                chosen(&filter.severity, IncidentSeverity::ALL, IncidentSeverity::as_str),
            ],
        )
    });
    Question {
        table: "incidents",
        columns: columns::incidents!(),
        terms: Terms { table: "incident_terms", name: "number" },
        tally: Some("incidents"),
        ranges,
        below: filter.created_before.map(IncidentPlace::first_at),
        least: filter.created_after.map(IncidentPlace::first_at),
        wanted: Wanted::new(&filter.labels, filter.text.as_deref()),
    }
}

/// Most incidents that [`Store::incidents_changed`] gives.
pub const MAX_CHANGED: u16 = 500;

const THESE: &str =
    concat!("SELECT ", columns::incidents!(), " FROM incidents WHERE id = ANY($1) ORDER BY updated_at, number");

/// Two conditions, so that each has its index.
const CHANGED: &str = concat!(
    "SELECT ",
    columns::incidents!(),
    " FROM incidents WHERE status IN ('triggered', 'acknowledged') AND updated_at > $1
UNION ALL
SELECT ",
    columns::incidents!(),
    " FROM incidents WHERE status IN ('resolved', 'canceled') AND resolved_at > $1
ORDER BY updated_at, number LIMIT $2"
);

/// The open ones, and of each group the one that was closed last, if that was lately enough. Found first and then locked by
/// their ids: a row that changes while it is waited for is neither left out nor looked for anew.
const LOCK: &str = concat!(
    "SELECT ",
    columns::incidents!(),
    " FROM incidents
WHERE id = ANY(ARRAY(
    SELECT id FROM incidents
    WHERE (id = ANY($1) OR group_key = ANY($2)) AND status IN ('triggered', 'acknowledged')
    UNION ALL
    SELECT over.id FROM UNNEST($2) AS wanted (group_key)
    CROSS JOIN LATERAL (
        SELECT id FROM incidents
        WHERE group_key = wanted.group_key AND status = 'resolved' AND resolved_at > $3
        ORDER BY resolved_at DESC LIMIT 1) AS over))
ORDER BY id
FOR UPDATE"
);

/// Loads and locks the open incidents among these ids and of these groups, and those of these groups that were resolved
/// last, if that was after `resolved_after`, in the order of their ids.
pub(crate) async fn incidents_lock_in_txn(
    connection: &mut AsyncPgConnection,
    ids: Vec<Uuid>,
    group_keys: Vec<String>,
    resolved_after: DateTime<Utc>,
) -> Result<Vec<Incident>, StoreError> {
    if ids.is_empty() && group_keys.is_empty() {
        return Ok(Vec::new());
    }
    let query = Statement::numbered(LOCK)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Text>, _>(group_keys)
        .bind::<Timestamptz, _>(resolved_after);
    incidents(query.load(connection).await?)
}

const LOCK_THESE: &str =
    concat!("SELECT ", columns::incidents!(), " FROM incidents WHERE id = ANY($1) ORDER BY id FOR UPDATE");

/// Loads and locks these incidents, whatever their state, in the order of their ids.
pub(crate) async fn incidents_lock_these_in_txn(
    connection: &mut AsyncPgConnection,
    ids: &[IncidentId],
) -> Result<Vec<Incident>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    incidents(Statement::numbered(LOCK_THESE).bind::<Array<SqlUuid>, _>(ids).load(connection).await?)
}

/// One incident as it is now, without a lock.
pub(crate) async fn incident_read_in_txn(
    connection: &mut AsyncPgConnection,
    id: IncidentId,
) -> Result<Option<Incident>, StoreError> {
    let query = incidents::table.find(id.as_uuid()).select(Row::as_select());
    let row: Option<Row> = query.first(connection).await.optional()?;
    row.map(|row| IncidentRecord::try_from(row).map(|record| record.incident)).transpose()
}

const OPEN_OF_GROUP: &str = concat!(
    "SELECT ",
    columns::incidents!(),
    " FROM incidents WHERE group_key = $1 AND id <> $2 AND status IN ('triggered', 'acknowledged') FOR UPDATE"
);

/// The open incident of a group, if it is another one than this.
pub(crate) async fn incidents_of_group_in_txn(
    connection: &mut AsyncPgConnection,
    group_key: &str,
    other_than: IncidentId,
) -> Result<Vec<Incident>, StoreError> {
    let query = Statement::numbered(OPEN_OF_GROUP).bind::<Text, _>(group_key).bind::<SqlUuid, _>(other_than.as_uuid());
    incidents(query.load(connection).await?)
}

fn incidents(rows: Vec<Row>) -> Result<Vec<Incident>, StoreError> {
    rows.into_iter().map(|row| IncidentRecord::try_from(row).map(|record| record.incident)).collect()
}
