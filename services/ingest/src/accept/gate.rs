//! Which of the two durable paths is open, and how much waits on each.
//!
//! A circuit breaker for Redis: the first commit that fails closes the way to it, and what follows goes to the inbox
//! without asking; [`watch`] tries by itself, with a write that does no harm, and opens the way when that succeeds. So no
//! request is spent on finding out, and a Redis that hangs costs the requests of one commit timeout, once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tocsin_bus::{BusError, EventLog};
use tocsin_store::Store;
use tokio::sync::Notify;

use crate::metrics::{self, Path};

/// Wait between two tries while Redis cannot be used.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);
/// How often the stream's length is asked for.
const STREAM_INTERVAL: Duration = Duration::from_millis(200);
/// How often the inbox's is.
const INBOX_INTERVAL: Duration = Duration::from_millis(500);

/// What is known of the paths. Shared by all threads of the process.
#[derive(Debug)]
pub(crate) struct Gate {
    redis_usable: AtomicBool,
    redis_failed: Notify,
    redis_opened: Notify,
    backlog: [AtomicU64; 2],
    high_water: u64,
}

impl Gate {
    /// With the way to Redis closed until the first probe. Past `high_water` unapplied deliveries a path takes no more.
    pub(crate) fn new(high_water: u64) -> Self {
        Self {
            redis_usable: AtomicBool::new(false),
            redis_failed: Notify::new(),
            redis_opened: Notify::new(),
            backlog: Default::default(),
            high_water,
        }
    }

    pub(crate) fn redis_is_usable(&self) -> bool {
        self.redis_usable.load(Ordering::Relaxed)
    }

    /// Waits until the way to Redis is open, or so long.
    pub(crate) async fn redis_usable_within(&self, most: Duration) {
        let opened = self.redis_opened.notified();
        tokio::pin!(opened);
        // What opens from here on is heard.
        opened.as_mut().enable();
        if !self.redis_is_usable() {
            let _ = tokio::time::timeout(most, opened).await;
        }
    }

    /// Opens the way to Redis.
    fn redis_is_back(&self) {
        if !self.redis_usable.swap(true, Ordering::Relaxed) {
            tracing::info!("Redis takes deliveries");
            metrics::redis_usable(true);
            self.redis_opened.notify_waiters();
        }
    }

    /// Closes the way to Redis until the next successful probe.
    pub(crate) fn redis_has_failed(&self) {
        if self.redis_usable.swap(false, Ordering::Relaxed) {
            tracing::warn!("Redis does not take deliveries; they go to the inbox");
            metrics::redis_usable(false);
            self.redis_failed.notify_one();
        }
    }

    /// Counts what was accepted since the backlog was last asked for, and says whether `path` may take it.
    pub(crate) fn has_room(&self, path: Path, deliveries: u64) -> bool {
        let backlog = &self.backlog[path as usize];
        backlog.load(Ordering::Relaxed) < self.high_water && {
            backlog.fetch_add(deliveries, Ordering::Relaxed);
            true
        }
    }

    /// Takes back what [`Gate::has_room`] has counted: the store refused it.
    pub(crate) fn not_taken(&self, path: Path, deliveries: u64) {
        let less = |backlog: u64| Some(backlog.saturating_sub(deliveries));
        let _ = self.backlog[path as usize].fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    fn set_backlog(&self, path: Path, deliveries: u64) {
        self.backlog[path as usize].store(deliveries, Ordering::Relaxed);
        metrics::backlog(path, deliveries);
    }
}

/// Watches both paths, for as long as it is polled.
pub(crate) async fn watch(gate: &Gate, log: &EventLog, store: &Store) {
    tokio::join!(watch_stream(gate, log), watch_inbox(gate, store));
}

async fn watch_stream(gate: &Gate, log: &EventLog) {
    // Why Redis cannot be used is told when it changes, not ten times a second.
    let mut told = String::new();
    loop {
        match try_stream(gate, log).await {
            Ok(()) => {
                told.clear();
                gate.redis_is_back();
                // Until it is time to look again, or a request finds it failing.
                let _ = tokio::time::timeout(STREAM_INTERVAL, gate.redis_failed.notified()).await;
            }
            Err(error) => {
                gate.redis_has_failed();
                let reason = tocsin_service::with_causes(&error);
                if reason != told {
                    tracing::warn!(reason, "Redis cannot be used");
                    told = reason;
                }
                tokio::time::sleep(PROBE_INTERVAL).await;
            }
        }
    }
}

/// Asks a usable Redis for the backlog only, another whether it is usable again.
async fn try_stream(gate: &Gate, log: &EventLog) -> Result<(), BusError> {
    if !gate.redis_is_usable() {
        log.probe().await?;
    }
    gate.set_backlog(Path::Stream, log.backlog().await?);
    Ok(())
}

async fn watch_inbox(gate: &Gate, store: &Store) {
    loop {
        match store.inbox_backlog().await {
            Ok(backlog) => gate.set_backlog(Path::Inbox, backlog),
            Err(error) => tracing::debug!(%error, "cannot ask for the length of the inbox"),
        }
        tokio::time::sleep(INBOX_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_for_redis_goes_on_when_it_is_usable() {
        let gate = Gate::new(10);
        let mut waiting = Box::pin(gate.redis_usable_within(Duration::from_mins(1)));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        gate.redis_is_back();
        assert!(futures_util::poll!(&mut waiting).is_ready());
        assert!(futures_util::poll!(Box::pin(gate.redis_usable_within(Duration::from_mins(1)))).is_ready());
    }

    #[test]
    fn a_path_is_closed_at_the_high_water_mark_and_open_again_below_it() {
        let gate = Gate::new(10);
        gate.set_backlog(Path::Stream, 8);
        assert!(gate.has_room(Path::Stream, 1));
        assert!(gate.has_room(Path::Stream, 1), "what is accepted counts before it is asked for");
        assert!(!gate.has_room(Path::Stream, 1));
        assert!(gate.has_room(Path::Inbox, 1), "each path has a mark of its own");
        gate.set_backlog(Path::Stream, 9);
        assert!(gate.has_room(Path::Stream, 1));
        gate.not_taken(Path::Stream, 1);
        assert!(gate.has_room(Path::Stream, 1), "what was refused does not count");
        gate.not_taken(Path::Stream, 100);
        assert!(gate.has_room(Path::Stream, 9));
    }
}
