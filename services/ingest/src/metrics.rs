//! What ingest measures.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use tocsin_service::http::HttpMetrics;

pub(crate) const HTTP: HttpMetrics = HttpMetrics {
    requests: "tocsin_ingest_http_requests_total",
    duration: "tocsin_ingest_http_request_duration_seconds",
};

const WEBHOOKS: &str = "tocsin_ingest_webhooks_total";
const ALERTS: &str = "tocsin_ingest_alerts_total";
const COMMIT: &str = "tocsin_ingest_commit_duration_seconds";

pub(crate) fn describe() {
    describe_counter!(WEBHOOKS, "Webhooks by source and outcome: accepted, or the code of the refusal");
    describe_counter!(ALERTS, "Alerts in accepted webhooks, by source");
    describe_histogram!(COMMIT, Unit::Seconds, "Time until a delivery was durable");
}

pub(crate) fn accepted(source: &'static str, alerts: usize) {
    counter!(WEBHOOKS, "source" => source, "outcome" => "accepted").increment(1);
    counter!(ALERTS, "source" => source).increment(alerts as u64);
}

pub(crate) fn refused(source: &'static str, code: &'static str) {
    counter!(WEBHOOKS, "source" => source, "outcome" => code).increment(1);
}

pub(crate) fn committed(took: Duration) {
    histogram!(COMMIT).record(took);
}
