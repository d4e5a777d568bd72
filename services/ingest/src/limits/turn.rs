//! Whose turn it is to ask Redis for a key: one request at a time asks, for all that wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{Mutex, OwnedMutexGuard};

/// The turns of one key. Clones are of the same key.
#[derive(Debug, Clone, Default)]
pub(super) struct Turn(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    turn: Arc<Mutex<()>>,
    waiting: AtomicU32,
}

/// One request that waits; it does no more when this is dropped.
pub(super) struct Waiting<'a>(&'a AtomicU32);

impl Turn {
    pub(super) fn wait(&self) -> Waiting<'_> {
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(&self.0.waiting)
    }

    /// How many wait, who has the turn among them.
    pub(super) fn waiting(&self) -> u32 {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// The turn, in the order of asking for it.
    pub(super) async fn take(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.0.turn).lock_owned().await
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
