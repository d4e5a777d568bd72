//! One notifier that finds a full ledger, against a loop that only sends.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::PATIENCE;
use crate::bench::{BenchError, Shot, Wrk};
use crate::doubles::{Recorded, Recorder};
use crate::topology::Service;
use crate::{Topology, http, poll};

/// Receivers, each with a destination of its own.
pub(super) const RECEIVERS: usize = 8;
/// Requests at a time: what the notifier has on the way to so many receivers.
pub(super) const CONCURRENCY: usize = RECEIVERS * 8;
/// How long the double is measured by itself.
const DOUBLE_DURATION: Duration = Duration::from_secs(2);

/// A system that has nothing to do but deliver.
pub(super) struct Ground {
    topology: Topology,
    provider: Recorder,
    folder: PathBuf,
    /// The most memory that the notifier has had, in KiB.
    pub(super) peak_kib: u64,
}

/// What one round gave, in requests per second.
pub(super) struct Rates {
    pub(super) notifier: f64,
    pub(super) requests: f64,
    pub(super) double: f64,
}

impl Ground {
    pub(super) async fn prepare(folder: &Path) -> Result<Self, BenchError> {
        let provider = Recorder::start()?;
        let receivers: Vec<String> = (0..RECEIVERS)
            .map(|n| {
                let url = format!("{}/r{n}", provider.url());
                format!("  - {{name: r{n}, webhook: {{url: \"{url}\", allow_private: true, per_second: 60000}}}}\n")
            })
            .collect();
        let topology = Topology::builder()
            .own_stores()
            .folder(folder)
            .config_text(format!("receivers:\n{}", receivers.concat()))
            .count(Service::Ingest, 0)
            .count(Service::Worker, 0)
            .count(Service::Api, 0)
            .start()
            .await?;
        topology.process("notifier-1")?.stop().await?;
        Ok(Self { topology, provider, folder: folder.to_owned(), peak_kib: 0 })
    }

    /// Lets the notifier deliver, and then a loop send as much.
    pub(super) async fn measure(&mut self, notices: usize) -> Result<Rates, BenchError> {
        self.provider.clear();
        self.fill(notices).await?;
        let notifier = self.topology.process("notifier-1")?;
        notifier.start().await?;
        self.provider.wait_for(notices, PATIENCE).await.map_err(crate::TestbedError::from)?;
        let ended = "SELECT count(*) FROM notifications WHERE status <> 'delivered'";
        poll::until("the ledger to say so", PATIENCE, async || {
            let open = self.topology.tenant().sql(ended).await.map_err(|error| error.to_string())?;
            poll::expect(open, |open| *open == [["0"]])
        })
        .await
        .map_err(crate::TestbedError::from)?;
        let gone = || BenchError::Gone { name: notifier.name().to_owned() };
        self.peak_kib = self.peak_kib.max(notifier.memory().ok_or_else(gone)?.peak_kib);
        notifier.stop().await?;

        let requests = self.provider.requests();
        let once: HashSet<_> = requests.iter().map(|request| request.header("webhook-id")).collect();
        if once.len() != notices || requests.len() != notices {
            return Err(BenchError::Broken { what: "a notice was lost or told twice" });
        }
        let rate = rate(&requests);
        self.provider.clear();
        let loops = self.send(&requests).await?;
        let double = self.double(&requests[0]).await?;
        tracing::info!("notifier {rate:.0}/s, loop {loops:.0}/s, double {double:.0}/s");
        Ok(Rates { notifier: rate, requests: loops, double })
    }

