//! The delivery loop.
//!
//! claim (lease) → read stories → take leave of the destination's pace → send → record. What a crash at each step leads to:
//! after *claim*, the lease runs out and another notifier sends; after *send*, as well, and the receiver gets the notice twice:
//! the one window in which Tocsin can double a notice; after *record*, nothing.
//!
//! Each step but the sending is done for a batch at once. What finds no leave goes back into the ledger instead of waiting
//! here, so that newer notices can take its place, and another notifier can send it. What waits here waits for its turn among
//! those of its receiver, and only as long as its destination answers quickly.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use futures_util::future::join_all;
use tocsin_bus::Consumer;
use tocsin_service::config::Reloading;
use tocsin_service::shutdown::Shutdown;
use tocsin_service::telemetry::trace;
use tocsin_store::{Attempt, ClaimedNotice, Outcome, Store, StoryRecord, Verdict};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tracing::Instrument as _;
use url::Url;

use crate::lanes::{Lanes, Turn};
use crate::metrics::{self, DeathCause};
use crate::outcomes::{Ended, Outbox, Recorder};
use crate::pacing::Pacing;
use crate::receivers::{Answer, Http, Receiver, Receivers, Sent};
use crate::retry::{Deadline, MAX_RETRY_AFTER};
use crate::story::{InsteadOf, Story};
use crate::sweep::Sweeper;

/// How often the ledger is looked at when nothing wakes the notifier.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How long one wait for wake-ups takes, and so how long an idle notifier takes to notice its shutdown.
const WAKE_BLOCK: Duration = Duration::from_millis(250);
/// Wake-ups that are taken at once: one look at the ledger serves them all.
const MAX_WAKES: usize = 1_000;
/// Longest that a notice waits for its turn once it is claimed. Then its destination hangs, and the notice goes back.
const TURN_WAIT: Duration = Duration::from_secs(1);
/// How long the store may take to record an outcome.
const RECORDING: Duration = Duration::from_secs(5);
/// Wait of notices that were claimed and then could not be read.
const UNREADABLE_WAIT: Duration = Duration::from_secs(1);
/// Requests that telling one story may take, one after the other: what there was is edited, and where it is gone, told anew.
const MAX_REQUESTS: u32 = 3;
/// What a lease has beyond the sending: reading stories and recording outcomes, each at most as long as the store may take (5 s),
/// the wait for a turn, and a margin.
const LEASE_MARGIN: Duration = Duration::from_secs(12);

/// What the deliveries share.
pub(crate) struct Notifier {
    pub(crate) store: Store,
    pub(crate) wakes: Consumer,
    pub(crate) http: Http,
    pub(crate) pacing: Pacing,
    pub(crate) receivers: Reloading<Receivers>,
    /// Where people reach the dashboard.
    pub(crate) public_url: Option<Url>,
    pub(crate) deadline: Deadline,
    pub(crate) request_timeout: Duration,
    pub(crate) shutdown: Shutdown,
}

/// A notifier at work.
struct Delivery {
    notifier: Notifier,
    lanes: Arc<Lanes>,
    woken: Arc<Notify>,
    outbox: Outbox,
}

/// A notice with all that is needed to send it.
struct Ready {
    notice: ClaimedNotice,
    receiver: Receiver,
    story: Option<StoryRecord>,
    leased_until: Instant,
}

/// A notice that is not sent now, and how long it is to wait.
type Back = (ClaimedNotice, Receiver, Duration);

