//! The delivery loop.
//!
//! claim (lease) → send → record. What a crash at each step leads to: after *claim*, the lease runs out and another
//! notifier sends; after *send*, as well, and the receiver gets the notice twice: the one window in which Tocsin can
//! double a notice; after *record*, nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tocsin_bus::Consumer;
use tocsin_service::config::Reloading;
use tocsin_service::shutdown::Shutdown;
use tocsin_service::telemetry::trace;
use tocsin_store::{Attempt, ClaimedNotice, Store, StoreError, Verdict};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tracing::Instrument as _;
use url::Url;

use crate::receivers::{Answer, Http, Receivers, Sent};
use crate::story::Story;
use crate::{metrics, retry};

/// How often the ledger is looked at when nothing wakes the notifier.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How long one wait for wake-ups takes, and so how long an idle notifier takes to notice its shutdown.
const WAKE_BLOCK: Duration = Duration::from_millis(250);
/// Wake-ups that are taken at once: one look at the ledger serves them all.
const MAX_WAKES: usize = 1_000;
/// Deliveries that are on their way at once.
const MAX_IN_FLIGHT: usize = 64;
/// Time for which a notice is ours. Exceeds the longest request (15 s) and the longest record (5 s).
const LEASE: Duration = Duration::from_secs(30);

/// What the deliveries share.
pub(crate) struct Notifier {
    pub(crate) store: Store,
    pub(crate) wakes: Consumer,
    pub(crate) http: Http,
    pub(crate) receivers: Reloading<Receivers>,
    /// Where people reach the dashboard.
    pub(crate) public_url: Option<Url>,
    pub(crate) shutdown: Shutdown,
}

impl Notifier {
    /// Delivers until the shutdown begins, then waits for what is on its way.
    pub(crate) async fn deliver(self) {
        let this = Arc::new(self);
        let woken = Arc::new(Notify::new());
        let waking = tokio::spawn(Arc::clone(&this).wake(Arc::clone(&woken)));
        let mut in_flight = JoinSet::new();
        while !this.shutdown.is_draining() {
            this.send_due(&mut in_flight).await;
            tokio::select! {
                () = woken.notified() => {}
                () = tokio::time::sleep(SWEEP_INTERVAL) => {}
                () = this.shutdown.draining() => {}
                // One that ends may free the next of its incident.
                Some(_) = in_flight.join_next() => {}
            }
        }
        while in_flight.join_next().await.is_some() {}
        if let Err(error) = waking.await {
            tracing::error!(%error, "the task that waits for wake-ups failed");
        }
    }

    /// Passes wake-ups of the stream on. While Redis is away there are none, and the sweep finds everything.
    async fn wake(self: Arc<Self>, woken: Arc<Notify>) {
        while !self.shutdown.is_draining() {
            match self.wakes.take(MAX_WAKES, WAKE_BLOCK).await {
                Ok(0) => {}
                Ok(_) => woken.notify_one(),
                Err(error) => {
                    tracing::debug!(%error, "cannot be woken; sweeping");
                    tokio::select! {
                        () = tokio::time::sleep(SWEEP_INTERVAL) => {}
                        () = self.shutdown.draining() => {}
                    }
                }
            }
        }
    }

    /// Claims and starts everything that is due, as far as there is room.
    async fn send_due(self: &Arc<Self>, in_flight: &mut JoinSet<()>) {
        while !self.shutdown.is_draining() {
            let room = MAX_IN_FLIGHT - in_flight.len();
            if room == 0 {
                in_flight.join_next().await;
                continue;
            }
            let claimed = match self.store.ledger_claim(i64::try_from(room).unwrap_or(1), LEASE).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot read the ledger");
                    return;
                }
            };
            if claimed.is_empty() {
                return;
            }
            for notice in claimed {
                let span = tracing::info_span!("notify", incident.id = %notice.incident_id, receiver = notice.receiver);
                if let Ok(parent) = notice.trace.parse() {
                    trace::continue_from(&span, parent);
                }
                let this = Arc::clone(self);
                in_flight.spawn(async move { this.send(notice).await }.instrument(span));
            }
        }
    }

    async fn send(&self, notice: ClaimedNotice) {
        let started = Instant::now();
        let sent = match self.answer(&notice).await {
            Ok(sent) => sent,
            Err(error) => {
                // The lease runs out, and the notice is claimed again.
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot read the incident of a notice");
                return;
            }
        };
        let latency = started.elapsed();
        let now = Utc::now();
        let (outcome, verdict) = match sent.answer {
            Answer::Taken => ("delivered", Verdict::Delivered),
            Answer::Refused | Answer::Gone => ("dead", Verdict::Dead { reason: sent.text.clone() }),
            Answer::Failed { retry_after } => {
                let verdict =
                    retry::after_failure(notice.attempt, retry_after, notice.created_at, now, &mut rand::rng());
                (if matches!(verdict, Verdict::Dead { .. }) { "dead" } else { "retry" }, verdict)
            }
        };
        if outcome != "delivered" {
            tracing::warn!(outcome, attempt = notice.attempt, answer = sent.text, "a notice was not delivered");
        }
        let attempt = Attempt { latency, http_status: sent.http_status, answer: sent.text };
        match self.store.ledger_finish(&notice, &attempt, &verdict).await {
            Ok(true) => metrics::attempted(outcome, latency),
            Ok(false) => {
                metrics::attempted("lost", latency);
                tracing::warn!("the lease ran out before the outcome was recorded; another notifier has the notice");
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot record the outcome of a notice");
            }
        }
        if verdict == Verdict::Delivered {
            metrics::delivered((now - notice.created_at).to_std().unwrap_or_default());
        }
    }

    async fn answer(&self, notice: &ClaimedNotice) -> Result<Sent, StoreError> {
        let receivers = self.receivers.current();
        let Some(receiver) = receivers.get(&notice.receiver) else {
            return Ok(Sent::refused("no receiver of this name is configured"));
        };
        let Some(record) = self.store.incident_get(notice.incident_id).await? else {
            return Ok(Sent::refused("the incident no longer exists"));
        };
        let story = Story {
            notice: notice.id,
            kind: notice.kind,
            revision: notice.revision,
            at: notice.created_at,
            alerts: self.store.incident_alerts(notice.incident_id).await?,
            link: Story::page(self.public_url.as_ref(), record.number),
            record,
            instead_of: None,
            message: None,
            is_test: false,
        };
        Ok(receiver.provider.send(&self.http, &story).await)
    }
}
