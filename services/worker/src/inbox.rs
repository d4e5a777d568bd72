//! The drain of the inbox in Postgres, where ingest puts deliveries while Redis is away. Needs no Redis.
//!
//! Per batch: take out, apply and commit, in one transaction → wake a notifier. What a crash at each step leads to:
//! - before the *commit*: rolled back; the rows are in the inbox, free for any worker;
//! - after the *commit*: the rows are gone and what they asked for is done; a notifier finds the ledger's new rows within a
//!   second by itself.
//!
//! A delivery may be in the inbox and in the stream: ingest did not learn whether Redis had it. Both carry the same event
//! id, so it acts once.

use std::time::{Duration, Instant};

use tocsin_bus::Publisher;
use tocsin_service::config::Reloading;
use tocsin_service::shutdown::Shutdown;
use tocsin_shared::Policy;
use tocsin_store::{InboxApplied, Store};
use tokio::task::JoinHandle;

use crate::apply::Outcome;
use crate::backoff::{Backoff, pause};
use crate::metrics::{self, Path};

/// Time between two looks at an empty inbox.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

pub(crate) struct Drain {
    pub(crate) store: Store,
    pub(crate) policy: Reloading<Policy>,
    pub(crate) batch_size: usize,
    pub(crate) waker: Waker,
    pub(crate) shutdown: Shutdown,
}

impl Drain {
    /// Drains until the shutdown begins.
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::new();
        while !self.shutdown.is_draining() {
            let started = Instant::now();
            match self.store.inbox_apply(self.batch_size, &self.policy.current()).await {
                Ok(InboxApplied { taken, applied, dead }) => {
                    backoff.reset();
                    if taken > 0 {
                        metrics::applied(Path::Inbox, &Outcome { applied, dead }, taken, started.elapsed());
                    }
                    if applied.notices > 0 {
                        self.waker.wake();
                    }
                    // A full batch says that there may be more.
                    if taken < self.batch_size {
                        pause(LOOK_INTERVAL, &self.shutdown).await;
                    }
                }
                Err(error) => {
                    let retry = backoff.next;
                    tracing::error!(error = &error as &dyn std::error::Error, ?retry, "cannot drain the inbox");
                    backoff.pause(&self.shutdown).await;
                }
            }
        }
    }
}

/// Wakes notifiers without waiting for it: while there is something in the inbox, Redis is likely to be away.
#[derive(Debug)]
pub(crate) struct Waker {
    publisher: Publisher,
    under_way: Option<JoinHandle<()>>,
}

impl Waker {
    pub(crate) const fn new(publisher: Publisher) -> Self {
        Self { publisher, under_way: None }
    }

    /// Wakes a notifier, unless one is just being woken. What that misses, the notifier finds by itself.
    pub(crate) fn wake(&mut self) {
        if self.under_way.as_ref().is_none_or(JoinHandle::is_finished) {
            let publisher = self.publisher.clone();
            self.under_way = Some(tokio::spawn(async move {
                if let Err(error) = publisher.wake_notifier().await {
                    tracing::debug!(%error, "could not wake a notifier; it will look by itself");
                }
            }));
        }
    }
}
