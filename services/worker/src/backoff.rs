//! Waiting between attempts at something that fails.

use std::time::Duration;

use tocsin_service::shutdown::Shutdown;

/// First wait after a failure of Redis or Postgres; it doubles up to the maximum while failures follow each other. The maximum
/// is short: a failover takes a second or two, and what has come in meanwhile waits for us.
const MIN: Duration = Duration::from_millis(100);
const MAX: Duration = Duration::from_millis(400);

/// How long to wait after the next failure.
#[derive(Debug)]
pub(crate) struct Backoff {
    pub(crate) next: Duration,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { next: MIN }
    }

    /// Something succeeded.
    pub(crate) const fn reset(&mut self) {
        self.next = MIN;
    }

    /// Waits before the next attempt, unless the shutdown begins.
    pub(crate) async fn pause(&mut self, shutdown: &Shutdown) {
        pause(self.next, shutdown).await;
        self.next = (self.next * 2).min(MAX);
    }
}

/// Waits, unless the shutdown begins.
pub(crate) async fn pause(wait: Duration, shutdown: &Shutdown) {
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        () = shutdown.draining() => {}
    }
}
