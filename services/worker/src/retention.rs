//! Forgetting what is older than it is to be kept, so that no table grows for ever. Every worker looks each minute, and a
//! crash leaves something for the next look.
//!
//! An event id is needed for as long as its event can come again: 24 hours by the promise to senders, and for as long as an
//! entry may be redelivered by the stream. Several workers may purge event ids at once; the rest is a duty of one.

use std::time::Duration;

use tocsin_service::shutdown::Shutdown;
use tocsin_store::{Retention, Store, StoreError};

use crate::backoff::pause;
use crate::metrics;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_mins(1);
/// Most ids that one transaction deletes: so few that nobody waits for it.
const BATCH_SIZE: usize = 1_000;
/// Most transactions of each kind per look. With the two above, half a million ids a minute.
const MAX_BATCHES: usize = 500;

/// What is kept for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keep {
    /// The ids of events that were applied, and the commands.
    pub(crate) event_ids: Duration,
    /// The history of events and decisions, in whole days.
    pub(crate) events: Duration,
    /// What is over: incidents with all that belongs to them, alerts and silences.
    pub(crate) incidents: Duration,
}

/// Forgets until the shutdown begins.
pub(crate) async fn run(store: Store, keep: Keep, shutdown: Shutdown) {
    while !shutdown.is_draining() {
        if let Err(error) = look(&store, keep, &shutdown).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "what is old is kept for longer");
        }
        pause(INTERVAL, &shutdown).await;
    }
}

async fn look(store: &Store, keep: Keep, shutdown: &Shutdown) -> Result<(), StoreError> {
    // First: without a partition for tomorrow, tomorrow's history is in the way of its own partition.
    store.events_keep(keep.events).await?;
    for _ in 0..MAX_BATCHES {
        let purged = store.event_ids_purge(keep.event_ids, BATCH_SIZE).await?;
        metrics::purged(purged);
        if purged < BATCH_SIZE || shutdown.is_draining() {
            break;
        }
    }
    let retention = Retention { incidents: keep.incidents, commands: keep.event_ids };
    for _ in 0..MAX_BATCHES {
        let step = store.retention_step(retention).await?;
        metrics::forgotten(step.done);
        if !step.more || shutdown.is_draining() {
            break;
        }
    }
    Ok(())
}
