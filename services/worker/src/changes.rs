//! Tells the apis what has changed, right after each commit and beside everything else: nobody waits for it.
//!
//! What a crash leads to: what was committed and not told yet, those who watch find in Postgres within seconds (see the api).
//! While Redis is away it is the same, and the first entry afterwards says that there is a gap.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tocsin_bus::{Change, Publisher};
use tocsin_store::{Changed, Store};
use tokio::sync::mpsc;

/// Most transactions whose changes wait to be told; those beyond are a gap.
const MAX_WAITING: usize = 1_024;

/// The same store, whose changes are told from now on. Must be called on a tokio runtime.
pub(crate) fn tell(store: Store, publisher: Publisher) -> Store {
    let (sender, receiver) = mpsc::channel(MAX_WAITING);
    let gap = Arc::new(AtomicBool::new(false));
    tokio::spawn(publish(receiver, publisher, Arc::clone(&gap)));
    store.observed(move |changed| {
        if sender.try_send(changed).is_err() {
            gap.store(true, Ordering::Relaxed);
        }
    })
}

/// Ends when nobody is left who could change anything.
async fn publish(mut changes: mpsc::Receiver<Changed>, publisher: Publisher, gap: Arc<AtomicBool>) {
    while let Some(mut changed) = changes.recv().await {
        // What has come meanwhile goes along: under load there are few entries with many ids.
        while let Ok(more) = changes.try_recv() {
            changed.merge(more);
        }
        let Changed { incidents, silences, dead_letters } = changed;
        let change = Change {
            incidents: incidents.into_iter().collect(),
            silences: silences.into_iter().collect(),
            dead_letters,
            gap: gap.swap(false, Ordering::Relaxed),
        };
        for entry in change.in_entries() {
            if let Err(error) = publisher.changed(&entry).await {
                tracing::debug!(%error, "could not tell of changes; those who watch look by themselves");
                gap.store(true, Ordering::Relaxed);
                break;
            }
        }
    }
}
