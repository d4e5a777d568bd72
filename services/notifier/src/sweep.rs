//! What no delivery sees to: notices for receivers that there are not, or not any more, and notices that are owed for too long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tocsin_service::config::Reloading;
use tocsin_service::shutdown::Shutdown;
use tocsin_store::{Burial, Buried, GoneReceiver, Store, StoreError, Waiting};
use tokio::sync::Notify;

use crate::lanes::Lanes;
use crate::metrics::{self, DeathCause};
use crate::receivers::Receivers;
use crate::retry::Deadline;

/// How often it is looked for receivers that there are not.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is looked for what is owed for too long: that reads everything that waits.
const EXPIRE_INTERVAL: Duration = Duration::from_secs(3);

/// Sees to it.
pub(crate) struct Sweeper {
    pub(crate) store: Store,
    pub(crate) receivers: Reloading<Receivers>,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) deadline: Deadline,
    /// Who tells the fallbacks.
    pub(crate) woken: Arc<Notify>,
    pub(crate) shutdown: Shutdown,
}

impl Sweeper {
    /// Until the shutdown begins.
    pub(crate) async fn run(self) {
        let mut expire_at = Instant::now();
        while !self.shutdown.is_draining() {
            let expires = Instant::now() >= expire_at;
            if expires {
                expire_at = Instant::now() + EXPIRE_INTERVAL;
            }
            match self.sweep(expires).await {
                Ok(0) => {}
                Ok(_) => self.woken.notify_one(),
                Err(error) => tracing::debug!(%error, "cannot sweep the ledger"),
            }
            tokio::select! {
                () = tokio::time::sleep(SWEEP_INTERVAL) => {}
                () = self.shutdown.draining() => {}
            }
        }
    }

    /// Gives how many notices are dead by it.
    async fn sweep(&self, expires: bool) -> Result<i64, StoreError> {
        let receivers = self.receivers.current();
        let waiting = self.store.ledger_waiting().await?;
        let gone = self.store.receivers_gone().await?;
        self.lanes.forget_all_but(&receivers.destinations());
        metrics::standing(&receivers, &self.lanes, &waiting);

        let (gone, back) = split(&receivers, gone);
        if !back.is_empty() {
            let names: Vec<&str> = back.iter().map(|gone| gone.receiver.as_str()).collect();
            tracing::info!(receivers = ?names, "receivers lead elsewhere by now and are told again");
            self.store.receivers_return(&back).await?;
        }
        let mut dead = 0;
        for (cause, burials) in [
            (DeathCause::Unknown, unknown(&receivers, &waiting, self.deadline)),
            (DeathCause::Gone, switched_off(&receivers, &waiting, &gone)),
        ] {
            if !burials.is_empty() {
                dead += self.count(cause, &self.store.ledger_bury(&burials).await?);
            }
        }
        if expires {
            let all: Vec<_> =
                receivers.iter().map(|(name, receiver)| (name.to_owned(), receiver.fallback.clone())).collect();
            let late = self.store.ledger_expire(&all, self.deadline.0, &self.deadline.to_string()).await?;
            dead += self.count(DeathCause::Deadline, &late);
        }
        Ok(dead)
    }

    fn count(&self, cause: DeathCause, buried: &[Buried]) -> i64 {
        let receivers = self.receivers.current();
        for Buried { receiver, notices } in buried {
            tracing::warn!(receiver, notices, cause = cause.as_str(), "notices are dead");
            let has_fallback = receivers.get(receiver).is_some_and(|receiver| receiver.fallback.is_some());
            metrics::dead(cause, u64::try_from(*notices).unwrap_or_default(), has_fallback);
        }
        buried.iter().map(|buried| buried.notices).sum()
    }
}

/// Those that are switched off, and those that are not any more because they lead elsewhere.
fn split(receivers: &Receivers, gone: Vec<GoneReceiver>) -> (Vec<GoneReceiver>, Vec<GoneReceiver>) {
    gone.into_iter().partition(|gone| {
        receivers.get(&gone.receiver).is_none_or(|receiver| receiver.provider.destination() == gone.destination)
    })
}

/// Another notifier may know the receiver: one that was rolled before us. So what is due is left to it until its deadline.
fn unknown(receivers: &Receivers, waiting: &[Waiting], deadline: Deadline) -> Vec<Burial> {
    let unknown =
        waiting.iter().filter(|waiting| waiting.oldest_due >= 0.0 && receivers.get(&waiting.receiver).is_none());
    unknown
        .map(|waiting| Burial {
            receiver: waiting.receiver.clone(),
            reason: "no receiver of this name is configured".to_owned(),
            fallback: None,
            owed_for: deadline.0,
        })
        .collect()
}

fn switched_off(receivers: &Receivers, waiting: &[Waiting], gone: &[GoneReceiver]) -> Vec<Burial> {
    let is_waiting = |name: &str| waiting.iter().any(|waiting| waiting.receiver == name && waiting.oldest_due >= 0.0);
    gone.iter()
        .filter(|gone| is_waiting(&gone.receiver))
        .filter_map(|gone| Some((gone, receivers.get(&gone.receiver)?)))
        .map(|(gone, receiver)| Burial {
            receiver: gone.receiver.clone(),
            reason: format!("switched off since {}: {}", gone.gone_at.format("%Y-%m-%d %H:%M:%S UTC"), gone.reason),
            fallback: receiver.fallback.clone(),
            owed_for: Duration::ZERO,
        })
        .collect()
}
