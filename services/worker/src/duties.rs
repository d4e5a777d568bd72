//! Duties: what passes with time. Every worker looks each second; the store sees to it that one at a time does a duty, and
//! another takes it over when that one dies. Each step is one transaction, and may be cut off or repeated at any point.
//!
//! - Alerts that nobody tells of any more resolve.
//! - Silences and inhibitions that began or ended reach the alerts that fire.
//! - Receivers are told again of incidents that nobody takes.
//! - Further receivers are told of incidents that nobody has taken in time.
//! - Incidents that flapped and have become quiet are told of again.
//! - What connections have counted is added up, so that a total of a list is a sum of few rows.
//!
//! The *relay* of the ledger is no duty of the worker: a notifier looks for what is due by itself each second (see
//! `tocsin-notifier`), so that a wake-up that is lost with a worker costs no more than that.

use std::time::{Duration, Instant};

use chrono::Utc;
use tocsin_service::config::Reloading;
use tocsin_service::shutdown::Shutdown;
use tocsin_shared::Policy;
use tocsin_store::{DutyDone, Store, StoreError};

use crate::backoff::pause;
use crate::inbox::Waker;
use crate::metrics;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Most steps of one duty before the others have their turn.
const MAX_STEPS: usize = 20;

/// A duty of the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Duty {
    TimeOut,
    Suppression,
    Remind,
    Escalate,
    CalmDown,
    Fold,
}

impl Duty {
    const ALL: [Self; 6] = [Self::TimeOut, Self::Suppression, Self::Remind, Self::Escalate, Self::CalmDown, Self::Fold];

    const fn as_str(self) -> &'static str {
        match self {
            Self::TimeOut => "time_out",
            Self::Suppression => "suppression",
            Self::Remind => "remind",
            Self::Escalate => "escalate",
            Self::CalmDown => "calm_down",
            Self::Fold => "fold",
        }
    }
}

pub(crate) struct Duties {
    pub(crate) store: Store,
    pub(crate) policy: Reloading<Policy>,
    pub(crate) waker: Waker,
    pub(crate) shutdown: Shutdown,
}

impl Duties {
    /// Does its share until the shutdown begins.
    pub(crate) async fn run(mut self) {
        while !self.shutdown.is_draining() {
            for duty in Duty::ALL {
                self.fulfil(duty).await;
            }
            pause(INTERVAL, &self.shutdown).await;
        }
    }

    async fn fulfil(&mut self, duty: Duty) {
        let policy = self.policy.current();
        for _ in 0..MAX_STEPS {
            let started = Instant::now();
            match self.step(duty, &policy).await {
                Ok(DutyDone { done, notices, more }) => {
                    metrics::duty_done(duty.as_str(), done, started.elapsed());
                    if notices > 0 {
                        self.waker.wake();
                    }
                    if !more || self.shutdown.is_draining() {
                        return;
                    }
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, duty = duty.as_str(), "a duty must wait");
                    return;
                }
            }
        }
    }

    async fn step(&self, duty: Duty, policy: &Policy) -> Result<DutyDone, StoreError> {
        let now = Utc::now();
        match duty {
            Duty::TimeOut => self.store.alerts_time_out(policy, now).await,
            Duty::Suppression => self.store.suppression_step(policy, now).await,
            Duty::Remind => self.store.incidents_remind(policy, now).await,
            Duty::Escalate => self.store.incidents_escalate(policy, now).await,
            Duty::CalmDown => self.store.incidents_calm_down(policy, now).await,
            Duty::Fold => self.store.tallies_fold().await,
        }
    }
}
