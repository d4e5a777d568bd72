//! One address sends far more than it may, through the front door to two ingest processes. Whoever does so is told, by
//! both together, and costs no memory.

use std::path::Path;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::wrk::{outcome, per_second, script};
use super::{BenchError, Goal, Metric, Report, Shot, Wrk, applied, cores, mib};
use crate::topology::{Service, TopologyBuilder};
use crate::{Topology, http};

/// Clients, each with a connection of its own.
pub const CLIENTS: u32 = 500;
/// Webhooks per minute that one address may send without a key: Tocsin's default, of which one address can have all at once.
pub const PER_MINUTE: u32 = 300;
/// How long the flood runs before its memory is looked at for the first time: until all buffers are there.
const WARM_UP: Duration = Duration::from_secs(3);
/// What wrk's script does with the answers.
const SORT: &str = include_str!("flood.lua");

/// What came of a flood.
#[derive(Debug, Clone)]
pub struct Flood {
    /// The answers, warm-up included.
    pub answers: Answers,
    /// Answers per second once warm.
    pub per_second: f64,
    /// The 99th percentile of the latency once warm, as wrk sees it.
    pub p99: Duration,
    /// How often an ingest process decided by itself, since Redis did not answer in time.
    pub decided_alone: u64,
    /// From the first request on.
    pub took: Duration,
    /// Resident memory of each ingest process.
    pub memory: Vec<Footprint>,
    /// What the first request was answered that came when `Retry-After` had said.
    pub afterwards: StatusCode,
}

/// How much of which answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Answers {
    /// 200.
    pub accepted: u64,
    /// 429.
    pub limited: u64,
    /// Any other.
    pub other: u64,
    /// One of the statuses of those; 0 of none.
    pub other_status: u16,
    /// 429 without one of `Retry-After` and the three `X-RateLimit-` headers.
    pub unexplained: u64,
    /// Connections that could not be made or broke, and answers that did not come.
    pub socket_errors: u64,
}

/// The resident memory of a process around the flood, in KiB.
#[derive(Debug, Clone, Copy)]
pub struct Footprint {
    /// After the warm-up.
    pub before_kib: u64,
    /// At most, since then.
    pub peak_kib: u64,
    /// When it was over.
    pub after_kib: u64,
}

impl Footprint {
    /// How many times as much as before it was at most.
    #[must_use]
    pub fn growth(self) -> f64 {
        mib(self.peak_kib) / mib(self.before_kib.max(1))
    }
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(flatten)]
    answers: Answers,
    duration_us: u64,
    p99_us: u64,
}

impl Flood {
    /// Most webhooks that may have been accepted: what one address can have at once, and what it got back meanwhile. As much
    /// again for each process, if any had to decide by itself.
    #[must_use]
    pub fn most_accepted(&self) -> u64 {
        let limits = if self.decided_alone == 0 { 1 } else { 1 + self.memory.len() as u64 };
        limits * self.one_limit()
    }

    fn one_limit(&self) -> u64 {
        let refilled = self.took.as_secs_f64() * f64::from(PER_MINUTE) / 60.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number of requests")]
        let refilled = refilled.ceil() as u64;
        u64::from(PER_MINUTE) + refilled
    }
}

/// What is changed of a topology that is to be flooded. It needs stores and a folder; with the built-in configuration, it
/// limits as Tocsin does by default.
pub fn topology(builder: TopologyBuilder) -> TopologyBuilder {
    builder.count(Service::Ingest, 2).count(Service::Notifier, 0).count(Service::Api, 0)
}

/// Floods.
///
/// # Errors
/// When wrk or a service fails.
pub async fn flood(topology: &Topology, duration: Duration) -> Result<Flood, BenchError> {
    let body = json!({"title": "Flood", "external_id": "flood", "severity": "critical"}).to_string();
    let headers = vec![("Content-Type", "application/json".to_owned())];
    let shot = Shot { url: format!("{}/api/v1/webhooks/generic", topology.url()), headers, body };
    let text = format!("{}\n{SORT}", script(&shot));
    let wrk = Wrk { connections: CLIENTS, threads: u32::try_from(cores()).unwrap_or(1), duration };

    let folder = topology.folder();
    let begun = Instant::now();
    let warm: Outcome = outcome(&Wrk { duration: WARM_UP, ..wrk }.run_script(&shot.url, &text, folder).await?)?;
    let mut memory = Vec::new();
    for service in topology.services(Service::Ingest) {
        service.process().forget_peak_memory();
        memory.push(footprint(service.process())?);
    }
    let flood: Outcome = outcome(&wrk.run_script(&shot.url, &text, folder).await?)?;
    let took = begun.elapsed();
    for (service, memory) in topology.services(Service::Ingest).zip(&mut memory) {
        let Footprint { peak_kib, after_kib, .. } = footprint(service.process())?;
        *memory = Footprint { peak_kib, after_kib, ..*memory };
    }
    let decided_alone =
        applied::counted(topology, "tocsin_ingest_rate_limit_decisions_total", &["by=\"local\""]).await?;
    let afterwards = first_when_told(&shot).await?;
    Ok(Flood {
        answers: warm.answers.plus(flood.answers),
        per_second: per_second(flood.answers.total(), flood.duration_us),
        p99: Duration::from_micros(flood.p99_us),
        decided_alone,
        took,
        memory,
        afterwards,
    })
}

