//! How fast the worker applies alerts, against a bare upsert of the same rows in the same Postgres; whether it stays as fast
//! when there are many; and how soon what was accepted can be read.
//!
//! The events stream is filled while the worker is stopped, so that it finds all its work when it starts. Its rate is taken
//! from the times at which it applied events, as the database has them: neither its start nor our looking counts.

mod ground;
mod upsert;
mod visible;
mod workload;

use std::path::Path;
use std::time::Duration;

use self::ground::{Ground, Run};
pub use self::visible::Pace;
use self::workload::{ALERTS_PER_DELIVERY, DELIVERIES_PER_BATCH, WORKING_SET};
use super::{BenchError, Goal, Metric, Report, mib, millis};
use crate::load::percentile;

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How often each is measured.
    pub rounds: u32,
    /// Events that are applied each time; rounded up to whole cycles of the workload.
    pub alerts: usize,
    /// Alerts that exist already in the large database; the small one has a thousand.
    pub existing: usize,
    /// How webhooks come while it is measured how soon they can be read.
    pub pace: Pace,
}

/// Measures. `folder` takes data and logs, and must be open to Postgres' account.
///
/// # Errors
/// When anything cannot be started, loses an event, or breaks an invariant of the state.
pub async fn run(options: Options, folder: &Path) -> Result<Report, BenchError> {
    let mut small = Ground::prepare(&folder.join("small"), WORKING_SET).await?;
    let mut large = Ground::prepare(&folder.join("large"), options.existing.max(WORKING_SET)).await?;
    let mut rounds = Rounds::default();
    for round in 0..options.rounds {
        tracing::info!("round {} of {}", round + 1, options.rounds);
        let grouped = Run { events: options.alerts, alerts_per_delivery: ALERTS_PER_DELIVERY };
        // A quarter: five times as many transactions take longer.
        let single = Run { events: options.alerts.div_ceil(4), alerts_per_delivery: 1 };
        rounds.small.push(small.measure(grouped).await?);
        rounds.large.push(large.measure(grouped).await?);
        rounds.single.push(small.measure(single).await?);
    }
    let mut metrics = rounds.metrics();
    let peak_kib = small.peak_kib.max(large.peak_kib);
    metrics.push(Metric::once("worker.rss_mib", mib(peak_kib)).goal(Goal::AtMost(64.0)));
    let mut notes = vec![format!(
        "{} rounds of {} events: alerts fire, are told of twice more, and are resolved; {ALERTS_PER_DELIVERY} in a \
         delivery (`single`: 1), at most {DELIVERIES_PER_BATCH} deliveries in a transaction, as many rows in a bare upsert. \
         {WORKING_SET} alerts exist, and {} in the large database.",
        options.rounds,
        workload::whole_cycles(options.alerts),
        large.existing(),
    )];
    for (name, ground) in [("small", &small), ("large", &large)] {
        notes.push(format!(
            "{name}: {} deliveries, each applied once; the state is as it must be.",
            ground.check().await?
        ));
        ground.stop().await?;
    }

    let delays = visible::measure(options.pace, &folder.join("visible")).await?;
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| millis(percentile(&delays, share)));
    metrics.push(Metric::once("pipeline.visible_p50_ms", p50));
    metrics.push(Metric::once("pipeline.visible_p99_ms", p99).goal(Goal::AtMost(50.0)));
    metrics.push(Metric::once("pipeline.visible_max_ms", max));
    let Pace { per_second, during } = options.pace;
    notes.push(format!(
        "visible: {} webhooks, {per_second} in a second for {} s; from the 2xx until a list of the API has the alert, \
         looked at over and over.",
        delays.len(),
        during.as_secs(),
    ));
    Ok(super::report(metrics, notes).await)
}

/// What one run gave, in alerts per second.
#[derive(Debug, Clone, Copy)]
struct Rates {
    worker: f64,
    upsert: f64,
}

/// What all rounds gave.
#[derive(Debug, Default)]
struct Rounds {
    small: Vec<Rates>,
    large: Vec<Rates>,
    single: Vec<Rates>,
}

impl Rounds {
    fn metrics(&self) -> Vec<Metric> {
        let mut metrics = Vec::new();
        for (kind, rates) in [("", &self.small), ("large_", &self.large), ("single_", &self.single)] {
            let each = |value: fn(&Rates) -> f64| rates.iter().map(value).collect();
            metrics.push(Metric::rounds(format!("worker.{kind}applied_rps"), each(|rates| rates.worker)));
            metrics.push(Metric::rounds(format!("worker.{kind}upsert_rps"), each(|rates| rates.upsert)));
            let ratio = each(|rates| rates.worker / rates.upsert);
            metrics.push(Metric::rounds(format!("worker.{kind}applied_over_upsert"), ratio));
        }
        for metric in metrics.iter_mut().filter(|metric| metric.name == "worker.applied_over_upsert") {
            metric.goal = Some(Goal::AtLeast(0.5));
        }
        let pairs = self.small.iter().zip(&self.large);
        let growth = pairs.map(|(small, large)| small.worker / large.worker).collect();
        metrics.push(Metric::rounds("worker.growth", growth).goal(Goal::AtMost(1.3)));
        metrics
    }
}

/// Longest time that the worker may take for what one run gives it.
const RUN_DEADLINE: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_round_by_round() {
        let rates = |worker, upsert| Rates { worker, upsert };
        let rounds = Rounds {
            small: vec![rates(30.0, 60.0), rates(10.0, 40.0), rates(80.0, 100.0)],
            large: vec![rates(15.0, 60.0), rates(10.0, 10.0), rates(20.0, 100.0)],
            single: vec![rates(1.0, 4.0)],
        };
        let metrics = rounds.metrics();
        let value = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap().value();
        assert!((value("worker.applied_over_upsert") - 0.5).abs() < f64::EPSILON, "of 0.5, 0.25 and 0.8");
        assert!((value("worker.growth") - 2.0).abs() < f64::EPSILON, "of 2, 1 and 4");
        assert!((value("worker.single_applied_over_upsert") - 0.25).abs() < f64::EPSILON);
    }
}
