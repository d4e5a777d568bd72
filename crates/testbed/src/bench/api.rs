//! How fast the api reads: from a database with a thousand incidents and from one with a million, against a server that has
//! nothing to read, and against pgbench with the same statements.
//!
//! Latencies are those of clients who pause between two requests, as dashboards and people do: fifty of them ask some five hundred
//! times a second. Rates are those of clients who do not.

mod fill;
mod pgbench;

use std::path::Path;
use std::time::Duration;

use tokio_postgres::NoTls;

use self::fill::Size;
use super::ingest::subjects::Rival;
use super::wrk::quoted;
use super::{Bare, BenchError, Goal, Metric, Outcome, Report, Wrk, cores, mib};
use crate::Topology;
use crate::stores::Postgres;
use crate::topology::Service;

/// Incidents in the small database.
const SMALL: u32 = 1_000;
/// Longest pause of a client between two requests; they are of any length up to that.
const MAX_PAUSE: Duration = Duration::from_millis(200);
/// Memory of Postgres, and how much it writes before it makes a checkpoint.
const MEMORY: [(&str, &str); 3] =
    [("shared_buffers", "2GB"), ("max_wal_size", "8GB"), ("maintenance_work_mem", "512MB")];
/// How often progress is told.
const STATEMENTS_BETWEEN_LINES: usize = 20;
/// How long is asked before it is measured: connections are opened, statements prepared.
const WARM_UP: Duration = Duration::from_secs(1);

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How often each is measured.
    pub rounds: u32,
    /// How long, each time.
    pub duration: Duration,
    /// Incidents in the large database.
    pub incidents: u32,
    /// Alerts of each incident, in both.
    pub alerts: u32,
    /// Clients.
    pub clients: u32,
}

/// Something that is read.
struct Read {
    name: &'static str,
    /// A Lua expression for a path, in which `n` is the number of incidents and `services` that of services.
    path: &'static str,
    goal_ms: Option<f64>,
}

