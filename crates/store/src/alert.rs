//! Alerts: loaded and locked by key for a batch, written back, listed and shown.

mod related;
mod write;

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::board::{Alert, AlertKey};
use tocsin_shared::{
    AlertEvent, AlertId, AlertSeverity, AlertStatus, EventId, Fingerprint, IncidentId, Labels, Matcher, SilenceId,
    UnknownName,
};
use uuid::Uuid;

pub(crate) use self::related::{Key, alerts_firing_in_txn, inhibitors_in_txn, siblings_in_txn};
pub(crate) use self::write::{alerts_hear_in_txn, alerts_write_in_txn};
use crate::list::{Question, Ranges, Terms, Wanted, chosen, list};
use crate::schema::{alerts, incident_alerts};
use crate::statement::Statement;
use crate::{Operation, Page, Store, StoreError, Window, columns};

/// Most alerts of one incident that one request shows.
pub(crate) const MAX_ALERTS_OF_INCIDENT: i64 = 500;

/// Which alerts a list shows. What is empty or `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// Only of one of these kinds of sender.
    pub source: Vec<String>,
    /// Only in one of these states.
    pub status: Vec<AlertStatus>,
    /// Only of one of these severities.
    pub severity: Vec<AlertSeverity>,
    /// Only with labels that all of these match.
    pub labels: Vec<Matcher>,
    /// Only with this text in the title, whatever its case.
    pub text: Option<String>,
}

#[derive(Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = alerts, check_for_backend(Pg))]
pub(crate) struct Row {
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
                expires: false,
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

impl Store {
    /// One window of the alerts that pass the filter, newest first; the cursor is an alert's id.
    pub async fn alert_list(
        &self,
        filter: &AlertFilter,
        window: Window<AlertId>,
    ) -> Result<Page<Alert, AlertId>, StoreError> {
        let Window { before, offset, limit } = window;
        let window = Window { before: before.map(AlertId::as_uuid), offset, limit };
        self.run(Operation::AlertList, |connection| {
            async move {
                let rows = list(connection, &question(filter), window, |row: &Row| row.id).await?;
                let items = rows.items.into_iter().map(Alert::try_from).collect::<Result<_, _>>()?;
                Ok(Page { items, total: rows.total, next: rows.next.map(AlertId::from_uuid) })
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

fn question(filter: &AlertFilter) -> Question<'_, Uuid> {
    let status = chosen(&filter.status, AlertStatus::ALL, AlertStatus::as_str);
    let severity = chosen(&filter.severity, AlertSeverity::ALL, AlertSeverity::as_str);
    let ranges = if !filter.source.is_empty() {
        Some(Ranges::of(&["source", "status", "severity"], &[filter.source.clone(), status, severity]))
    } else if filter.status.is_empty() && filter.severity.is_empty() {
        None
    } else {
        Some(Ranges::of(&["status", "severity"], &[status, severity]))
    };
    Question {
        table: "alerts",
        columns: columns::alerts!(),
        terms: Terms { table: "alert_terms", name: "alert_id" },
        tally: Some("alerts"),
        ranges,
        below: None,
        least: None,
        wanted: Wanted::new(&filter.labels, filter.text.as_deref()),
    }
}

const LOCK: &str = concat!(
    "SELECT ",
    columns::alerts!(),
    " FROM alerts
JOIN UNNEST($1, $2) AS wanted (integration, fingerprint) USING (integration, fingerprint)
ORDER BY integration, fingerprint
FOR UPDATE OF alerts"
);

/// Loads and locks those of the named alerts that exist, in the order of their keys.
pub(crate) async fn alerts_lock_in_txn(
    connection: &mut AsyncPgConnection,
    keys: &[AlertKey],
) -> Result<Vec<Alert>, StoreError> {
    let rows: Vec<Row> = Statement::numbered(LOCK)
        .bind::<Array<Text>, _>(keys.iter().map(|key| key.integration.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(keys.iter().map(|key| key.fingerprint.as_str()).collect::<Vec<_>>())
        .load(connection)
        .await?;
    rows.into_iter().map(Alert::try_from).collect()
}
