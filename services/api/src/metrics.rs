//! What the api measures.

use metrics::{counter, describe_counter, describe_gauge, gauge};
use tocsin_service::http::HttpMetrics;

pub(crate) const HTTP: HttpMetrics =
    HttpMetrics { requests: "tocsin_api_http_requests_total", duration: "tocsin_api_http_request_duration_seconds" };

const WATCHING: &str = "tocsin_api_event_streams";
const TOLD: &str = "tocsin_api_events_total";

/// What the system page tells of an api, each with the counter that it is computed from.
pub(crate) const RATES: &[(&str, &str)] = &[("requests_per_s", HTTP.requests), ("events_per_s", TOLD)];

pub(crate) fn describe() {
    describe_gauge!(WATCHING, "Open streams of server-sent events");
    describe_counter!(TOLD, "Changes that were handed out to all streams, each counted once");
}

/// One stream more or less.
pub(crate) fn watching(change: f64) {
    gauge!(WATCHING).increment(change);
}

pub(crate) fn told(events: usize) {
    counter!(TOLD).increment(events as u64);
}
