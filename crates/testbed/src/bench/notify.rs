//! How soon people are told, how fast one notifier delivers against a bare loop of HTTP requests, and what a destination that
//! hangs does to the others.

mod drain;
pub mod pipeline;

use std::path::Path;
use std::time::Duration;

pub use self::pipeline::{Isolation, Pace};
use super::{BenchError, Goal, Metric, Report, millis};
use crate::load::percentile;

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How often each is measured.
    pub rounds: u32,
    /// Notices that one notifier delivers each time.
    pub notices: usize,
    /// How webhooks come while it is measured how soon people are told.
    pub pace: Pace,
}

/// Measures. `folder` takes data and logs, and must be open to Postgres' account.
///
/// # Errors
/// When anything cannot be started, or a notice is lost or told twice.
pub async fn run(options: Options, folder: &Path) -> Result<Report, BenchError> {
    let mut drain = drain::Ground::prepare(&folder.join("drain")).await?;
    let (mut notifier, mut loops, mut double) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..options.rounds {
        tracing::info!("round {} of {}", round + 1, options.rounds);
        let rates = drain.measure(options.notices).await?;
        notifier.push(rates.notifier);
        loops.push(rates.requests);
        double.push(rates.double);
    }
    let ratio = notifier.iter().zip(&loops).map(|(notifier, requests)| notifier / requests).collect();
    let mut metrics = vec![
        Metric::rounds("notify.delivered_rps", notifier),
        Metric::rounds("notify.reqwest_rps", loops),
        Metric::rounds("notify.double_rps", double),
        Metric::rounds("notify.delivered_over_reqwest", ratio).goal(Goal::AtLeast(0.5)),
        Metric::once("notify.rss_mib", super::mib(drain.peak_kib)).goal(Goal::AtMost(64.0)),
    ];
    drain.stop().await?;

    let ground = pipeline::Ground::prepare(&folder.join("pipeline")).await?;
    let delays = ground.told(options.pace).await?;
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
        let metric = Metric::once(format!("pipeline.notified_{name}_ms"), millis(percentile(&delays, share)));
        metrics.push(if name == "p99" { metric.goal(Goal::AtMost(150.0)) } else { metric });
    }
    let Pace { per_second, during } = options.pace;
    let window = Pace { per_second, during: (during / WINDOWS).max(Duration::from_secs(1)) };
    let isolation = ground.isolation(window, options.rounds * WINDOWS).await?;
    ground.stop().await?;
    let each = |windows: &[Duration]| windows.iter().copied().map(millis).collect();
    metrics.push(Metric::rounds("notify.quiet_p99_ms", each(&isolation.quiet_p99)));
    metrics.push(Metric::rounds("notify.beside_hanging_p99_ms", each(&isolation.hanging_p99)));
    metrics.push(Metric::once("notify.isolation_p99_growth", isolation.growth()).goal(Goal::AtMost(1.1)));

    let notes = vec![
        format!(
            "delivered: {} notices of as many incidents as there are for {} receivers, all due when the notifier starts; from \
             the first request to the last. reqwest: as many of the same requests by a loop with the same concurrency ({}). \
             double: what the provider's double answers to wrk, so that it is not what is measured.",
            options.notices,
            drain::RECEIVERS,
            drain::CONCURRENCY,
        ),
        format!(
            "notified: {per_second} webhooks in a second for {} s, each of a new incident that is told at once; from the 2xx \
             until the request is at the provider.",
            during.as_secs(),
        ),
        format!(
            "isolation: the same, with one webhook in {} for another destination that answers at once (quiet) or not for a \
             minute (hanging), by turns in windows of {} s; p99 of the others, medians of the windows.",
            pipeline::HANGING_EVERY,
            window.during.as_secs(),
        ),
    ];
    Ok(super::report(metrics, notes).await)
}

/// Windows of each kind in which a round measures isolation, and parts of the time of a round that each takes.
const WINDOWS: u32 = 2;
/// Longest that a provider may be waited for.
const PATIENCE: Duration = Duration::from_mins(2);