impl Notifier {
    /// Delivers until the shutdown begins, then waits for what is on its way.
    pub(crate) async fn deliver(self) {
        let (lanes, woken) = (Arc::new(Lanes::default()), Arc::new(Notify::new()));
        let (recorder, outbox) = Recorder::new(self.store.clone(), Arc::clone(&lanes), Arc::clone(&woken));
        let sweeper = Sweeper {
            store: self.store.clone(),
            receivers: self.receivers.clone(),
            lanes: Arc::clone(&lanes),
            deadline: self.deadline,
            woken: Arc::clone(&woken),
            shutdown: self.shutdown.clone(),
        };
        let (recording, sweeping) = (tokio::spawn(recorder.run()), tokio::spawn(sweeper.run()));
        let delivery = Arc::new(Delivery { notifier: self, lanes, woken: Arc::clone(&woken), outbox });
        let waking = tokio::spawn(Arc::clone(&delivery).wake(Arc::clone(&woken)));
        let mut in_flight = JoinSet::new();
        while !delivery.notifier.shutdown.is_draining() {
            let more_at = delivery.send_due(&mut in_flight).await;
            let wait = more_at.map_or(SWEEP_INTERVAL, |at| at.saturating_duration_since(Instant::now()));
            tokio::select! {
                () = woken.notified() => {}
                () = tokio::time::sleep(wait.min(SWEEP_INTERVAL)) => {}
                () = delivery.notifier.shutdown.draining() => {}
            }
        }
        let mut back = Vec::new();
        while let Some(ended) = in_flight.join_next().await {
            back.extend(ended.ok().flatten());
        }
        delivery.put_back(back).await;
        let woke = waking.await;
        // The last one that can leave an outcome.
        if let Ok(Delivery { notifier, outbox, .. }) = Arc::try_unwrap(delivery).map_err(drop) {
            drop(outbox);
            notifier.pacing.close().await;
        }
        for (task, ended) in [("waking", woke), ("recording", recording.await), ("sweeping", sweeping.await)] {
            if let Err(error) = ended {
                tracing::error!(%error, task, "a task of the delivery failed");
            }
        }
    }
}

impl Delivery {
    /// Passes wake-ups of the stream on. While Redis is away there are none, and the sweep finds everything.
    async fn wake(self: Arc<Self>, woken: Arc<Notify>) {
        let Notifier { wakes, shutdown, .. } = &self.notifier;
        while !shutdown.is_draining() {
            match wakes.take(MAX_WAKES, WAKE_BLOCK).await {
                Ok(0) => {}
                Ok(_) => woken.notify_one(),
                Err(error) => {
                    tracing::debug!(%error, "cannot be woken; sweeping");
                    tokio::select! {
                        () = tokio::time::sleep(SWEEP_INTERVAL) => {}
                        () = shutdown.draining() => {}
                    }
                }
            }
        }
    }

