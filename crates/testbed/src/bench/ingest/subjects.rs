//! Whom the bench measures, all of them running side by side and idle while another one is measured.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::super::{Bare, BenchError, Shot, bare, cores, keys};
use crate::process::Spec;
use crate::topology::{Service, random_token};
use crate::{Port, Process, Result, TestbedError, Topology, http, programs};

/// How long a server may take until it answers.
const READY_DEADLINE: Duration = Duration::from_secs(20);
/// How long the alert that is sent goes on firing.
const FIRES_FOR: Duration = Duration::from_hours(6);
/// Unapplied entries past which ingest refuses: more than any run sends, since the worker is stopped.
const HIGH_WATER: &str = "1000000000";

/// Somebody to send to.
pub(super) struct Subject {
    /// Its name in the metrics.
    pub name: &'static str,
    /// What is sent to it.
    pub shot: Shot,
}

/// A server that is no service of ours.
pub(in crate::bench) struct Rival {
    pub(in crate::bench) process: Process,
    port: Port,
}

/// Everybody who is measured.
pub(super) struct Field {
    bare: Rival,
    parse: Rival,
    alertmanager: Rival,
    single: Topology,
    replicated: Topology,
    key: String,
    /// Memory of ingest before it had anything to do, in KiB.
    pub(super) resident_before_kib: u64,
}

impl Field {
    pub(super) async fn start(folder: &Path) -> Result<Self, BenchError> {
        let key = random_token();
        let logs = folder.join("logs");
        let topology = async |name: &str, replicas| {
            let topology = Topology::builder()
                .redis_replicas(replicas)
                .folder(folder.join(name))
                .config_text(keys::config(&key))
                .count(Service::Notifier, 0)
                .count(Service::Api, 0)
                .env_for(Service::Ingest, "TOCSIN_INGEST_HIGH_WATER", HIGH_WATER)
                .env("TOCSIN_HTTP_WORKERS", cores().to_string())
                .start()
                .await?;
            topology.process("worker-1")?.stop().await?;
            Ok::<_, BenchError>(topology)
        };
        let single = topology("single", 0).await?;
        let replicated = topology("replicated", 1).await?;
        let memory = single.process("ingest-1")?.memory();
        Ok(Self {
            bare: Rival::bare("bare", Bare::Reads, &logs).await?,
            parse: Rival::bare("parse", Bare::Parses, &logs).await?,
            alertmanager: Rival::alertmanager(folder, &logs).await?,
            single,
            replicated,
            key,
            resident_before_kib: memory.map_or(0, |memory| memory.resident_kib),
        })
    }

    /// Everybody, in the order of the table.
    pub(super) fn subjects(&self) -> Result<[Subject; 6]> {
        let single = self.single.service_url("ingest-1")?;
        let replicated = self.replicated.service_url("ingest-1")?;
        let generic = self.shot(&single, "/api/v1/webhooks/generic", generic_alert());
        let alerts = |base: &str| self.shot(base, "/api/v2/alerts", alertmanager_alert());
        Ok([
            Subject { name: "bare", shot: alerts(&self.bare.url()) },
            Subject { name: "parse", shot: alerts(&self.parse.url()) },
            Subject { name: "durable", shot: alerts(&single) },
            Subject { name: "durable_generic", shot: generic },
            Subject { name: "replicated", shot: alerts(&replicated) },
            Subject { name: "alertmanager", shot: alerts(&self.alertmanager.url()) },
        ])
    }

    /// What the topologies are called, and they.
    pub(super) fn topologies(&self) -> [(&'static str, &Topology); 2] {
        [("single", &self.single), ("replicated", &self.replicated)]
    }

    /// The ingest of the topology without a replica.
    pub(super) fn single_ingest(&self) -> Result<&Process> {
        self.single.process("ingest-1")
    }

    pub(super) async fn stop(&self) -> Result<()> {
        for rival in [&self.bare, &self.parse, &self.alertmanager] {
            rival.process.stop_if_running().await?;
        }
        self.single.stop().await?;
        self.replicated.stop().await
    }

    fn shot(&self, base: &str, path: &str, body: String) -> Shot {
        let headers =
            vec![("Content-Type", "application/json".to_owned()), ("Authorization", format!("Bearer {}", self.key))];
        Shot { url: format!("{base}{path}"), headers, body }
    }
}

impl Rival {
    pub(in crate::bench) async fn bare(name: &str, bare: Bare, logs: &Path) -> Result<Self> {
        let port = Port::free()?;
        let mut spec = Spec::new(name, programs::own("tocsin-testbed")?, logs).args([
            "bare-server",
            "--port",
            &port.number().to_string(),
            "--workers",
            &cores().to_string(),
        ]);
        if bare == Bare::Parses {
            spec = spec.args(["--parse"]);
        }
        Self::start(spec, port, bare::READY).await
    }

    async fn alertmanager(folder: &Path, logs: &Path) -> Result<Self> {
        const NAME: &str = "prometheus-alertmanager";
        let config = folder.join("alertmanager.yml");
        fs::write(&config, "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
            .map_err(TestbedError::file("write", &config))?;
        let port = Port::free()?;
        let spec = Spec::new(NAME, programs::system(NAME, NAME)?, logs).args([
            format!("--config.file={}", config.display()),
            format!("--storage.path={}", folder.join("alertmanager").display()),
            format!("--web.listen-address=127.0.0.1:{}", port.number()),
            // No peers: no gossip beside the requests.
            "--cluster.listen-address=".to_owned(),
        ]);
        Self::start(spec, port, "/-/ready").await
    }

    async fn start(spec: Spec, port: Port, ready: &str) -> Result<Self> {
        let rival = Self { process: Process::new(spec), port };
        let url = format!("{}{ready}", rival.url());
        rival.process.start().await?;
        rival.process.await_ready(READY_DEADLINE, "200", async || http::is_ok(&url).await).await?;
        Ok(rival)
    }

    pub(in crate::bench) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }
}

/// One alert as Prometheus sends it.
fn alertmanager_alert() -> String {
    let time = |at: SystemTime| DateTime::<Utc>::from(at).to_rfc3339_opts(SecondsFormat::Millis, true);
    let now = SystemTime::now();
    json!([{
        "labels": {
            "alertname": "HighRequestLatency", "severity": "critical", "team": "payments", "service": "checkout",
            "namespace": "shop", "pod": "checkout-6f7c9d5b8-x2x7k", "instance": "10.1.2.3:9090", "job": "checkout",
        },
        "annotations": {
            "summary": "Checkout answers slowly",
            "description": "The 99th percentile of checkout's latency has been above 500 ms for ten minutes.",
        },
        "startsAt": time(now),
        "endsAt": time(now + FIRES_FOR),
        "generatorURL": "http://prometheus.example.org/graph?g0.expr=latency&g0.tab=1",
    }])
    .to_string()
}

/// The same as a generic webhook.
fn generic_alert() -> String {
    json!({
        "title": "Checkout answers slowly", "external_id": "checkout-latency", "status": "firing", "severity": "critical",
        "description": "The 99th percentile of checkout's latency has been above 500 ms for ten minutes.",
        "labels": {
            "alertname": "HighRequestLatency", "team": "payments", "service": "checkout", "namespace": "shop",
            "pod": "checkout-6f7c9d5b8-x2x7k", "instance": "10.1.2.3:9090", "job": "checkout",
        },
    })
    .to_string()
}