impl Answers {
    fn total(self) -> u64 {
        self.accepted + self.limited + self.other
    }

    fn plus(self, other: Self) -> Self {
        Self {
            accepted: self.accepted + other.accepted,
            limited: self.limited + other.limited,
            other: self.other + other.other,
            other_status: self.other_status.max(other.other_status),
            unexplained: self.unexplained + other.unexplained,
            socket_errors: self.socket_errors + other.socket_errors,
        }
    }
}

fn footprint(process: &crate::Process) -> Result<Footprint, BenchError> {
    let memory = process.memory().ok_or_else(|| BenchError::Gone { name: process.name().to_owned() })?;
    Ok(Footprint { before_kib: memory.resident_kib, peak_kib: memory.peak_kib, after_kib: memory.resident_kib })
}

/// Sends once more; when that is too early, again when the answer says.
async fn first_when_told(shot: &Shot) -> Result<StatusCode, BenchError> {
    let client = http::client()?;
    let send = async || {
        let headers = shot.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let request = headers.fold(client.post(&shot.url), |request, (name, value)| request.header(name, value));
        request.body(shot.body.clone()).send().await
    };
    let answer = send().await?;
    if answer.status() != StatusCode::TOO_MANY_REQUESTS {
        return Ok(answer.status());
    }
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let seconds = seconds.ok_or(BenchError::Broken { what: "a 429 came without a Retry-After in seconds" })?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    Ok(send().await?.status())
}

/// Floods a system of its own, and reports. `folder` takes data and logs, and must be open to Postgres' account.
///
/// # Errors
/// When anything fails, or accepted deliveries are lost.
pub async fn run(duration: Duration, folder: &Path) -> Result<Report, BenchError> {
    let system = topology(Topology::builder().own_stores().folder(folder)).start().await?;
    let flood = flood(&system, duration).await?;
    let applied = applied::check(&system, "flood").await?;
    system.stop().await?;
    let growth = flood.memory.iter().map(|memory| memory.growth()).fold(0.0, f64::max);
    let failures = flood.answers.other + flood.answers.socket_errors;
    #[expect(clippy::cast_precision_loss, reason = "a small number of requests")]
    let metrics = vec![
        Metric::once("ingest.single_flood_rps", flood.per_second).goal(Goal::AtLeast(4000.0)),
        Metric::once("ingest.single_flood_5xx", failures as f64).goal(Goal::AtMost(0.0)),
        // No goal: clients that never pause wait for each other, at best their number divided by the rate.
        Metric::once("ingest.single_flood_p99_ms", super::millis(flood.p99)),
        Metric::once("ingest.single_flood_rss_growth", growth).goal(Goal::AtMost(1.1)),
    ];
    let mut notes = vec![
        format!(
            "{CLIENTS} clients, one address, 2 ingest processes, {:.0} s: {} accepted (at most {}), {} limited \
             ({} without all headers), {} others (such as {}), {} socket errors; {} decisions without Redis.",
            flood.took.as_secs_f64(),
            flood.answers.accepted,
            flood.most_accepted(),
            flood.answers.limited,
            flood.answers.unexplained,
            flood.answers.other,
            flood.answers.other_status,
            flood.answers.socket_errors,
            flood.decided_alone,
        ),
        format!("{} accepted by ingest's count, {} applied.", applied.accepted, applied.applied),
        format!("The first request when Retry-After had said: {}.", flood.afterwards),
    ];
    notes.extend(flood.memory.iter().enumerate().map(|(index, memory)| {
        let [before, peak, after] = [memory.before_kib, memory.peak_kib, memory.after_kib].map(mib);
        format!("ingest-{}: {before:.1} MiB before, {peak:.1} at most, {after:.1} after.", index + 1)
    }));
    Ok(super::report(metrics, notes).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_send_its_burst_and_what_it_gets_back() {
        let mut flood = Flood {
            answers: Answers::default(),
            per_second: 0.0,
            p99: Duration::ZERO,
            decided_alone: 0,
            took: Duration::from_millis(10_100),
            memory: vec![Footprint { before_kib: 1, peak_kib: 1, after_kib: 1 }; 2],
            afterwards: StatusCode::OK,
        };
        assert_eq!(flood.most_accepted(), 351);
        flood.decided_alone = 1;
        assert_eq!(flood.most_accepted(), 3 * 351, "what both had granted by themselves, and what Redis had granted");
    }
}