    /// Claims and starts everything that is due, as far as there is room. Says when there will be more room, as far as that is a
    /// matter of time.
    async fn send_due(self: &Arc<Self>, in_flight: &mut JoinSet<Option<Back>>) -> Option<Instant> {
        loop {
            // What has ended holds its story until it is taken out.
            let mut back = Vec::new();
            while let Some(ended) = in_flight.try_join_next() {
                back.extend(ended.ok().flatten());
            }
            metrics::put_back(back.len());
            self.put_back(back).await;
            let receivers = self.notifier.receivers.current();
            let open = self.lanes.rooms(&receivers.destinations(), Instant::now());
            if open.rooms.is_empty() || self.notifier.shutdown.is_draining() {
                return open.more_at;
            }
            let lease = self.lease();
            let leased_until = Instant::now() + lease;
            let claim = match self.notifier.store.ledger_claim(&open.rooms, lease).await {
                Ok(claim) => claim,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot read the ledger");
                    return open.more_at;
                }
            };
            if claim.notices.is_empty() {
                return open.more_at;
            }
            metrics::superseded(claim.folded);
            // What was claimed has a receiver: we named those that we know.
            let known =
                claim.notices.into_iter().filter_map(|notice| Some((receivers.get(&notice.receiver)?.clone(), notice)));
            let (known, notices): (Vec<Receiver>, Vec<ClaimedNotice>) = known.unzip();
            for (receiver, notice) in known.iter().zip(&notices) {
                self.lanes.begin(&notice.receiver, receiver.provider.destination());
            }
            let stories = match self.notifier.store.stories(&notices).await {
                Ok(stories) => stories,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot read the incidents of notices");
                    let back =
                        notices.into_iter().zip(known).map(|(notice, receiver)| (notice, receiver, UNREADABLE_WAIT));
                    self.put_back(back.collect()).await;
                    return open.more_at;
                }
            };
            let ready = notices.into_iter().zip(known).zip(stories);
            let ready = ready.map(|((notice, receiver), story)| Ready { notice, receiver, story, leased_until });
            for ready in self.paced(ready.collect()).await {
                let notice = &ready.notice;
                let span = tracing::info_span!("notify", incident.id = %notice.incident_id, receiver = notice.receiver);
                if let Ok(parent) = notice.trace.parse() {
                    trace::continue_from(&span, parent);
                }
                let this = Arc::clone(self);
                in_flight.spawn(async move { this.send_in_turn(ready).await }.instrument(span));
            }
        }
    }

    /// Those for which there is leave; the others go back.
    async fn paced(&self, ready: Vec<Ready>) -> Vec<Ready> {
        let mut wanted: HashMap<&str, (&Receiver, u32)> = HashMap::new();
        for Ready { receiver, .. } in &ready {
            wanted.entry(receiver.provider.destination()).or_insert((receiver, 0)).1 += 1;
        }
        let leaves = join_all(wanted.into_iter().map(async |(destination, (receiver, calls))| {
            let quotas = receiver.provider.pace();
            let leave = self.notifier.pacing.take(destination, quotas, calls).await;
            (destination.to_owned(), self.lanes.paced(destination, quotas, calls, leave, Instant::now()))
        }))
        .await;
        let mut leaves: HashMap<_, _> = leaves.into_iter().collect();
        let (mut granted, mut back) = (Vec::with_capacity(ready.len()), Vec::new());
        for ready in ready {
            match leaves.get_mut(ready.receiver.provider.destination()) {
                Some(leave) if leave.taken > 0 => {
                    leave.taken -= 1;
                    granted.push(ready);
                }
                leave => {
                    let wait = leave.map_or(UNREADABLE_WAIT, |leave| leave.next_in);
                    back.push((ready.notice, ready.receiver, wait));
                }
            }
        }
        metrics::put_back(back.len());
        self.put_back(back).await;
        granted
    }

    async fn put_back(&self, back: Vec<Back>) {
        if back.is_empty() {
            return;
        }
        let notices: Vec<_> = back.iter().map(|(notice, _, wait)| (notice.clone(), *wait)).collect();
        if let Err(error) = self.notifier.store.ledger_put_back(&notices).await {
            // The leases run out, and the notices are claimed again.
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot put notices back");
        }
        for (notice, receiver, _) in back {
            self.lanes.give_back(&notice.receiver, receiver.provider.destination());
        }
    }

    /// Sends it as soon as there are few enough on the way to its receiver. Gives back what is not to be sent.
    async fn send_in_turn(&self, ready: Ready) -> Option<Back> {
        let Some(turn) = self.turn(&ready).await else {
            self.woken.notify_one();
            return Some((ready.notice, ready.receiver, Duration::ZERO));
        };
        self.send(ready, turn).await;
        None
    }

    async fn turn(&self, ready: &Ready) -> Option<Turn> {
        let turns = self.lanes.turns(&ready.notice.receiver);
        if let Some(turn) = turns.try_take() {
            return Some(turn);
        }
        let destination = ready.receiver.provider.destination();
        let may_go = || self.lanes.may_go(destination, Instant::now());
        // What was sent is being recorded. Who waits too long for that could not be recorded under its lease.
        let send_by = ready.leased_until.checked_sub(self.sending() + RECORDING + TURN_WAIT)?;
        let unrecorded = tokio::time::timeout_at(send_by.into(), turns.unrecorded.acquire_owned()).await.ok()?.ok()?;
        if !may_go() {
            return None;
        }
        match tokio::time::timeout(TURN_WAIT, turns.on_the_way.acquire_owned()).await {
            Ok(on_the_way) => Some(Turn { unrecorded, on_the_way: on_the_way.ok()? }).filter(|_| may_go()),
            Err(_elapsed) => {
                self.lanes.is_slow(destination);
                None
            }
        }
    }

    async fn send(&self, ready: Ready, turn: Turn) {
        let Ready { notice, receiver, story, leased_until } = ready;
        let destination = receiver.provider.destination();
        let started = Instant::now();
        let sent = match story {
            None => Sent::refused("the incident no longer exists"),
            Some(record) => {
                let story = self.story(&notice, record, destination);
                let sending = receiver.provider.send(&self.notifier.http, &story);
                tokio::time::timeout(self.sending(), sending).await.unwrap_or_else(|_elapsed| Sent {
                    answer: Answer::Failed { retry_after: None },
                    http_status: None,
                    text: "no answer in time".to_owned(),
                    message: None,
                })
            }
        };
        let latency = started.elapsed();
        self.learn(destination, &sent.answer, latency).await;
        let verdict = self.verdict(&notice, &receiver, &sent);
        let outcome = Outcome {
            destination: destination.to_owned(),
            attempt: Attempt { latency, http_status: sent.http_status, answer: sent.text },
            message: sent.message,
            fallback: receiver.fallback.clone(),
            verdict,
            notice,
        };
        self.lanes.sent(&outcome.notice.receiver, &outcome.destination);
        // There is room at the receiver for the next, which is claimed while this one is recorded.
        self.woken.notify_one();
        let Turn { unrecorded, on_the_way } = turn;
        drop(on_the_way);
        if self.outbox.send(Ended { outcome, leased_until, unrecorded }).await.is_err() {
            tracing::error!("nobody records outcomes any more: a notice may be told twice");
        }
    }

    /// What the answer says of the destination.
    async fn learn(&self, destination: &str, answer: &Answer, latency: Duration) {
        match answer {
            Answer::Taken | Answer::Refused | Answer::Gone => self.lanes.succeeded(destination, latency),
            Answer::Failed { retry_after: Some(pause) } => {
                let pause = (*pause).min(MAX_RETRY_AFTER);
                self.lanes.hold(destination, pause, Instant::now());
                self.notifier.pacing.hold(destination, pause).await;
            }
            Answer::Failed { retry_after: None } => {
                if self.lanes.failed(destination, Instant::now()) {
                    metrics::breaker_opened();
                    tracing::warn!(destination, "it fails again and again, and is left alone for a while");
                }
            }
        }
    }

    fn verdict(&self, notice: &ClaimedNotice, receiver: &Receiver, sent: &Sent) -> Verdict {
        let has_fallback = receiver.fallback.is_some() && notice.instead_of.is_none();
        let (verdict, cause) = match sent.answer {
            Answer::Taken => return Verdict::Delivered,
            Answer::Refused => (Verdict::Dead { reason: sent.text.clone() }, Some(DeathCause::Refused)),
            Answer::Gone => (Verdict::Gone { reason: sent.text.clone() }, Some(DeathCause::Gone)),
            Answer::Failed { retry_after } => {
                let Notifier { deadline, .. } = self.notifier;
                let rng = &mut rand::rng();
                let verdict = deadline.after_failure(notice.attempt, retry_after, notice.owed_since, Utc::now(), rng);
                let cause = matches!(verdict, Verdict::Dead { .. }).then_some(DeathCause::Deadline);
                (verdict, cause)
            }
        };
        if let Some(cause) = cause {
            metrics::dead(cause, 1, has_fallback);
        }
        tracing::warn!(?cause, attempt = notice.attempt, answer = sent.text, "a notice was not delivered");
        verdict
    }

    /// Longest time that telling one story may take.
    fn sending(&self) -> Duration {
        self.notifier.request_timeout * MAX_REQUESTS
    }

    /// Time for which a claimed notice is ours.
    fn lease(&self) -> Duration {
        self.sending() + LEASE_MARGIN
    }

    fn story(&self, notice: &ClaimedNotice, record: StoryRecord, destination: &str) -> Story {
        let StoryRecord { incident, alerts, message } = record;
        let instead_of = notice.instead_of.clone().map(|(receiver, reason)| InsteadOf { receiver, reason });
        Story {
            notice: notice.id,
            kind: notice.kind,
            revision: notice.revision,
            at: notice.created_at,
            link: Story::page(self.notifier.public_url.as_ref(), incident.number),
            record: incident,
            alerts,
            instead_of,
            // A message at another destination cannot be edited from here.
            message: message.filter(|(at, _)| at == destination).map(|(_, reference)| reference),
            is_test: false,
        }
    }
}