    /// As many notices as wanted, each of an incident with one alert that fires.
    async fn fill(&self, notices: usize) -> Result<(), BenchError> {
        let incidents = notices.div_ceil(RECEIVERS);
        let sql = format!(
            "TRUNCATE incidents, alerts, incident_alerts, timeline, notifications, deliveries, messages; \
             INSERT INTO incidents (id, title, summary, status, severity, group_key, labels, alert_count, firing_critical, \
                 firing_warning, firing_info, triggered_at, updated_at, version) \
             SELECT gen_random_uuid(), 'Pod ' || n || ' answers slowly', 'The 99th percentile is above 500 ms.', 'triggered', \
                 'critical', 'group ' || n, jsonb_build_object('alertname', 'HighRequestLatency', 'pod', 'pod-' || n, \
                 'service', 'checkout', 'namespace', 'shop'), 1, 1, 0, 0, now(), now(), 1 \
             FROM generate_series(1, {incidents}) AS n; \
             INSERT INTO alerts (id, integration, fingerprint, source, status, severity, title, description, labels, annotations, \
                 started_at, event_at, event_id, received_at, last_seen_at, occurrences, incident_id) \
             SELECT gen_random_uuid(), 'bench', md5(id::text), 'generic', 'firing', 'critical', title, summary, labels, '{{}}', \
                 now(), now(), gen_random_uuid(), now(), now(), 1, id FROM incidents; \
             INSERT INTO incident_alerts (incident_id, alert_id) SELECT incident_id, id FROM alerts; \
             INSERT INTO notifications (id, incident_id, receiver, revision, kind, created_at, trace) \
             SELECT gen_random_uuid(), id, 'r' || r, 1, 'triggered', now(), '' \
             FROM incidents, generate_series(0, {RECEIVERS} - 1) AS r ORDER BY number, r LIMIT {notices}; \
             ANALYZE"
        );
        self.topology.tenant().sql(&sql).await?;
        self.topology.tenant().sql("CHECKPOINT").await?;
        Ok(())
    }

    /// Sends requests again, so many at a time, and does nothing else.
    async fn send(&self, requests: &[Recorded]) -> Result<f64, BenchError> {
        let client = http::client()?;
        let shots: Arc<Vec<reqwest::Request>> = Arc::new(
            requests
                .iter()
                .map(|request| {
                    let url = format!("{}{}", self.provider.url(), request.path);
                    let kept = request
                        .headers
                        .iter()
                        .filter(|(name, _)| name.starts_with("webhook-") || name == "content-type");
                    let built = kept.fold(client.post(url), |built, (name, value)| built.header(name, value));
                    built.body(request.body.clone()).build()
                })
                .collect::<Result<_, _>>()?,
        );
        let next = Arc::new(AtomicUsize::new(0));
        let begun = Instant::now();
        let senders: Vec<_> = (0..CONCURRENCY)
            .map(|_| {
                let (client, shots, next) = (client.clone(), Arc::clone(&shots), Arc::clone(&next));
                tokio::spawn(async move {
                    while let Some(shot) = shots.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let Some(shot) = shot.try_clone() else { continue };
                        client.execute(shot).await?.error_for_status()?.bytes().await?;
                    }
                    Ok::<_, reqwest::Error>(())
                })
            })
            .collect();
        for sender in senders {
            sender.await.map_err(|_panic| BenchError::Broken { what: "a sender ended early" })??;
        }
        let took = begun.elapsed();
        if self.provider.count() != requests.len() {
            return Err(BenchError::Broken { what: "the loop did not send as much as the notifier" });
        }
        Ok(per_second(requests.len(), took))
    }

    /// What the double can do.
    async fn double(&self, request: &Recorded) -> Result<f64, BenchError> {
        let connections = u32::try_from(CONCURRENCY).unwrap_or(u32::MAX);
        let wrk = Wrk { connections, threads: 1, duration: DOUBLE_DURATION };
        let headers = vec![("Content-Type", "application/json".to_owned())];
        let url = format!("{}{}", self.provider.url(), request.path);
        let outcome = wrk.run(&Shot { url, headers, body: request.text() }, &self.folder).await?;
        Ok(outcome.per_second())
    }

    pub(super) async fn stop(&self) -> Result<(), BenchError> {
        Ok(self.topology.stop().await?)
    }
}

/// From the first request to the last.
fn rate(requests: &[Recorded]) -> f64 {
    let (Some(first), Some(last)) = (requests.first(), requests.last()) else { return 0.0 };
    per_second(requests.len() - 1, last.at.duration_since(first.at).unwrap_or_default())
}

#[expect(clippy::cast_precision_loss, reason = "a small number of requests")]
fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(1e-6)
}
