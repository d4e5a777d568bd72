//! How fast ingest accepts what it makes durable, against a server that does nothing and one that keeps all in memory.
//!
//! One machine runs everything, the load generator too, so rates are worth little by themselves: what counts are the
//! ratios of one round. Only accepting is measured. The worker is stopped meanwhile, and started afterwards to prove that
//! what was accepted is there.

pub(super) mod subjects;

use std::path::Path;
use std::time::Duration;

use self::subjects::{Field, Subject};
use super::{BenchError, Goal, Metric, Outcome, Report, Wrk, applied, cores, mib, millis};
use crate::http;
use crate::load::{open_loop, percentile};

/// How long each subject is warmed up.
const WARM_UP: Duration = Duration::from_secs(1);
/// Requests when latency is measured, and the time between two: long enough that none waits for another one.
const QUIET_REQUESTS: u32 = 300;
const QUIET_INTERVAL: Duration = Duration::from_millis(10);

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How often each subject is measured.
    pub rounds: u32,
    /// How long each time.
    pub duration: Duration,
    /// Connections of the load generator.
    pub connections: u32,
    /// Whether each is warmed up before. Without, the first figures are too low.
    pub warm_up: bool,
}

/// Measures. `folder` takes data and logs, and must be open to Postgres' account.
///
/// # Errors
/// When anything cannot be started, refuses a request, or loses one that it accepted.
pub async fn run(options: Options, folder: &Path) -> Result<Report, BenchError> {
    let field = Field::start(folder).await?;
    let subjects = field.subjects()?;
    let rates = measure_rates(&subjects, options, folder).await?;
    let ingest = field.single_ingest()?;
    let no_memory = || BenchError::Gone { name: ingest.name().to_owned() };
    let peak = ingest.memory().ok_or_else(no_memory)?;
    let mut metrics = metrics(&rates);
    let client = http::client()?;
    for subject in subjects.iter().filter(|subject| ["bare", "durable"].contains(&subject.name)) {
        metrics.extend(quiet_latency(&client, subject).await?);
    }

    let mut notes = vec![format!(
        "{} rounds of {} s, {} connections, {} server threads; the worker is stopped while accepting is measured.",
        options.rounds,
        options.duration.as_secs(),
        options.connections,
        cores(),
    )];
    for (name, topology) in field.topologies() {
        topology.process("worker-1")?.start().await?;
        tracing::info!("waiting until everything that {name} accepted is applied");
        let result = applied::check(topology, name).await?;
        let applied::Applied { accepted, applied } = result;
        notes.push(format!(
            "{name}: {accepted} accepted, {} of them applied; {} more were durable, and the client gone before the answer.",
            accepted.min(applied),
            result.unanswered(),
        ));
    }
    let after = ingest.memory().ok_or_else(no_memory)?;
    metrics.push(Metric::once("ingest.rss_before_mib", mib(field.resident_before_kib)));
    metrics.push(Metric::once("ingest.rss_mib", mib(peak.peak_kib)).goal(Goal::AtMost(64.0)));
    metrics.push(Metric::once("ingest.rss_after_mib", mib(after.resident_kib)));
    field.stop().await?;
    Ok(super::report(metrics, notes).await)
}

/// The rates of one subject, round by round.
struct Rates {
    subject: &'static str,
    per_second: Vec<f64>,
}

/// Every subject in every round, and in another order each time, so that none always follows the same one.
async fn measure_rates(subjects: &[Subject], options: Options, folder: &Path) -> Result<Vec<Rates>, BenchError> {
    let threads = u32::try_from(cores()).unwrap_or(u32::MAX).min(options.connections);
    let wrk = Wrk { connections: options.connections, threads, duration: options.duration };
    for subject in subjects.iter().filter(|_subject| options.warm_up) {
        accepted_all(subject, &Wrk { duration: WARM_UP, ..wrk }.run(&subject.shot, folder).await?)?;
    }
    let mut rates: Vec<_> =
        subjects.iter().map(|subject| Rates { subject: subject.name, per_second: Vec::new() }).collect();
    for round in 0..options.rounds {
        tracing::info!("round {} of {}", round + 1, options.rounds);
        for place in 0..subjects.len() {
            let index = (round as usize + place) % subjects.len();
            let outcome = wrk.run(&subjects[index].shot, folder).await?;
            accepted_all(&subjects[index], &outcome)?;
            rates[index].per_second.push(outcome.per_second());
        }
    }
    Ok(rates)
}

