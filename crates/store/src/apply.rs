//! Applying a batch of deliveries: one transaction, a constant number of statements.
//!
//! **Exactly once.** The transaction that changes the state also records the delivery's event id; a delivery whose id is
//! there already is skipped. So a batch may be cut, repeated or handed to another worker at any point.
//!
//! **No deadlock.** Locks are taken in one order: event ids, alerts, incidents, and by key within each. Rows that do not
//! exist yet cannot be locked, so making alerts or incidents takes a right that one transaction at a time has. A batch asks
//! for it when it finds that it must make some, without waiting, since it holds locks by then. If another has it, or has made
//! the same rows in the meantime, the transaction is rolled back ([`StoreError::Raced`]) and repeated with the right from its
//! beginning, where waiting for it is safe: that one cannot be raced. Batches that make nothing run beside all others.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::sql_types::{BigInt, Bool};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use scoped_futures::{ScopedBoxFuture, ScopedFutureExt as _};
use tocsin_shared::board::{AlertKey, Board};
use tocsin_shared::routing::Route;
use tocsin_shared::{AlertStatus, Envelope, Fingerprint, IncidentId};

use crate::alert::{alerts_lock_in_txn, alerts_write_in_txn};
use crate::dead_letter::dead_letters_insert_in_txn;
use crate::event_id::event_ids_claim_in_txn;
use crate::incident::{
    incident_alerts_insert_in_txn, incidents_insert_in_txn, incidents_lock_in_txn, incidents_update_in_txn,
};
use crate::ledger::notices_insert_in_txn;
use crate::timeline::timeline_insert_in_txn;
use crate::{DeadLetter, Operation, Store, StoreError};

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// Deliveries that changed the state.
    pub fresh: usize,
    /// Deliveries that had been applied before.
    pub repeated: usize,
    /// Incidents that were opened.
    pub opened: usize,
    /// Ledger rows that were written.
    pub notices: usize,
}

impl std::ops::AddAssign for Applied {
    fn add_assign(&mut self, other: Self) {
        self.fresh += other.fresh;
        self.repeated += other.repeated;
        self.opened += other.opened;
        self.notices += other.notices;
    }
}

impl Store {
    /// Applies every delivery that was not applied before, and keeps the dead letters. When it returns `Ok`, all of it is
    /// durable; after an error nothing is, or (if the connection was lost while committing) all of it.
    pub async fn batch_apply(
        &self,
        deliveries: &[Envelope],
        dead: &[DeadLetter],
        route: &Route,
    ) -> Result<Applied, StoreError> {
        self.run_applying(Operation::BatchApply, |connection| {
            async move { apply_in_txn(connection, deliveries, dead, route).await }.scope_boxed()
        })
        .await
    }

    /// Does `work`, which applies deliveries, in one transaction; repeats it with the right to make alerts and incidents once
    /// it was raced.
    pub(crate) async fn run_applying<'a, T>(
        &self,
        operation: Operation,
        work: impl for<'c> Fn(&'c mut AsyncPgConnection) -> ScopedBoxFuture<'a, 'c, Result<T, StoreError>> + Send + Sync,
    ) -> Result<T, StoreError>
    where
        T: Send,
    {
        let raced = AtomicBool::new(false);
        let (raced, work) = (&raced, &work);
        self.run(operation, |connection| {
            async move {
                let may_make = raced.load(Ordering::Relaxed);
                let in_txn = async |connection: &mut AsyncPgConnection| {
                    if may_make {
                        maker_wait_in_txn(connection).await?;
                    }
                    work(connection).await
                };
                let done = connection.transaction(in_txn).await;
                raced.fetch_or(matches!(done, Err(StoreError::Raced)), Ordering::Relaxed);
                done
            }
            .scope_boxed()
        })
        .await
    }
}

