//! The history: every event of every alert as it came in, and what was decided about it. What explains an alert.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Integer, Json, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;
use serde_json::json;
use tocsin_shared::board::{Decision, NoticeDecision, Outcome};
use tocsin_shared::{AlertId, Envelope, IncidentId};
use uuid::Uuid;

use crate::statement::Statement;
use crate::{Operation, Store, StoreError};

/// Most decisions that one request shows.
const MAX_DECISIONS: i64 = 250;
/// Days for which there are partitions ahead.
const DAYS_AHEAD: i32 = 3;

const INSERT: &str = "\
INSERT INTO events (received_at, event_id, alert_id, incident_id, outcome, detail, payload)
SELECT * FROM UNNEST($1, $2, $3, $4, $5, $6, $7)";

/// Keeps what was decided.
pub(crate) async fn decisions_insert_in_txn(
    connection: &mut AsyncPgConnection,
    decisions: &[Decision],
) -> Result<(), StoreError> {
    if decisions.is_empty() {
        return Ok(());
    }
    let payload = |decision: &Decision| {
        let event = decision.event.as_ref().map(serde_json::to_string).transpose();
        event.map_err(|source| StoreError::Json { column: "events.payload", source })
    };
    let payloads = decisions.iter().map(payload).collect::<Result<Vec<_>, _>>()?;
    Statement::numbered(INSERT)
        .bind::<Array<Timestamptz>, _>(decisions.iter().map(|d| d.received_at).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(decisions.iter().map(|d| d.event_id.as_uuid()).collect::<Vec<Uuid>>())
        .bind::<Array<Nullable<SqlUuid>>, _>(
            decisions.iter().map(|d| d.alert_id.map(AlertId::as_uuid)).collect::<Vec<Option<Uuid>>>(),
        )
        .bind::<Array<Nullable<SqlUuid>>, _>(
            decisions.iter().map(|d| d.incident_id.map(IncidentId::as_uuid)).collect::<Vec<Option<Uuid>>>(),
        )
        .bind::<Array<Text>, _>(decisions.iter().map(|d| d.outcome.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(decisions.iter().map(detail).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(payloads)
        .execute(connection)
        .await?;
    Ok(())
}

/// What there is to say beside the outcome; nothing for a sign of life, which is the bulk.
fn detail(decision: &Decision) -> Option<String> {
    let Decision { routes, group_key, suppressed_by, notices, .. } = decision;
    if routes.is_empty() && group_key.is_none() && suppressed_by.is_none() && notices.is_empty() {
        return None;
    }
    let notice = |notice: &NoticeDecision| json!({"kind": notice.kind.as_str(), "receiver": notice.receiver, "withheld": notice.withheld});
    let notices: Vec<_> = notices.iter().map(notice).collect();
    let detail = json!({"routes": routes, "group_key": group_key, "suppressed_by": suppressed_by, "notices": notices});
    Some(detail.to_string())
}

/// Only alerts that are known: a delivery that was applied has made them.
const INSERT_REPEATED: &str = "\
INSERT INTO events (received_at, event_id, alert_id, incident_id, outcome)
SELECT new.received_at, new.event_id, alerts.id, alerts.incident_id, $5
FROM UNNEST($1, $2, $3, $4) AS new (received_at, event_id, integration, fingerprint)
JOIN alerts USING (integration, fingerprint)";

/// Notes of each alert that deliveries of it came again.
pub(crate) async fn repeats_insert_in_txn(
    connection: &mut AsyncPgConnection,
    repeated: &[&Envelope],
) -> Result<(), StoreError> {
    if repeated.is_empty() {
        return Ok(());
    }
    let events = || repeated.iter().flat_map(|delivery| delivery.alerts.iter().map(move |event| (*delivery, event)));
    Statement::numbered(INSERT_REPEATED)
        .bind::<Array<Timestamptz>, _>(events().map(|(delivery, _)| delivery.received_at).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(events().map(|(delivery, _)| delivery.id.as_uuid()).collect::<Vec<Uuid>>())
        .bind::<Array<Text>, _>(events().map(|(delivery, _)| delivery.integration.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(events().map(|(_, event)| event.fingerprint.as_str()).collect::<Vec<_>>())
        .bind::<Text, _>(Outcome::Repeated.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// One decision, as it was kept.
#[derive(Debug, Clone, PartialEq, QueryableByName)]
#[expect(missing_docs, reason = "the columns of the table")]
pub struct DecisionRecord {
    #[diesel(sql_type = Timestamptz)]
    pub applied_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    pub received_at: DateTime<Utc>,
    #[diesel(sql_type = SqlUuid)]
    pub event_id: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub alert_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub incident_id: Option<Uuid>,
    #[diesel(sql_type = Text)]
    pub outcome: String,
    /// `routes`, `group_key`, `suppressed_by`, and `notices` with `kind`, `receiver` and why it was `withheld`.
    #[diesel(sql_type = Nullable<Json>)]
    pub detail: Option<serde_json::Value>,
    /// The event in normal form, unless it says just what was known.
    #[diesel(sql_type = Nullable<Json>)]
    pub payload: Option<serde_json::Value>,
}

/// The columns as they are shown.
macro_rules! shown {
    () => {
        "applied_at, received_at, event_id, alert_id, incident_id, outcome, detail::json AS detail, \
         payload::json AS payload"
    };
}

const OF_ALERT: &str = concat!(
    "SELECT ",
    shown!(),
    " FROM events WHERE alert_id = $1 ORDER BY applied_at DESC, received_at DESC LIMIT $2"
);

const OF_INCIDENT: &str = concat!(
    "SELECT ",
    shown!(),
    " FROM (
    SELECT events.* FROM incident_alerts JOIN events USING (alert_id)
    WHERE incident_alerts.incident_id = $1 AND events.incident_id = $1
    UNION ALL
    SELECT * FROM events WHERE incident_id = $1 AND alert_id IS NULL) AS decisions
ORDER BY applied_at DESC, received_at DESC LIMIT $2"
);

const KEEP: &str = "SELECT made, dropped FROM events_keep($1, $2)";

#[derive(QueryableByName)]
struct Partition {
    #[diesel(sql_type = Nullable<Text>)]
    made: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    dropped: Option<String>,
}

impl Store {
    /// The newest 250 decisions about an alert's events, newest first.
    pub async fn alert_explain(&self, alert: AlertId) -> Result<Vec<DecisionRecord>, StoreError> {
        self.explain(OF_ALERT, alert.as_uuid()).await
    }

    /// The newest 250 decisions about an incident and its alerts while they belonged to it, newest first.
    pub async fn incident_explain(&self, incident: IncidentId) -> Result<Vec<DecisionRecord>, StoreError> {
        self.explain(OF_INCIDENT, incident.as_uuid()).await
    }

    async fn explain(&self, query: &'static str, id: Uuid) -> Result<Vec<DecisionRecord>, StoreError> {
        self.run(Operation::Explain, |connection| {
            async move {
                let query = Statement::numbered(query).bind::<SqlUuid, _>(id).bind::<BigInt, _>(MAX_DECISIONS);
                Ok(query.load(connection).await?)
            }
            .scope_boxed()
        })
        .await
    }

    /// Makes the history's partitions for the days to come, and drops those that are older than `keep`, in whole days.
    pub async fn events_keep(&self, keep: Duration) -> Result<(), StoreError> {
        let days = i32::try_from(keep.as_secs() / 86_400).unwrap_or(i32::MAX).max(1);
        self.run(Operation::EventsKeep, |connection| {
            async move {
                let query = Statement::numbered(KEEP).bind::<Integer, _>(DAYS_AHEAD).bind::<Integer, _>(days);
                let partitions: Vec<Partition> = query.load(connection).await?;
                for Partition { made, dropped } in partitions {
                    tracing::info!(made, dropped, "a day of the history");
                }
                Ok(())
            }
            .scope_boxed()
        })
        .await
    }
}