fn accepted_all(subject: &Subject, outcome: &Outcome) -> Result<(), BenchError> {
    let Outcome { refused, socket_errors, .. } = *outcome;
    if refused + socket_errors == 0 {
        return Ok(());
    }
    Err(BenchError::Refused { subject: subject.name, refused, socket_errors })
}

fn metrics(rates: &[Rates]) -> Vec<Metric> {
    let of = |subject: &str| {
        rates.iter().find(|rates| rates.subject == subject).map(|rates| rates.per_second.clone()).unwrap_or_default()
    };
    let ratio = |name, over: &str, under: &str| {
        let rounds = of(over).into_iter().zip(of(under)).map(|(over, under)| over / under).collect();
        Metric::rounds(name, rounds)
    };
    let mut metrics: Vec<_> = rates
        .iter()
        .map(|rates| Metric::rounds(format!("ingest.{}_rps", rates.subject), rates.per_second.clone()))
        .collect();
    metrics.extend([
        ratio("ingest.durable_over_bare", "durable", "bare").goal(Goal::AtLeast(0.5)),
        ratio("ingest.durable_generic_over_bare", "durable_generic", "bare"),
        ratio("ingest.durable_over_parse", "durable", "parse"),
        ratio("ingest.replicated_over_bare", "replicated", "bare").goal(Goal::AtLeast(0.4)),
        ratio("ingest.durable_over_alertmanager", "durable", "alertmanager").goal(Goal::AtLeast(2.0)),
    ]);
    metrics
}

/// How long one sender waits that has the system for itself. Clock and client of the bench are part of it: what a durable
/// accept takes is the difference to the bare server.
async fn quiet_latency(client: &reqwest::Client, subject: &Subject) -> Result<[Metric; 2], BenchError> {
    let Subject { name, shot } = subject;
    let answers = open_loop(QUIET_REQUESTS, QUIET_INTERVAL * QUIET_REQUESTS, |_number| {
        let headers = shot.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let request = headers.fold(client.post(&shot.url), |request, (name, value)| request.header(name, value));
        let request = request.body(shot.body.clone());
        async move { request.send().await.is_ok_and(|response| response.status().is_success()) }
    })
    .await;
    let refused = answers.iter().filter(|answer| !answer.value).count() as u64;
    if refused > 0 {
        return Err(BenchError::Refused { subject: name, refused, socket_errors: 0 });
    }
    let took: Vec<_> = answers.iter().map(|answer| answer.took).collect();
    Ok([("p50", 0.5), ("p99", 0.99)]
        .map(|(figure, share)| Metric::once(format!("ingest.{name}_{figure}_ms"), millis(percentile(&took, share)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_round_by_round() {
        let rates = |subject, per_second: &[f64]| Rates { subject, per_second: per_second.to_vec() };
        let metrics = metrics(&[
            rates("bare", &[100.0, 50.0, 200.0]),
            rates("durable", &[50.0, 40.0, 120.0]),
            rates("alertmanager", &[10.0, 10.0, 10.0]),
        ]);
        let value = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap().value();
        assert!((value("ingest.bare_rps") - 100.0).abs() < f64::EPSILON);
        assert!((value("ingest.durable_over_bare") - 0.6).abs() < f64::EPSILON, "of 0.5, 0.8 and 0.6");
        assert!((value("ingest.durable_over_alertmanager") - 5.0).abs() < f64::EPSILON);
    }
}
