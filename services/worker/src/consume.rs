//! The consumer of the events stream, group `worker`.
//!
//! Per batch: read → apply and commit → wake a notifier → acknowledge. What a crash at each step leads to:
//! - after *read*: the entries stay pending until this worker is there again, or another takes them over once they were idle
//!   for `reclaim_idle`;
//! - while *applying*: the transaction is rolled back; as above;
//! - after *commit*: the entries come again, their event ids are known, nothing is applied twice; a notifier finds the
//!   ledger's new rows within a second by itself;
//! - after *wake*: as after commit, and the notifier looks once more than needed;
//! - after *acknowledge*: nothing.
//!
//! One batch at a time, in the order of the stream: a batch holds what has come in while the one before was applied, and a
//! crash leaves no more than one batch to be applied late.

use std::time::Instant;

use tocsin_bus::{Batch, Publisher};
use tocsin_service::config::Reloading;
use tocsin_service::shutdown::Shutdown;
use tocsin_shared::Policy;
use tocsin_store::{AbortPoint, Store};

use crate::apply::{self, Contents};
use crate::backoff::Backoff;
use crate::intake::Intake;
use crate::metrics::{self, Path};
use crate::pace::Pace;

pub(crate) struct Worker {
    pub(crate) intake: Intake,
    pub(crate) pace: Pace,
    pub(crate) publisher: Publisher,
    pub(crate) store: Store,
    pub(crate) policy: Reloading<Policy>,
    pub(crate) shutdown: Shutdown,
}

impl Worker {
    /// Consumes until the shutdown begins.
    pub(crate) async fn consume(mut self) {
        let mut backoff = Backoff::new();
        while !self.shutdown.is_draining() {
            tokio::time::sleep_until(self.pace.next().into()).await;
            match self.intake.next(self.pace.size()).await {
                Ok(batch) => {
                    backoff.reset();
                    if !batch.entries().is_empty() {
                        self.handle(batch).await;
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

    /// Applies a batch and acknowledges it. While Postgres is away the batch is kept and tried again: the stream holds
    /// what follows. A shutdown gives it up unacknowledged, for another worker.
    async fn handle(&mut self, batch: Batch) {
        AbortPoint::Read.reached();
        let started = Instant::now();
        let contents = Contents::of(batch.entries());
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
        self.pace.applied(batch.entries().len(), started, took);
        metrics::applied(Path::Stream, &outcome, batch.entries().len(), took);
        if outcome.applied.notices > 0
            && let Err(error) = self.publisher.wake_notifier().await
        {
            tracing::debug!(%error, "could not wake a notifier; it will look by itself");
        }
        AbortPoint::Wake.reached();
        if let Err(error) = batch.ack().await {
            self.intake.is_left_with(&error);
        }
        AbortPoint::Ack.reached();
    }
}
