//! The consumer of the events stream, group `worker`.
//!
//! Per batch: read → apply and commit → wake a notifier → acknowledge. What a crash at each step leads to:
//! - after *read*: the entries stay pending and are taken over once they were idle for `reclaim_idle`;
//! - while *applying*: the transaction is rolled back; as above;
//! - after *commit*: the entries come again, their event ids are known, nothing is applied twice; a notifier finds the
//!   ledger's new rows within a second by itself;
//! - after *wake*: as after commit, and the notifier looks once more than needed;
//! - after *acknowledge*: nothing.
//!
//! Batches are applied one after the other, in the order of the stream: of two workers' batches either may be first, but what one
//! worker reads it applies in order, so that an alert that came and went meanwhile has had its incident. While there is a backlog,
//! the next batch is read and understood while one is applied. Without one, it is read when the one before is done, and holds what
//! has come in since: few large transactions delay nobody, and many small ones do.

use std::sync::Arc;
use std::time::Instant;

use tocsin_bus::{Batch, BusError, Publisher};
use tocsin_service::config::Reloading;
use tocsin_service::shutdown::Shutdown;
use tocsin_shared::Policy;
use tocsin_store::{AbortPoint, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::apply::{self, Contents};
use crate::backoff::Backoff;
use crate::intake::Intake;
use crate::metrics::{self, Path};
use crate::pace::Pace;

/// Batches that are read and not yet done, while there is a backlog: one that is applied, and the next.
const MAX_READ: u32 = 2;

pub(crate) struct Worker {
    pub(crate) intake: Intake,
    pub(crate) pace: Pace,
    pub(crate) publisher: Publisher,
    pub(crate) store: Store,
    pub(crate) policy: Reloading<Policy>,
    pub(crate) shutdown: Shutdown,
}

impl Worker {
    /// Consumes until the shutdown begins, and finishes what was read by then.
    pub(crate) async fn consume(self) {
        let Self { intake, pace, publisher, store, policy, shutdown } = self;
        let pace = Arc::new(pace);
        let (read, mut batches) = mpsc::channel(1);
        let reader = Reader { intake, pace: Arc::clone(&pace), shutdown: shutdown.clone() };
        let reading = tokio::spawn(reader.read(read));
        let applier = Applier { pace, publisher, store, policy, shutdown };
        while let Some((batch, contents, place)) = batches.recv().await {
            applier.handle(batch, contents).await;
            drop(place);
        }
        if let Err(error) = reading.await {
            tracing::error!(%error, "reading the events stream failed");
        }
    }
}

/// A batch, and its place among those that are read and not yet done.
type Read = (Batch, Contents, OwnedSemaphorePermit);

/// Reads and understands batches.
struct Reader {
    intake: Intake,
    pace: Arc<Pace>,
    shutdown: Shutdown,
}

impl Reader {
    async fn read(mut self, read: mpsc::Sender<Read>) {
        let places = Arc::new(Semaphore::new(MAX_READ as usize));
        let mut backoff = Backoff::new();
        // A full batch says that there is a backlog; otherwise the next one waits until all are done.
        let mut is_backlog = false;
        while let Ok(mut free) = Arc::clone(&places).acquire_many_owned(if is_backlog { 1 } else { MAX_READ }).await
            && !self.shutdown.is_draining()
        {
            let size = self.pace.size();
            match self.intake.next(size).await {
                Ok(batch) => {
                    backoff.reset();
                    is_backlog = batch.entries().len() >= size;
                    let Some(place) = free.split(1).filter(|_| !batch.entries().is_empty()) else {
                        continue;
                    };
                    drop(free);
                    let contents = Contents::of(batch.entries());
                    if read.send((batch, contents, place)).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    let retry = backoff.next;
                    tracing::warn!(error = &error as &dyn std::error::Error, ?retry, "cannot read the events stream");
                    backoff.pause(&self.shutdown).await;
                }
            }
        }
    }
}

/// Applies batches.
struct Applier {
    pace: Arc<Pace>,
    publisher: Publisher,
    store: Store,
    policy: Reloading<Policy>,
    shutdown: Shutdown,
}

impl Applier {
    /// Applies a batch and acknowledges it. While Postgres is away the batch is kept and tried again: the stream holds
    /// what follows. A shutdown gives it up unacknowledged, for another worker.
    async fn handle(&self, batch: Batch, contents: Contents) {
        AbortPoint::Read.reached();
        let started = Instant::now();
        let mut backoff = Backoff::new();
        let outcome = loop {
            match apply::apply(&self.store, batch.entries(), &contents, &self.policy.current()).await {
                Ok(outcome) => break outcome,
                Err(error) => {
                    let retry = backoff.next;
                    tracing::error!(error = &error as &dyn std::error::Error, ?retry, "cannot apply a batch");
                    if self.shutdown.is_draining() {
                        return;
                    }
                    backoff.pause(&self.shutdown).await;
                }
            }
        };
        AbortPoint::Commit.reached();
        let took = started.elapsed();
        self.pace.applied(batch.entries().len(), took);
        metrics::applied(Path::Stream, &outcome, batch.entries().len(), took);
        if outcome.applied.notices > 0
            && let Err(error) = self.publisher.wake_notifier().await
        {
            tracing::debug!(%error, "could not wake a notifier; it will look by itself");
        }
        AbortPoint::Wake.reached();
        if let Err(error) = batch.ack().await {
            log_lost_ack(&error);
        }
        AbortPoint::Ack.reached();
    }
}

fn log_lost_ack(error: &BusError) {
    tracing::warn!(error = error as &dyn std::error::Error, "could not acknowledge a batch; it will come again");
}
