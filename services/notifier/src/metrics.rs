//! What the notifier measures. Receivers' names are labels; there are as many as the configuration has.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use tocsin_service::http::HttpMetrics;
use tocsin_store::{Outcome, Verdict, Waiting};

use crate::lanes::Lanes;
use crate::receivers::Receivers;

pub(crate) const HTTP: HttpMetrics = HttpMetrics {
    requests: "tocsin_notifier_http_requests_total",
    duration: "tocsin_notifier_http_request_duration_seconds",
};

const ATTEMPTS: &str = "tocsin_notifier_attempts_total";
const ATTEMPT: &str = "tocsin_notifier_attempt_duration_seconds";
const LATENCY: &str = "tocsin_notifier_delivery_latency_seconds";
const DEAD: &str = "tocsin_notifier_dead_total";
const FALLBACKS: &str = "tocsin_notifier_fallbacks_total";
const SUPERSEDED: &str = "tocsin_notifier_superseded_total";
const PUT_BACK: &str = "tocsin_notifier_put_back_total";
const IN_FLIGHT: &str = "tocsin_notifier_in_flight_notices";
const BREAKER_OPEN: &str = "tocsin_notifier_breaker_open";
const BREAKER_OPENED: &str = "tocsin_notifier_breaker_opened_total";
const OLDEST_DUE: &str = "tocsin_notifier_oldest_due_seconds";

/// The label under which notices wait for receivers that are not configured.
const NOT_CONFIGURED: &str = "(not configured)";

/// Why a notice is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeathCause {
    /// The provider will not take it.
    Refused,
    /// The provider says that there is nobody any more.
    Gone,
    /// It could not be delivered in time.
    Deadline,
    /// No receiver of that name is configured.
    Unknown,
}

impl DeathCause {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Gone => "gone",
            Self::Deadline => "deadline",
            Self::Unknown => "unknown_receiver",
        }
    }
}

/// What the system page tells of a notifier, each with the counter that it is computed from.
pub(crate) const RATES: &[(&str, &str)] = &[("attempts_per_s", ATTEMPTS)];

pub(crate) fn describe() {
    describe_counter!(
        ATTEMPTS,
        "Attempts at a delivery by outcome: delivered, retry, dead or lost (the lease ran out)"
    );
    describe_histogram!(ATTEMPT, Unit::Seconds, "Time that a receiver took");
    describe_histogram!(LATENCY, Unit::Seconds, "Time from when a notice was due to its delivery");
    describe_counter!(DEAD, "Notices that are dead, by cause: refused, gone, deadline or unknown_receiver");
    describe_counter!(FALLBACKS, "Dead notices of which a fallback is told");
    describe_counter!(SUPERSEDED, "Notices that are not told because a newer one that was due as well says it");
    describe_counter!(
        PUT_BACK,
        "Notices that were claimed and had to wait for their destination: for its pace, or because it hangs"
    );
    describe_gauge!(IN_FLIGHT, "Notices on the way, by receiver");
    describe_gauge!(BREAKER_OPEN, "Whether the destination of a receiver is left alone because it fails: 1 if so");
    describe_counter!(BREAKER_OPENED, "How often a destination was left alone because it failed");
    describe_gauge!(OLDEST_DUE, Unit::Seconds, "How long the notice has been due that waits longest, by receiver");
}

/// An outcome that is in the ledger.
pub(crate) fn attempted(outcome: &Outcome, took: Duration) {
    let label = match &outcome.verdict {
        Verdict::Delivered => "delivered",
        Verdict::Retry { .. } => "retry",
        Verdict::Dead { .. } | Verdict::Gone { .. } => "dead",
    };
    counter!(ATTEMPTS, "outcome" => label).increment(1);
    histogram!(ATTEMPT).record(took);
    if outcome.verdict == Verdict::Delivered {
        let since_due = chrono::Utc::now() - outcome.notice.owed_since;
        histogram!(LATENCY).record(since_due.to_std().unwrap_or_default());
    }
}

/// An outcome that is not in the ledger.
pub(crate) fn attempt_lost(took: Duration) {
    counter!(ATTEMPTS, "outcome" => "lost").increment(1);
    histogram!(ATTEMPT).record(took);
}

pub(crate) fn dead(cause: DeathCause, notices: u64, has_fallback: bool) {
    counter!(DEAD, "cause" => cause.as_str()).increment(notices);
    if has_fallback {
        counter!(FALLBACKS).increment(notices);
    }
}

pub(crate) fn superseded(notices: usize) {
    counter!(SUPERSEDED).increment(notices as u64);
}

pub(crate) fn put_back(notices: usize) {
    counter!(PUT_BACK).increment(notices as u64);
}

pub(crate) fn breaker_opened() {
    counter!(BREAKER_OPENED).increment(1);
}

/// How things stand with each receiver.
pub(crate) fn standing(receivers: &Receivers, lanes: &Lanes, waiting: &[Waiting]) {
    let mut not_configured = 0.0_f64;
    for waiting in waiting.iter().filter(|waiting| receivers.get(&waiting.receiver).is_none()) {
        not_configured = not_configured.max(waiting.oldest_due);
    }
    gauge!(OLDEST_DUE, "receiver" => NOT_CONFIGURED).set(not_configured);
    for (name, receiver) in receivers.iter() {
        let oldest = waiting.iter().find(|waiting| waiting.receiver == name).map_or(0.0, |waiting| waiting.oldest_due);
        gauge!(OLDEST_DUE, "receiver" => name.to_owned()).set(oldest.max(0.0));
        gauge!(IN_FLIGHT, "receiver" => name.to_owned()).set(f64::from(lanes.in_flight(name)));
        let open = lanes.is_open(receiver.provider.destination());
        gauge!(BREAKER_OPEN, "receiver" => name.to_owned()).set(f64::from(u8::from(open)));
    }
}
