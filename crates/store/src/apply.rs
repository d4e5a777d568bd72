//! Applying a batch of deliveries: one transaction, a constant number of statements.
//!
//! **Exactly once.** The transaction that changes the state also records the delivery's event id; a delivery whose id is
//! there already is skipped. So a batch may be cut, repeated or handed to another worker at any point.
//!
//! **No deadlock.** Locks are taken in one order: silences, event ids, alerts, incidents, and by key within each. Rows that
//! do not exist yet cannot be locked, so making alerts or incidents takes a right that one transaction at a time has; so does
//! opening an incident again, which takes the place of its group. A batch asks for it when it finds that it must make some,
//! without waiting, since it holds locks by then. If another has it, or has made the same rows in the meantime, the
//! transaction is rolled back ([`StoreError::Raced`]) and repeated with the right from its beginning, where waiting for it is
//! safe: that one cannot be raced. Batches that make nothing run beside all others.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::sql_types::{BigInt, Bool};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use scoped_futures::{ScopedBoxFuture, ScopedFutureExt as _};
use tocsin_shared::board::{Board, Changes};
use tocsin_shared::policy::Policy;
use tocsin_shared::{Envelope, IncidentId};

use crate::alert::{alerts_hear_in_txn, alerts_write_in_txn};
use crate::changed;
use crate::dead_letter::dead_letters_insert_in_txn;
use crate::event::{decisions_insert_in_txn, repeats_insert_in_txn};
use crate::event_id::event_ids_claim_in_txn;
use crate::incident::{incident_alerts_insert_in_txn, incidents_insert_in_txn, incidents_update_in_txn};
use crate::ledger::notices_insert_in_txn;
use crate::load::load_in_txn;
use crate::silence::silences_read_in_txn;
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
        policy: &Policy,
    ) -> Result<Applied, StoreError> {
        self.run_applying(Operation::BatchApply, |connection| {
            async move { apply_in_txn(connection, deliveries, dead, policy).await }.scope_boxed()
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
                let done = changed::noting(connection.transaction(in_txn)).await;
                raced.fetch_or(matches!(done, Err(StoreError::Raced)), Ordering::Relaxed);
                let (done, changed) = done?;
                self.observer.tell(changed);
                Ok(done)
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
    policy: &Policy,
) -> Result<Applied, StoreError> {
    dead_letters_insert_in_txn(connection, dead).await?;
    if deliveries.is_empty() {
        write_something_in_txn(connection).await?;
        return Ok(Applied::default());
    }
    let silences = silences_read_in_txn(connection).await?;
    let mut unseen = event_ids_claim_in_txn(connection, deliveries).await?;
    crate::AbortPoint::Begin.reached();
    // Of two copies in one batch the first is applied.
    let (fresh, repeated): (Vec<&Envelope>, Vec<&Envelope>) =
        deliveries.iter().partition(|delivery| unseen.remove(&delivery.id));
    let mut applied = Applied { fresh: fresh.len(), repeated: repeated.len(), ..Applied::default() };
    if fresh.is_empty() {
        repeats_insert_in_txn(connection, &repeated).await?;
        write_something_in_txn(connection).await?;
        return Ok(applied);
    }
    let (loaded, makes_alerts) = load_in_txn(connection, &fresh, policy).await?;
    let mut board = Board::new(policy, &silences, loaded);
    for delivery in &fresh {
        board.apply(delivery);
    }
    let written = changes_write_in_txn(connection, board.into_changes(), makes_alerts).await?;
    repeats_insert_in_txn(connection, &repeated).await?;
    crate::AbortPoint::Write.reached();
    (applied.opened, applied.notices) = (written.opened, written.notices);
    Ok(applied)
}

/// What a board's changes came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Written {
    /// Incidents that were opened.
    pub(crate) opened: usize,
    /// Ledger rows that are to be sent.
    pub(crate) notices: usize,
}

/// Writes what a board has changed.
///
/// # Errors
/// [`StoreError::Raced`] where it makes rows and the transaction has not the right to, or misses alerts.
pub(crate) async fn changes_write_in_txn(
    connection: &mut AsyncPgConnection,
    changes: Changes,
    makes_alerts: bool,
) -> Result<Written, StoreError> {
    let makes = makes_alerts || changes.reopens || !changes.opened.is_empty();
    if changes.misses_members || (makes && !maker_try_in_txn(connection).await?) {
        return Err(StoreError::Raced);
    }
    // Updates first: one may end the incident whose place in its group a new one takes.
    incidents_update_in_txn(connection, &changes.updated).await?;
    changed::note(|noted| {
        noted.incidents.extend(changes.updated.iter().chain(&changes.opened).map(|incident| incident.id));
    });
    incidents_insert_in_txn(connection, &changes.opened).await?;
    alerts_write_in_txn(connection, &changes.alerts).await?;
    alerts_hear_in_txn(connection, &changes.heard).await?;
    incident_alerts_insert_in_txn(connection, &changes.memberships).await?;
    timeline_insert_in_txn(connection, &changes.timeline).await?;
    let opened: HashSet<IncidentId> = changes.opened.iter().map(|incident| incident.id).collect();
    let told = notices_insert_in_txn(connection, changes.notices, &opened).await?;
    decisions_insert_in_txn(connection, &changes.decisions).await?;
    Ok(Written { opened: opened.len(), notices: told.written })
}

/// Writes a record into Postgres' log and nothing into any table. A transaction that writes nothing does not wait for the
/// standby, and what it found to be applied already may be of one that was lost while it waited.
pub(crate) async fn write_something_in_txn(connection: &mut AsyncPgConnection) -> Result<(), StoreError> {
    connection.batch_execute("SELECT pg_logical_emit_message(true, 'tocsin', '')").await?;
    Ok(())
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
