//! What the notifier measures.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use tocsin_service::http::HttpMetrics;

pub(crate) const HTTP: HttpMetrics = HttpMetrics {
    requests: "tocsin_notifier_http_requests_total",
    duration: "tocsin_notifier_http_request_duration_seconds",
};

const ATTEMPTS: &str = "tocsin_notifier_attempts_total";
const ATTEMPT: &str = "tocsin_notifier_attempt_duration_seconds";
const LATENCY: &str = "tocsin_notifier_delivery_latency_seconds";

/// What the system page tells of a notifier, each with the counter that it is computed from.
pub(crate) const RATES: &[(&str, &str)] = &[("attempts_per_s", ATTEMPTS)];

pub(crate) fn describe() {
    describe_counter!(
        ATTEMPTS,
        "Attempts at a delivery by outcome: delivered, retry, dead or lost (the lease ran out)"
    );
    describe_histogram!(ATTEMPT, Unit::Seconds, "Time that a receiver took");
    describe_histogram!(LATENCY, Unit::Seconds, "Time from the change to its delivery");
}

pub(crate) fn attempted(outcome: &'static str, took: Duration) {
    counter!(ATTEMPTS, "outcome" => outcome).increment(1);
    histogram!(ATTEMPT).record(took);
}

pub(crate) fn delivered(since_change: Duration) {
    histogram!(LATENCY).record(since_change);
}
