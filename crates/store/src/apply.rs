//! Applying a batch of deliveries: one transaction, a constant number of statements.
//!
//! **Exactly once.** The transaction that changes the state also records the delivery's event id; a delivery whose id is
//! there already is skipped. So a batch may be cut, repeated or handed to another worker at any point.
//!
//! **No deadlock.** Locks are taken in one order: event ids, alerts, incidents, and by key within each. Rows that do not
//! exist yet cannot be locked; if another worker has made one in the meantime, the whole transaction is rolled back and
//! repeated ([`StoreError::Raced`]), and then finds it.

use std::collections::BTreeSet;

use diesel_async::{AsyncConnection as _, AsyncPgConnection};
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::board::{AlertKey, Board};
use tocsin_shared::routing::Route;
use tocsin_shared::{AlertStatus, Envelope, IncidentId};

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
        self.run(Operation::BatchApply, |connection| {
            async move {
                connection.transaction(async |connection| apply_in_txn(connection, deliveries, dead, route).await).await
            }
            .scope_boxed()
        })
        .await
    }
}

async fn apply_in_txn(
    connection: &mut AsyncPgConnection,
    deliveries: &[Envelope],
    dead: &[DeadLetter],
    route: &Route,
) -> Result<Applied, StoreError> {
    dead_letters_insert_in_txn(connection, dead).await?;
    let mut unseen = event_ids_claim_in_txn(connection, deliveries).await?;
    // Of two copies in one batch the first is applied.
    let fresh: Vec<&Envelope> = deliveries.iter().filter(|delivery| unseen.remove(&delivery.id)).collect();
    let repeated = deliveries.len() - fresh.len();
    if fresh.is_empty() {
        return Ok(Applied { repeated, ..Applied::default() });
    }

    let mut board = board_load_in_txn(connection, &fresh, route).await?;
    for delivery in &fresh {
        board.apply(delivery, route);
    }
    let changes = board.into_changes();
    // Updates first: one may end the incident whose place in its group a new one takes.
    incidents_update_in_txn(connection, &changes.updated).await?;
    incidents_insert_in_txn(connection, &changes.opened).await?;
    alerts_write_in_txn(connection, &changes.alerts).await?;
    incident_alerts_insert_in_txn(connection, &changes.memberships).await?;
    timeline_insert_in_txn(connection, &changes.timeline).await?;
    notices_insert_in_txn(connection, &changes.notices).await?;
    Ok(Applied { fresh: fresh.len(), repeated, opened: changes.opened.len(), notices: changes.notices.len() })
}

/// Loads and locks the alerts that the deliveries name, and the open incidents that these are in or may join.
async fn board_load_in_txn(
    connection: &mut AsyncPgConnection,
    fresh: &[&Envelope],
    route: &Route,
) -> Result<Board, StoreError> {
    let mut keys = BTreeSet::new();
    let mut group_keys = BTreeSet::new();
    for delivery in fresh {
        for event in &delivery.alerts {
            keys.insert(AlertKey { integration: delivery.integration.clone(), fingerprint: event.fingerprint.clone() });
            if event.status == AlertStatus::Firing {
                group_keys.insert(route.group_key(&event.labels));
            }
        }
    }
    let alerts = alerts_lock_in_txn(connection, &Vec::from_iter(keys)).await?;
    let incident_ids: BTreeSet<_> = alerts.iter().filter_map(|alert| alert.incident_id).collect();
    let incident_ids = incident_ids.into_iter().map(IncidentId::as_uuid).collect();
    let incidents = incidents_lock_in_txn(connection, incident_ids, group_keys.into_iter().collect()).await?;
    Ok(Board::new(alerts, incidents))
}
