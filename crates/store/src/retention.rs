//! What is kept for how long. Everything here goes in small transactions, which nobody waits for, and touches nothing that
//! is open.

use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Double, Uuid as SqlUuid};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;
use uuid::Uuid;

use crate::duty::{Duty, DutyDone, duty_try_in_txn};
use crate::{Operation, Store, StoreError};

/// Most rows of one kind that one step deletes.
const MAX_ROWS: i64 = 200;

/// For how long what is over is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Incidents that are resolved or canceled, with all that belongs to them; alerts that are resolved, and silences.
    pub incidents: Duration,
    /// Responders' commands, by which one is recognised when it comes again.
    pub commands: Duration,
}

const OLD_INCIDENTS: &str = "\
SELECT id FROM incidents
WHERE status IN ('resolved', 'canceled') AND resolved_at < now() - make_interval(secs => $1)
ORDER BY resolved_at LIMIT $2";

/// In the order in which workers lock them.
const LOCK_ALERTS: &str = "\
SELECT id FROM alerts WHERE incident_id = ANY($1) ORDER BY integration, fingerprint FOR UPDATE";

/// An incident that is open again by now stays.
const LOCK_INCIDENTS: &str = "\
SELECT id FROM incidents WHERE id = ANY($1) AND status IN ('resolved', 'canceled') ORDER BY id FOR UPDATE";

/// What belongs to incidents, and then they, in the order that the foreign keys ask for.
const DELETE_INCIDENTS: [&str; 8] = [
    // So that no notifier records an attempt at one of them meanwhile.
    "SELECT id FROM notifications WHERE incident_id = ANY($1) ORDER BY id FOR UPDATE",
    "DELETE FROM deliveries USING notifications
     WHERE deliveries.notification_id = notifications.id AND notifications.incident_id = ANY($1)",
    "DELETE FROM notifications WHERE incident_id = ANY($1)",
    "DELETE FROM messages WHERE incident_id = ANY($1)",
    "DELETE FROM timeline WHERE incident_id = ANY($1)",
    "DELETE FROM incident_alerts WHERE incident_id = ANY($1)",
    "UPDATE alerts SET incident_id = NULL WHERE incident_id = ANY($1)",
    "DELETE FROM incidents WHERE id = ANY($1)",
];

/// An alert that belongs to an incident which is kept is kept with it.
const DELETE_ALERTS: &str = "\
DELETE FROM alerts WHERE id = ANY(ARRAY(
    SELECT id FROM alerts
    WHERE status = 'resolved' AND incident_id IS NULL AND last_seen_at < now() - make_interval(secs => $1)
    AND NOT EXISTS (SELECT FROM incident_alerts WHERE alert_id = alerts.id)
    LIMIT $2 FOR UPDATE SKIP LOCKED))";

const DELETE_SILENCES: &str = "\
DELETE FROM silences
WHERE NOT is_applied AND coalesce(deleted_at, ends_at) < now() - make_interval(secs => $1)";

const DELETE_COMMANDS: &str = "DELETE FROM commands WHERE applied_at < now() - make_interval(secs => $1)";

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

impl Store {
    /// Deletes what is older than it is to be kept, a step. Does nothing while another worker does it.
    pub async fn retention_step(&self, keep: Retention) -> Result<DutyDone, StoreError> {
        self.run(Operation::RetentionStep, |connection| {
            async move {
                connection
                    .transaction(async |connection| {
                        if !duty_try_in_txn(connection, Duty::Retention).await? {
                            return Ok(DutyDone::default());
                        }
                        step_in_txn(connection, keep).await
                    })
                    .await
            }
            .scope_boxed()
        })
        .await
    }
}

async fn step_in_txn(connection: &mut AsyncPgConnection, keep: Retention) -> Result<DutyDone, StoreError> {
    let old: Vec<Id> = diesel::sql_query(OLD_INCIDENTS)
        .bind::<Double, _>(keep.incidents.as_secs_f64())
        .bind::<BigInt, _>(MAX_ROWS)
        .load(connection)
        .await?;
    let found = old.len();
    let ids: Vec<Uuid> = old.into_iter().map(|row| row.id).collect();
    let mut done = 0;
    if !ids.is_empty() {
        let _alerts: Vec<Id> = diesel::sql_query(LOCK_ALERTS).bind::<Array<SqlUuid>, _>(&ids).load(connection).await?;
        let closed: Vec<Id> =
            diesel::sql_query(LOCK_INCIDENTS).bind::<Array<SqlUuid>, _>(&ids).load(connection).await?;
        let ids: Vec<Uuid> = closed.into_iter().map(|row| row.id).collect();
        for statement in DELETE_INCIDENTS {
            diesel::sql_query(statement).bind::<Array<SqlUuid>, _>(&ids).execute(connection).await?;
        }
        done = ids.len();
    }
    let alerts = diesel::sql_query(DELETE_ALERTS)
        .bind::<Double, _>(keep.incidents.as_secs_f64())
        .bind::<BigInt, _>(MAX_ROWS)
        .execute(connection)
        .await?;
    for (statement, keep) in [(DELETE_SILENCES, keep.incidents), (DELETE_COMMANDS, keep.commands)] {
        done += diesel::sql_query(statement).bind::<Double, _>(keep.as_secs_f64()).execute(connection).await?;
    }
    let is_full = |rows: usize| i64::try_from(rows) == Ok(MAX_ROWS);
    Ok(DutyDone { done: done + alerts, notices: 0, more: is_full(found) || is_full(alerts) })
}
