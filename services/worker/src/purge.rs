//! Forgetting the ids of events that were applied long ago, so that their table does not grow for ever.
//!
//! An id is needed for as long as its event can come again: 24 hours by the promise to senders, and for as long as an entry
//! may be redelivered by the stream. Any number of workers may purge at once; a crash leaves something for the next round.

use std::time::Duration;

use tocsin_service::shutdown::Shutdown;
use tocsin_store::Store;

use crate::backoff::pause;
use crate::metrics;

/// Time between two rounds.
const INTERVAL: Duration = Duration::from_mins(1);
/// Most ids that one transaction deletes: so few that nobody waits for it.
const BATCH_SIZE: usize = 1_000;
/// Most transactions of one round. With the two above, half a million ids a minute.
const MAX_BATCHES: usize = 500;

/// Purges until the shutdown begins.
pub(crate) async fn event_ids(store: Store, retention: Duration, shutdown: Shutdown) {
    while !shutdown.is_draining() {
        for _ in 0..MAX_BATCHES {
            match store.event_ids_purge(retention, BATCH_SIZE).await {
                Ok(purged) => {
                    metrics::purged(purged);
                    if purged < BATCH_SIZE || shutdown.is_draining() {
                        break;
                    }
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot purge event ids");
                    break;
                }
            }
        }
        pause(INTERVAL, &shutdown).await;
    }
}
