//! Outcomes on their way into the ledger: what comes in while one batch is written is the next batch, so that few statements
//! record many deliveries under load, and a single one waits for nothing.
//!
//! An outcome that cannot be recorded is the one way to a doubled notice: the provider has it, the ledger does not know, and
//! when the lease has run out another notifier sends it again. So it is tried for as long as the lease lasts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tocsin_store::{Outcome, Parts, Store, Verdict};
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};

use crate::lanes::{Lanes, MAX_IN_HAND};
use crate::metrics;

/// Most outcomes in one statement.
const MAX_BATCH: usize = 256;
/// Wait between two tries at recording the same outcomes. Each try has waits of its own.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// An outcome that is to be recorded.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    /// When the lease ends.
    pub(crate) leased_until: Instant,
    /// Kept until it is recorded.
    pub(crate) unrecorded: OwnedSemaphorePermit,
}

/// Where outcomes are left. It has room for all that may be on the way.
pub(crate) type Outbox = mpsc::Sender<Ended>;

/// Records outcomes, gives their room back, and wakes who may use it.
pub(crate) struct Recorder {
    store: Store,
    lanes: Arc<Lanes>,
    woken: Arc<Notify>,
    inbox: mpsc::Receiver<Ended>,
}

impl Recorder {
    pub(crate) fn new(store: Store, lanes: Arc<Lanes>, woken: Arc<Notify>) -> (Self, Outbox) {
        let (outbox, inbox) = mpsc::channel(MAX_IN_HAND as usize);
        (Self { store, lanes, woken, inbox }, outbox)
    }

    /// Until nobody can leave any more.
    pub(crate) async fn run(mut self) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while self.inbox.recv_many(&mut batch, MAX_BATCH).await > 0 {
            let leased_until = batch.iter().map(|ended| ended.leased_until).max().unwrap_or_else(Instant::now);
            let (outcomes, unrecorded): (Vec<Outcome>, Vec<OwnedSemaphorePermit>) =
                batch.drain(..).map(|ended| (ended.outcome, ended.unrecorded)).unzip();
            self.record(&outcomes, leased_until).await;
            drop(unrecorded);
            for outcome in &outcomes {
                self.lanes.end(&outcome.notice.receiver);
            }
            self.woken.notify_one();
        }
    }

    async fn record(&self, outcomes: &[Outcome], leased_until: Instant) {
        let mut parts = Parts::of(outcomes.len());
        while let Some(part) = parts.next() {
            let mut result = self.store.ledger_finish(&outcomes[part.clone()]).await;
            while let Err(error) = &result
                && !error.may_be_the_data()
                && Instant::now() + RETRY_INTERVAL < leased_until
            {
                tracing::warn!(error = error as &dyn std::error::Error, "cannot record outcomes yet; trying on");
                tokio::time::sleep(RETRY_INTERVAL).await;
                result = self.store.ledger_finish(&outcomes[part.clone()]).await;
            }
            match result {
                Ok(held) => {
                    for outcome in &outcomes[part] {
                        recorded(outcome, held.contains(&outcome.notice.id));
                    }
                }
                Err(error) => match parts.failed(part.clone(), error) {
                    Ok(None) => {}
                    Ok(Some((index, error))) => lost(&outcomes[index], &error),
                    Err(error) => outcomes[part].iter().for_each(|outcome| lost(outcome, &error)),
                },
            }
        }
    }
}

fn recorded(outcome: &Outcome, is_held: bool) {
    let (notice, latency) = (&outcome.notice, outcome.attempt.latency);
    if is_held {
        metrics::attempted(outcome, latency);
        return;
    }
    metrics::attempt_lost(latency);
    if outcome.verdict == Verdict::Delivered {
        tracing::error!(
            notice.id = %notice.id, receiver = notice.receiver,
            "a notice was sent, and its lease ran out before that was recorded: it may be told twice"
        );
    } else {
        tracing::warn!(notice.id = %notice.id, receiver = notice.receiver, "another notifier has the notice by now");
    }
}

fn lost(outcome: &Outcome, error: &tocsin_store::StoreError) {
    let notice = &outcome.notice;
    metrics::attempt_lost(outcome.attempt.latency);
    tracing::error!(
        error = error as &dyn std::error::Error, notice.id = %notice.id, receiver = notice.receiver,
        was_delivered = outcome.verdict == Verdict::Delivered,
        "cannot record the outcome of a notice: once its lease has run out it is sent again"
    );
}