const READS: [Read; 8] = [
    Read { name: "list", path: r#""/api/v1/incidents""#, goal_ms: Some(4.4) },
    Read {
        name: "open",
        path: r#""/api/v1/incidents?status=triggered,acknowledged&severity=critical,high""#,
        goal_ms: None,
    },
    Read {
        name: "label",
        path: r#""/api/v1/incidents?label=service=service-" .. math.random(0, services - 1)"#,
        goal_ms: None,
    },
    Read { name: "rare_label", path: r#""/api/v1/incidents?label=pod=pod-" .. math.random(1, n)"#, goal_ms: None },
    Read {
        name: "search",
        path: r#""/api/v1/incidents?q=on%20service-" .. math.random(0, services - 1)"#,
        goal_ms: None,
    },
    Read { name: "detail", path: r#""/api/v1/incidents/" .. math.random(1, n)"#, goal_ms: Some(2.8) },
    Read { name: "alerts", path: r#""/api/v1/alerts""#, goal_ms: Some(3.7) },
    Read { name: "firing", path: r#""/api/v1/alerts?status=firing&source=prometheus""#, goal_ms: None },
];

/// Measures. `folder` takes data and logs, and must be open to Postgres' account.
///
/// # Errors
/// When anything cannot be started, or an answer is a refusal.
pub async fn run(options: Options, folder: &Path) -> Result<Report, BenchError> {
    let size = |incidents| Size { incidents, alerts: options.alerts };
    let small = Ground::prepare(&folder.join("small"), size(SMALL)).await?;
    let large = Ground::prepare(&folder.join("large"), size(options.incidents)).await?;
    let bare = Rival::bare("bare", Bare::Reads, &folder.join("logs")).await?;
    let mut rounds: Vec<Round> = Vec::new();
    for round in 0..options.rounds {
        tracing::info!("round {} of {}", round + 1, options.rounds);
        rounds.push(Round {
            small: small.paced(&options, folder).await?,
            large: large.paced(&options, folder).await?,
            detail_rps: large.rate(&options, "detail", folder).await?,
            database_rps: large.rate_of_database(&options, folder).await?,
            list_rps: large.rate(&options, "list", folder).await?,
            bare_rps: rate_of_bare(&bare, &options, folder).await?,
        });
    }
    let mut metrics = metrics(&rounds);
    let memory = large.topology.process("api-1")?.memory();
    metrics
        .push(Metric::once("api.rss_mib", memory.map_or(0.0, |memory| mib(memory.peak_kib))).goal(Goal::AtMost(64.0)));
    let notes = vec![format!(
        "{} rounds of {} s each. {} clients; for latencies each pauses up to {} ms after an answer, for rates not at all. \
         {} incidents of {} services with {} alerts and three timeline entries each (small: {SMALL} of {}); detail is of any of \
         them.",
        options.rounds,
        options.duration.as_secs(),
        options.clients,
        MAX_PAUSE.as_millis(),
        options.incidents,
        large.size.services(),
        options.alerts,
        small.size.services(),
    )];
    bare.process.stop_if_running().await?;
    small.topology.stop().await?;
    large.topology.stop().await?;
    Ok(super::report(metrics, notes).await)
}

/// What one round gave.
struct Round {
    /// In the order of [`READS`].
    small: Vec<Outcome>,
    large: Vec<Outcome>,
    detail_rps: f64,
    database_rps: f64,
    list_rps: f64,
    bare_rps: f64,
}

fn metrics(rounds: &[Round]) -> Vec<Metric> {
    let each = |value: &dyn Fn(&Round) -> f64| rounds.iter().map(value).collect::<Vec<_>>();
    let mut metrics = Vec::new();
    for (index, read) in READS.iter().enumerate() {
        let name = read.name;
        metrics.push(Metric::rounds(format!("api.{name}_p50_ms"), each(&|round| ms(round.large[index].p50_us))));
        let mut p95 = Metric::rounds(format!("api.{name}_p95_ms"), each(&|round| ms(round.large[index].p95_us)));
        p95.goal = read.goal_ms.map(Goal::AtMost);
        metrics.push(p95);
        metrics.push(Metric::rounds(format!("api.{name}_p99_ms"), each(&|round| ms(round.large[index].p99_us))));
        let growth = each(&|round| ms(round.large[index].p95_us) / ms(round.small[index].p95_us));
        let growth =
            Metric::rounds(if name == "list" { "api.growth".to_owned() } else { format!("api.{name}_growth") }, growth);
        metrics.push(growth.goal(Goal::AtMost(1.3)));
    }
    metrics.push(Metric::rounds("api.list_rps", each(&|round| round.list_rps)));
    metrics.push(Metric::rounds("api.detail_rps", each(&|round| round.detail_rps)));
    metrics.push(Metric::rounds("api.bare_rps", each(&|round| round.bare_rps)));
    metrics.push(Metric::rounds("api.pgbench_rps", each(&|round| round.database_rps)));
    metrics.push(Metric::rounds("api.detail_over_pgbench", each(&|round| round.detail_rps / round.database_rps)));
    let over = each(&|round| round.detail_rps / round.bare_rps);
    metrics.push(Metric::rounds("api.detail_over_bare", over).goal(Goal::AtLeast(0.3)));
    metrics
}

#[expect(clippy::cast_precision_loss, reason = "no answer takes 2^52 µs")]
fn ms(micros: u64) -> f64 {
    micros as f64 / 1e3
}

/// A system without anybody but the api, and its database.
struct Ground {
    topology: Topology,
    size: Size,
}

impl Ground {
    async fn prepare(folder: &Path, size: Size) -> Result<Self, BenchError> {
        let topology = [Service::Ingest, Service::Worker, Service::Notifier]
            .into_iter()
            .fold(Topology::builder(), |topology, service| topology.count(service, 0))
            .own_stores()
            .folder(folder)
            .config_text("api: {tokens: [{name: bench, scopes: [read], sha256_env: TOCSIN_DEMO_TOKEN_SHA256}], limit: {per_minute: 60000000}}\n")
            .env("TOCSIN_HTTP_WORKERS", cores().to_string())
            .start()
            .await?;
        let stores = topology.stores().ok_or(BenchError::Broken { what: "the topology has no stores of its own" })?;
        give_memory(stores.postgres()).await?;
        topology.wait_ready("api-1").await?;
        let Size { incidents, alerts } = size;
        tracing::info!("making {incidents} incidents with {alerts} alerts each");
        let postgres = connect(topology.tenant().database_url()).await?;
        let statements = fill::statements(size);
        for (index, statement) in statements.iter().enumerate() {
            postgres.batch_execute(statement).await?;
            if index % STATEMENTS_BETWEEN_LINES == STATEMENTS_BETWEEN_LINES - 1 {
                tracing::info!("{} of {} statements", index + 1, statements.len());
            }
        }
        Ok(Self { topology, size })
    }

    /// What clients who pause are answered, in the order of [`READS`].
    async fn paced(&self, options: &Options, folder: &Path) -> Result<Vec<Outcome>, BenchError> {
        let mut outcomes = Vec::new();
        for read in &READS {
            let delay = format!("function delay() return math.random(0, {}) end\n", MAX_PAUSE.as_millis());
            outcomes.push(self.ask(options, read, &delay, folder).await?);
        }
        Ok(outcomes)
    }

    /// Answers in a second to clients who do not pause.
    async fn rate(&self, options: &Options, name: &str, folder: &Path) -> Result<f64, BenchError> {
        let read = READS.iter().find(|read| read.name == name);
        let read = read.ok_or(BenchError::Broken { what: "there is no such read" })?;
        Ok(self.ask(options, read, "", folder).await?.per_second())
    }

    /// Details in a second that Postgres gives to the same number of clients without anybody between.
    async fn rate_of_database(&self, options: &Options, folder: &Path) -> Result<f64, BenchError> {
        let url = self.topology.tenant().database_url();
        let rate =
            pgbench::details_per_second(url, self.size.incidents, options.clients, options.duration, folder).await?;
        tracing::info!("pgbench: {rate:.0}/s");
        Ok(rate)
    }

    async fn ask(&self, options: &Options, read: &Read, delay: &str, folder: &Path) -> Result<Outcome, BenchError> {
        let script = format!(
            "wrk.method = \"GET\"\nwrk.headers[\"Authorization\"] = {}\nlocal n, services = {}, {}\n\
             function request() return wrk.format(nil, {}) end\n{delay}",
            quoted(&format!("Bearer {}", self.topology.token())),
            self.size.incidents,
            self.size.services(),
            read.path,
        );
        let url = self.topology.service_url("api-1")?;
        fire(options, &url, &script, read.name, folder).await
    }
}

/// What a database of this size is given: without it each read of what nobody else has read lately is one of the kernel's.
async fn give_memory(server: &Postgres) -> Result<(), BenchError> {
    let postgres = connect(&server.url()).await?;
    for (setting, value) in MEMORY {
        postgres.batch_execute(&format!("ALTER SYSTEM SET {setting} = '{value}'")).await?;
    }
    server.process().restart().await?;
    Ok(server.wait_ready().await?)
}

async fn connect(url: &str) -> Result<tokio_postgres::Client, BenchError> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn rate_of_bare(bare: &Rival, options: &Options, folder: &Path) -> Result<f64, BenchError> {
    Ok(fire(options, &bare.url(), "wrk.method = \"GET\"\n", "bare", folder).await?.per_second())
}

async fn fire(
    options: &Options,
    url: &str,
    script: &str,
    subject: &'static str,
    folder: &Path,
) -> Result<Outcome, BenchError> {
    let wrk = |duration| Wrk { connections: options.clients, threads: 1, duration };
    wrk(WARM_UP).run_requests(url, script, folder).await?;
    let outcome = wrk(options.duration).run_requests(url, script, folder).await?;
    if outcome.refused > 0 || outcome.socket_errors > 0 {
        let Outcome { refused, socket_errors, .. } = outcome;
        return Err(BenchError::Refused { subject, refused, socket_errors });
    }
    tracing::info!("{subject}: p95 {:.2} ms, {:.0}/s", ms(outcome.p95_us), outcome.per_second());
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_round_by_round() {
        let outcome = |p95_us| Outcome {
            requests: 1,
            duration_us: 1,
            refused: 0,
            socket_errors: 0,
            p50_us: 1,
            p95_us,
            p99_us: 1,
            max_us: 1,
        };
        let round = |small, large, detail_rps| Round {
            small: READS.iter().map(|_| outcome(small)).collect(),
            large: READS.iter().map(|_| outcome(large)).collect(),
            detail_rps,
            database_rps: 20.0,
            list_rps: 1.0,
            bare_rps: 100.0,
        };
        let metrics = metrics(&[round(1_000, 2_000, 50.0), round(2_000, 2_000, 10.0), round(2_000, 3_000, 40.0)]);
        let value = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap().value();
        assert!((value("api.growth") - 1.5).abs() < f64::EPSILON, "of 2, 1 and 1.5");
        assert!((value("api.detail_over_bare") - 0.4).abs() < f64::EPSILON, "of 0.5, 0.1 and 0.4");
        assert!((value("api.list_p95_ms") - 2.0).abs() < f64::EPSILON, "of 2, 2 and 3");
    }
}
