//! Duties: what passes with time. Each is done by one worker at a time, and by another when that one dies: whoever does it
//! holds a lock of Postgres that ends with its transaction.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::IncidentId;
use tocsin_shared::board::{AlertKey, Board, Loaded};
use tocsin_shared::policy::Policy;
use tocsin_shared::routing::ResolvePolicy;
use uuid::Uuid;

use crate::alert::{Key, alerts_firing_in_txn, alerts_lock_in_txn, siblings_in_txn};
use crate::apply::changes_write_in_txn;
use crate::incident::incidents_lock_these_in_txn;
use crate::statement::Statement;
use crate::{Operation, Store, StoreError};

/// Most alerts, and most incidents, that one step of a duty takes on.
const MAX_ALERTS: i64 = 500;
const MAX_INCIDENTS: i64 = 100;
/// The first of the duties' advisory locks: "duty" in ASCII, and some.
const FIRST_LOCK: i64 = 0x6475_7479_0000;

/// A duty that one worker at a time does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    TimeOut = 1,
    Suppression = 2,
    Remind = 3,
    CalmDown = 4,
    Retention = 5,
    Escalate = 6,
    Fold = 7,
}

/// What a step of a duty came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DutyDone {
    /// Alerts or incidents that changed, or rows that were deleted.
    pub done: usize,
    /// Ledger rows that are to be sent.
    pub notices: usize,
    /// Whether there may be more to do.
    pub more: bool,
}

/// Takes a duty on, until the transaction ends, unless another worker has it.
pub(crate) async fn duty_try_in_txn(connection: &mut AsyncPgConnection, duty: Duty) -> Result<bool, StoreError> {
    let key = FIRST_LOCK + duty as i64;
    let lock = diesel::select(diesel::dsl::sql::<Bool>("pg_try_advisory_xact_lock(").bind::<BigInt, _>(key).sql(")"));
    Ok(lock.get_result(connection).await?)
}

const EXPIRED: &str = "\
SELECT integration, fingerprint FROM alerts WHERE status = 'firing' AND expires_at <= $1
ORDER BY integration, fingerprint LIMIT $2";

const TO_REMIND: &str = "\
SELECT id FROM incidents WHERE status = 'triggered' AND remind_at <= $1 ORDER BY remind_at LIMIT $2";

const TO_ESCALATE: &str = "\
SELECT id FROM incidents WHERE status = 'triggered' AND escalate_at <= $1 ORDER BY escalate_at LIMIT $2";

const FLAPPING: &str = "\
SELECT id FROM incidents
WHERE flapping_since IS NOT NULL AND coalesce(flaps[cardinality(flaps)], flapping_since) <= $1 ORDER BY id LIMIT $2";

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

impl Store {
    /// Resolves alerts that nobody has told of for as long as that may take, a step.
    pub async fn alerts_time_out(&self, policy: &Policy, now: DateTime<Utc>) -> Result<DutyDone, StoreError> {
        self.run_applying(Operation::AlertsTimeOut, |connection| {
            async move {
                if !duty_try_in_txn(connection, Duty::TimeOut).await? {
                    return Ok(DutyDone::default());
                }
                let keys: Vec<Key> = Statement::numbered(EXPIRED)
                    .bind::<Timestamptz, _>(now)
                    .bind::<BigInt, _>(MAX_ALERTS)
                    .load(connection)
                    .await?;
                let keys: Vec<AlertKey> = keys.into_iter().map(AlertKey::from).collect();
                if keys.is_empty() {
                    return Ok(DutyDone::default());
                }
                let more = i64::try_from(keys.len()) == Ok(MAX_ALERTS);
                let mut keys: BTreeSet<AlertKey> = keys.into_iter().collect();
                if policy.routing.uses(ResolvePolicy::Any) {
                    // One that resolves ends its incident, and with it all others of it that fire.
                    keys.append(&mut siblings_in_txn(connection, &keys).await?);
                }
                let alerts = alerts_lock_in_txn(connection, &keys.into_iter().collect::<Vec<_>>()).await?;
                let ids: Vec<IncidentId> = alerts.iter().filter_map(|alert| alert.incident_id).collect();
                let incidents = incidents_lock_these_in_txn(connection, &ids).await?;
                let mut board = Board::new(policy, &[], Loaded { alerts, incidents, inhibitors: Vec::new() });
                let done = board.time_out(now);
                let written = changes_write_in_txn(connection, board.into_changes(), false).await?;
                Ok(DutyDone { done, notices: written.notices, more })
            }
            .scope_boxed()
        })
        .await
    }

    /// Tells receivers again of incidents that nobody has taken for their `repeat_interval`, a step.
    pub async fn incidents_remind(&self, policy: &Policy, now: DateTime<Utc>) -> Result<DutyDone, StoreError> {
        self.incidents_due(Operation::IncidentsRemind, (Duty::Remind, TO_REMIND, now), policy, |board, ids| {
            board.remind(ids, now);
        })
        .await
    }

    /// Tells further receivers of incidents that nobody has taken in time, a step.
    pub async fn incidents_escalate(&self, policy: &Policy, now: DateTime<Utc>) -> Result<DutyDone, StoreError> {
        let due = (Duty::Escalate, TO_ESCALATE, now);
        self.incidents_due(Operation::IncidentsEscalate, due, policy, |board, ids| board.escalate(ids, now)).await
    }

    /// Ends the flapping of incidents that have been quiet for the time of their rule, a step.
    pub async fn incidents_calm_down(&self, policy: &Policy, now: DateTime<Utc>) -> Result<DutyDone, StoreError> {
        let shortest = policy.routing.routes().map(|route| route.flap.window).min().unwrap_or_default();
        let due = (Duty::CalmDown, FLAPPING, now - shortest);
        self.incidents_due(Operation::IncidentsCalmDown, due, policy, |board, ids| board.calm_down(ids, now)).await
    }

    /// Does something with the incidents that a query finds due.
    async fn incidents_due(
        &self,
        operation: Operation,
        (duty, query, before): (Duty, &'static str, DateTime<Utc>),
        policy: &Policy,
        act: impl Fn(&mut Board<'_>, &[IncidentId]) + Send + Sync,
    ) -> Result<DutyDone, StoreError> {
        let act = &act;
        self.run_applying(operation, |connection| {
            async move {
                if !duty_try_in_txn(connection, duty).await? {
                    return Ok(DutyDone::default());
                }
                let ids: Vec<Id> = Statement::numbered(query)
                    .bind::<Timestamptz, _>(before)
                    .bind::<BigInt, _>(MAX_INCIDENTS)
                    .load(connection)
                    .await?;
                if ids.is_empty() {
                    return Ok(DutyDone::default());
                }
                let ids: Vec<IncidentId> = ids.into_iter().map(|id| IncidentId::from_uuid(id.id)).collect();
                let keys = alerts_firing_in_txn(connection, &ids).await?;
                let alerts = alerts_lock_in_txn(connection, &keys).await?;
                let incidents = incidents_lock_these_in_txn(connection, &ids).await?;
                let mut board = Board::new(policy, &[], Loaded { alerts, incidents, inhibitors: Vec::new() });
                act(&mut board, &ids);
                let changes = board.into_changes();
                let done = changes.updated.len();
                let written = changes_write_in_txn(connection, changes, false).await?;
                let more = done > 0 && i64::try_from(ids.len()) == Ok(MAX_INCIDENTS);
                Ok(DutyDone { done, notices: written.notices, more })
            }
            .scope_boxed()
        })
        .await
    }
}
