//! What ingest measures.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use metrics::{Counter, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use tocsin_service::http::HttpMetrics;
use tocsin_shared::source::NAMES;

pub(crate) const HTTP: HttpMetrics = HttpMetrics {
    requests: "tocsin_ingest_http_requests_total",
    duration: "tocsin_ingest_http_request_duration_seconds",
};

const WEBHOOKS: &str = "tocsin_ingest_webhooks_total";
const ALERTS: &str = "tocsin_ingest_alerts_total";
const COMMIT: &str = "tocsin_ingest_commit_duration_seconds";
const BATCH: &str = "tocsin_ingest_batch_size";
const DEPTH: &str = "tocsin_ingest_lane_depth";
const BACKLOG: &str = "tocsin_ingest_backlog_entries";
const REDIS_USABLE: &str = "tocsin_ingest_redis_usable";
const INTERACTIONS: &str = "tocsin_ingest_slack_interactions_total";
const REPLIES: &str = "tocsin_ingest_slack_replies_total";
const LIMITED: &str = "tocsin_ingest_rate_limit_decisions_total";

/// A way in which a delivery becomes durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// The events stream in Redis.
    Stream,
    /// The inbox in Postgres.
    Inbox,
}

impl Path {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Inbox => "inbox",
        }
    }
}

/// What the system page tells of an ingest, each with the counter that it is computed from.
pub(crate) const RATES: &[(&str, &str)] = &[("webhooks_per_s", WEBHOOKS), ("alerts_per_s", ALERTS)];

pub(crate) fn describe() {
    describe_counter!(WEBHOOKS, "Webhooks by source and outcome: accepted, or the code of the refusal");
    describe_counter!(ALERTS, "Alerts in accepted webhooks, by source");
    describe_histogram!(COMMIT, Unit::Seconds, "Time that a store took for one batch, by path (stream or inbox)");
    describe_histogram!(BATCH, "Deliveries that were committed together, by path");
    describe_gauge!(DEPTH, "Deliveries that wait for a free lane, by path, as last seen by a lane");
    describe_gauge!(BACKLOG, "Entries that are accepted and not yet applied, by path");
    describe_gauge!(REDIS_USABLE, "1 while deliveries go to Redis, 0 while they go to the inbox of Postgres");
    describe_counter!(
        INTERACTIONS,
        "What Slack's buttons sent, by outcome: accepted, ignored (none of ours), or the code of the refusal"
    );
    describe_counter!(
        REPLIES,
        "Answers to whoever clicked, by outcome: posted, failed, none (the message itself shows it), unaddressed (no address \
         that may be answered to) or unwatched (too many are waited for)"
    );
    describe_counter!(LIMITED, "Decisions of the rate limit, by who made them: redis, lease, denial or local");
}

/// The counters of each source's accepted webhooks, and of the alerts in them. Looking one up by its labels costs more than
/// counting does, so what every request counts is looked up once. First used when metrics are recorded.
static ACCEPTED: LazyLock<HashMap<&'static str, [Counter; 2]>> = LazyLock::new(|| {
    let counters = |source| {
        [counter!(WEBHOOKS, "source" => source, "outcome" => "accepted"), counter!(ALERTS, "source" => source)]
    };
    NAMES.iter().map(|source| (*source, counters(*source))).collect()
});

pub(crate) fn accepted(source: &'static str, received: usize) {
    if let Some([webhooks, alerts]) = ACCEPTED.get(source) {
        webhooks.increment(1);
        alerts.increment(received as u64);
    }
}

pub(crate) fn refused(source: &'static str, code: &'static str) {
    counter!(WEBHOOKS, "source" => source, "outcome" => code).increment(1);
}

/// `outcome` is `accepted`, `ignored`, or the code of a refusal.
pub(crate) fn interaction(outcome: &'static str) {
    counter!(INTERACTIONS, "outcome" => outcome).increment(1);
}

pub(crate) fn replied(outcome: &'static str) {
    counter!(REPLIES, "outcome" => outcome).increment(1);
}

pub(crate) fn committed(path: Path, took: Duration) {
    histogram!(COMMIT, "path" => path.as_str()).record(took);
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 wait")]
pub(crate) fn batch(path: Path, size: usize, waiting: usize) {
    histogram!(BATCH, "path" => path.as_str()).record(size as f64);
    gauge!(DEPTH, "path" => path.as_str()).set(waiting as f64);
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 wait")]
pub(crate) fn backlog(path: Path, entries: u64) {
    gauge!(BACKLOG, "path" => path.as_str()).set(entries as f64);
}

pub(crate) fn redis_usable(usable: bool) {
    gauge!(REDIS_USABLE).set(if usable { 1.0 } else { 0.0 });
}

static DECISIONS: LazyLock<[Counter; 4]> =
    LazyLock::new(|| ["redis", "lease", "denial", "local"].map(|by| counter!(LIMITED, "by" => by)));

/// Who decided whether a request is within its limit, in the order of [`DECISIONS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecidedBy {
    /// Redis was asked.
    Redis,
    /// What Redis had granted before.
    Lease,
    /// What Redis had denied before.
    Denial,
    /// The process alone.
    Local,
}

pub(crate) fn limit_decided(by: DecidedBy) {
    DECISIONS[by as usize].increment(1);
}
