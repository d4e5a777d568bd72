//! How soon those who watch see what changes: many streams of server-sent events at one api, and changes at a steady pace.
//!
//! It counts from the moment at which a webhook was accepted to the moment at which its incident is at a client; every client
//! must have seen every incident.

mod watcher;

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::watcher::Watcher;
use super::{BenchError, Goal, Metric, Report, cores, mib, millis, page};
use crate::load::{Timed, open_loop, percentile};
use crate::topology::Service;
use crate::{Topology, http, poll};

/// How long all streams together may take to be open, and what was sent may take to be everywhere.
const PATIENCE: Duration = Duration::from_mins(1);
/// Streams that are opened at a time.
const OPENED_AT_ONCE: usize = 64;

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Clients that watch.
    pub clients: u32,
    /// New incidents in a second.
    pub per_second: u32,
    /// For how long.
    pub during: Duration,
}

/// Measures. `folder` takes data and logs, and must be open to Postgres' account.
///
/// # Errors
/// When anything cannot be started, a stream ends, or a client has not seen everything in time.
pub async fn run(options: Options, folder: &Path) -> Result<Report, BenchError> {
    let count = options.per_second * u32::try_from(options.during.as_secs()).unwrap_or(u32::MAX);
    let topology = start(folder).await?;
    let mut watching = watch(&topology, options.clients, count).await?;
    tracing::info!("{} clients watch; sending {count} alerts", options.clients);
    let accepted = send(&topology, count, options.during).await?;

    let end = Instant::now() + PATIENCE;
    let mut took = Vec::new();
    while let Some(seen) = tokio::time::timeout_at(end, watching.join_next()).await.map_err(|_elapsed| UNSEEN)? {
        let seen = seen.map_err(|_panicked| UNSEEN)??;
        // An event may be there before the sender has read that its webhook was accepted.
        took.extend(seen.iter().zip(&accepted).map(|(seen, accepted)| seen.saturating_duration_since(*accepted)));
    }
    let [p50, p99] = [0.5, 0.99].map(|share| millis(percentile(&took, share)));
    let memory = topology.process("api-1")?.memory().map_or(0.0, |memory| mib(memory.peak_kib));
    let metrics = vec![
        Metric::once("live.clients", f64::from(options.clients)),
        Metric::once("live.delivery_p50_ms", p50),
        Metric::once("live.delivery_p99_ms", p99),
        Metric::once("rss.api_live_mib", memory).goal(Goal::AtMost(64.0)),
    ];
    let notes = vec![format!(
        "{} streams of one api, {} new incidents a second for {} s: {} events, each counted from when its webhook was accepted. \
         Every client has seen every incident.",
        options.clients,
        options.per_second,
        options.during.as_secs(),
        took.len(),
    )];
    topology.stop().await?;
    Ok(super::report(metrics, notes).await)
}

const UNSEEN: BenchError = BenchError::Broken { what: "a client has not seen every incident in time" };

async fn start(folder: &Path) -> Result<Topology, BenchError> {
    let config = "webhooks: {limit: {per_minute: 1000000}}\n\
                  api: {tokens: [{name: bench, scopes: [read], sha256_env: TOCSIN_DEMO_TOKEN_SHA256}], limit: {per_minute: 1000000}}\n";
    let topology = Topology::builder()
        .count(Service::Notifier, 0)
        .own_stores()
        .folder(folder)
        .config_text(config)
        .env("TOCSIN_HTTP_WORKERS", cores().to_string())
        .start()
        .await?;
    Ok(topology)
}

/// Opens the streams. Each then tells when it has seen which of the incidents.
async fn watch(
    topology: &Topology,
    clients: u32,
    count: u32,
) -> Result<JoinSet<Result<Vec<Instant>, BenchError>>, BenchError> {
    let api = topology.service_url("api-1")?;
    let (mut opening, mut watching) = (JoinSet::new(), JoinSet::new());
    for _ in 0..clients {
        if opening.len() >= OPENED_AT_ONCE {
            begin(&mut opening, &mut watching, count).await?;
        }
        let (api, token) = (api.clone(), topology.token().to_owned());
        opening.spawn(async move { Watcher::open(&api, &token).await });
    }
    while !opening.is_empty() {
        begin(&mut opening, &mut watching, count).await?;
    }
    poll::until("all streams to be open", PATIENCE, async || {
        let page = http::text(&format!("{api}/metrics")).await.map_err(|error| error.to_string())?;
        poll::expect(page::sum(&page, "tocsin_api_event_streams", &[]), |open| *open >= f64::from(clients))
            .map_err(|open| format!("{open} streams"))
    })
    .await?;
    Ok(watching)
}

/// Has the next stream that is open read.
async fn begin(
    opening: &mut JoinSet<Result<Watcher, BenchError>>,
    watching: &mut JoinSet<Result<Vec<Instant>, BenchError>>,
    count: u32,
) -> Result<(), BenchError> {
    let opened = tokio::time::timeout(PATIENCE, opening.join_next()).await;
    let unopened = BenchError::Broken { what: "a stream could not be opened in time" };
    let Ok(Some(Ok(watcher))) = opened else { return Err(unopened) };
    watching.spawn(watcher?.see(count));
    Ok(())
}

/// Sends alerts, each of which becomes an incident of its own. Gives when each was accepted, in the order of their numbers.
async fn send(topology: &Topology, count: u32, during: Duration) -> Result<Vec<Instant>, BenchError> {
    let url = format!("{}/api/v1/webhooks/generic", topology.service_url("ingest-1")?);
    let client = http::client()?;
    let answers = open_loop(count, during, |number| {
        let title = watcher::title(number);
        let alert = json!({"title": title, "severity": "critical", "labels": {"alertname": title, "host": "db-1", "team": "storage"}});
        let request = client.post(&url).json(&alert);
        async move { request.send().await?.error_for_status().map(|_| (number, Instant::now())) }
    })
    .await;
    let mut accepted = Vec::new();
    for Timed { value, .. } in answers {
        accepted.push(value?);
    }
    accepted.sort_unstable();
    Ok(accepted.into_iter().map(|(_, at)| at).collect())
}