/// Applies deliveries in the caller's transaction, which [`Store::run_applying`] began.
pub(crate) async fn apply_in_txn(
    connection: &mut AsyncPgConnection,
    deliveries: &[Envelope],
    dead: &[DeadLetter],
    route: &Route,
) -> Result<Applied, StoreError> {
    dead_letters_insert_in_txn(connection, dead).await?;
    let mut unseen = event_ids_claim_in_txn(connection, deliveries).await?;
    crate::AbortPoint::Begin.reached();
    // Of two copies in one batch the first is applied.
    let fresh: Vec<&Envelope> = deliveries.iter().filter(|delivery| unseen.remove(&delivery.id)).collect();
    let repeated = deliveries.len() - fresh.len();
    if fresh.is_empty() {
        write_something_in_txn(connection).await?;
        return Ok(Applied { repeated, ..Applied::default() });
    }

    let (mut board, makes_alerts) = board_load_in_txn(connection, &fresh, route).await?;
    for delivery in &fresh {
        board.apply(delivery, route);
    }
    let changes = board.into_changes();
    if (makes_alerts || !changes.opened.is_empty()) && !maker_try_in_txn(connection).await? {
        return Err(StoreError::Raced);
    }
    // Updates first: one may end the incident whose place in its group a new one takes.
    incidents_update_in_txn(connection, &changes.updated).await?;
    incidents_insert_in_txn(connection, &changes.opened).await?;
    alerts_write_in_txn(connection, &changes.alerts).await?;
    incident_alerts_insert_in_txn(connection, &changes.memberships).await?;
    timeline_insert_in_txn(connection, &changes.timeline).await?;
    notices_insert_in_txn(connection, &changes.notices).await?;
    crate::AbortPoint::Write.reached();
    Ok(Applied { fresh: fresh.len(), repeated, opened: changes.opened.len(), notices: changes.notices.len() })
}

/// Writes a record into Postgres' log and nothing into any table. A transaction that writes nothing does not wait for the
/// standby, and what it found to be applied already may be of one that was lost while it waited.
async fn write_something_in_txn(connection: &mut AsyncPgConnection) -> Result<(), StoreError> {
    connection.batch_execute("SELECT pg_logical_emit_message(true, 'tocsin', '')").await?;
    Ok(())
}

/// Loads and locks the alerts that the deliveries tell of or acknowledge, and the open incidents that these are in or may
/// join. Says whether some of those told of do not exist yet.
async fn board_load_in_txn(
    connection: &mut AsyncPgConnection,
    fresh: &[&Envelope],
    route: &Route,
) -> Result<(Board, bool), StoreError> {
    let mut told_of = BTreeSet::new();
    let mut acknowledged = BTreeSet::new();
    let mut group_keys = BTreeSet::new();
    for delivery in fresh {
        let key = |fingerprint: &Fingerprint| AlertKey {
            integration: delivery.integration.clone(),
            fingerprint: fingerprint.clone(),
        };
        for event in &delivery.alerts {
            told_of.insert(key(&event.fingerprint));
            if event.status == AlertStatus::Firing {
                group_keys.insert(route.group_key(&event.labels));
            }
        }
        acknowledged.extend(delivery.acknowledged.iter().map(key));
    }
    let keys: Vec<AlertKey> = told_of.union(&acknowledged).cloned().collect();
    let alerts = alerts_lock_in_txn(connection, &keys).await?;
    let known = alerts.iter().filter(|alert| told_of.contains(&alert.key)).count();
    let makes_alerts = known < told_of.len();
    let incident_ids: BTreeSet<_> = alerts.iter().filter_map(|alert| alert.incident_id).collect();
    let incident_ids = incident_ids.into_iter().map(IncidentId::as_uuid).collect();
    let incidents = incidents_lock_in_txn(connection, incident_ids, group_keys.into_iter().collect()).await?;
    Ok((Board::new(alerts, incidents), makes_alerts))
}

/// The advisory lock that is the right to make alerts and incidents: "apply" in ASCII.
const MAKER: i64 = 0x61_7070_6c79;

/// Waits for the right to make alerts and incidents, which ends with the transaction. Safe while it holds no lock.
async fn maker_wait_in_txn(connection: &mut AsyncPgConnection) -> Result<(), StoreError> {
    connection.batch_execute(&format!("SELECT pg_advisory_xact_lock({MAKER})")).await?;
    Ok(())
}

/// Takes the right to make alerts and incidents if nobody else has it. Says whether this transaction has it now.
async fn maker_try_in_txn(connection: &mut AsyncPgConnection) -> Result<bool, StoreError> {
    let lock = diesel::select(diesel::dsl::sql::<Bool>("pg_try_advisory_xact_lock(").bind::<BigInt, _>(MAKER).sql(")"));
    Ok(lock.get_result(connection).await?)
}
