//! What senders notice when a store goes away and comes back, under a steady load.
//!
//! Requests come at a fixed rate to two ingest processes behind the front door; some deliveries come twice. When all is
//! over, every delivery that was accepted must have acted, and none twice.

mod loss;
mod senders;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub use self::loss::Loss;
use self::senders::{Answer, Senders};
use super::{BenchError, Goal, Metric, Report, applied, keys, millis};
use crate::load::{Timed, open_loop, percentile};
use crate::poll::TimedOut;
use crate::topology::{Service, TopologyBuilder, random_token};
use crate::{Stores, Topology, poll};

/// Requests in a second, when it is measured.
const RATE: u32 = 500;
/// For how many seconds requests come.
const SECONDS: u32 = 8;
/// The second in which the trouble begins, and the one in which it ends.
const TROUBLE: std::ops::Range<u32> = 2..5;
/// How long the system may take until it accepts again once its stores are back.
const RECOVERY: Duration = Duration::from_secs(30);

/// What senders noticed of the loss of a store, and what became of what they sent.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// What happened.
    pub loss: Loss,
    /// Answers of 200 to 299.
    pub accepted: usize,
    /// Answers of 400 to 499.
    pub client_errors: usize,
    /// Answers of 500 and above.
    pub server_errors: usize,
    /// Answers of 500 and above that are not a 503 with `Retry-After`.
    pub unhelpful: usize,
    /// Why: how often each code of a problem was answered.
    pub codes: BTreeMap<String, usize>,
    /// Requests that were not answered at all.
    pub unanswered: usize,
    /// How long the answers took, from when the request was due.
    pub took: Vec<Duration>,
    /// Accepted deliveries that never acted.
    pub lost: usize,
    /// Deliveries that acted more than once.
    pub doubled: u64,
}

impl Verdict {
    /// The 99th percentile of the latency.
    #[must_use]
    pub fn p99(&self) -> Duration {
        percentile(&self.took, 0.99)
    }

    fn new(loss: Loss, answers: &[Timed<Answer>], missing: usize, doubled: u64) -> Self {
        let count = |is_so: fn(&Answer) -> bool| answers.iter().filter(|answer| is_so(&answer.value)).count();
        let mut codes = BTreeMap::new();
        for code in answers.iter().filter_map(|answer| answer.value.code.as_deref()) {
            *codes.entry(code.to_owned()).or_default() += 1;
        }
        Self {
            loss,
            accepted: count(Answer::is_accepted),
            client_errors: count(|answer| answer.status.is_some_and(|status| status.is_client_error())),
            server_errors: count(|answer| answer.status.is_some_and(|status| status.is_server_error())),
            unhelpful: count(|answer| {
                answer.status.is_some_and(|status| status.is_server_error()) && !answer.is_come_again()
            }),
            codes,
            unanswered: count(|answer| answer.status.is_none()),
            took: answers.iter().map(|answer| answer.took).collect(),
            lost: missing,
            doubled,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| millis(percentile(&self.took, share)));
        write!(
            f,
            "{:<18} 2xx {} 4xx {} 5xx {} unanswered {}; p50 {p50:.1} ms p99 {p99:.1} ms max {max:.1} ms; \
             accepted − applied {}, applied twice {}",
            self.loss.name(),
            self.accepted,
            self.client_errors,
            self.server_errors,
            self.unanswered,
            self.lost,
            self.doubled,
        )?;
        self.codes.iter().try_for_each(|(code, count)| write!(f, "; {count} {code}"))
    }
}

/// Starts a system as `builder` has it, makes it lose a store under a load of so many requests in a second, and judges.
///
/// # Errors
/// When the system does not start, or does not come back to accept and apply.
pub async fn observe(loss: Loss, rate: u32, builder: TopologyBuilder) -> Result<Verdict, BenchError> {
    let key = random_token();
    let topology = builder
        .own_stores()
        .config_text(keys::config(&key))
        .count(Service::Ingest, 2)
        .count(Service::Notifier, 0)
        .count(Service::Api, 0)
        .start()
        .await?;
    let verdict = observe_at(loss, rate, &topology, &key).await;
    if verdict.is_err() {
        tracing::warn!("{}", topology.log_tails(15));
    }
    topology.stop().await?;
    verdict
}

async fn observe_at(loss: Loss, rate: u32, topology: &Topology, key: &str) -> Result<Verdict, BenchError> {
    let stores = topology.stores().ok_or(BenchError::Broken { what: "the topology has no stores of its own" })?;
    let senders = Arc::new(Senders::new(topology, key)?);
    senders.warm_up().await?;
    let due = AtomicU32::new(0);
    let count = rate * SECONDS;
    let load = open_loop(count, Duration::from_secs(SECONDS.into()), |number| {
        due.store(number, Ordering::Relaxed);
        Arc::clone(&senders).send(number)
    });
    let (answers, trouble) =
        tokio::join!(load, make_trouble(loss, stores, async |second| wait_until_due(&due, second * rate).await));
    trouble?;
    stores.redis().wait_ready().await?;
    stores.postgres().wait_ready().await?;
    poll::until("the system to accept again", RECOVERY, async || {
        let answer = Arc::clone(&senders).send(count).await;
        if answer.is_accepted() { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await?;
    applied::drain(topology).await?;
    topology.verify().await?;
    let missing = senders::missing(topology, &answers).await?;
    let occurrences = applied::count(topology, "SELECT coalesce(sum(occurrences), 0) FROM alerts").await?;
    let events = applied::count(topology, "SELECT count(*) FROM event_ids").await?;
    Ok(Verdict::new(loss, &answers, missing, occurrences.abs_diff(events)))
}

async fn make_trouble(
    loss: Loss,
    stores: &Stores,
    wait_for_second: impl AsyncFn(u32) -> Result<(), TimedOut>,
) -> Result<(), BenchError> {
    wait_for_second(TROUBLE.start).await?;
    loss.begin(stores).await?;
    wait_for_second(TROUBLE.end).await?;
    loss.end(stores).await?;
    Ok(())
}

async fn wait_until_due(due: &AtomicU32, number: u32) -> Result<(), TimedOut> {
    let deadline = Duration::from_secs((2 * SECONDS).into());
    poll::until(format!("request {number} to be due"), deadline, async || {
        poll::expect(due.load(Ordering::Relaxed), |due| *due >= number).map(drop)
    })
    .await
}

/// Observes each loss with a system of its own, and reports. `folder` takes data and logs, and must be open to Postgres'
/// account.
///
/// # Errors
/// When anything that was accepted is lost or acts twice; and as [`observe`].
pub async fn run(folder: &Path) -> Result<Report, BenchError> {
    let (mut metrics, mut notes) = (Vec::new(), Vec::new());
    for loss in Loss::ALL {
        tracing::info!("{}", loss.name());
        let verdict = observe(loss, RATE, Topology::builder().folder(folder.join(loss.name()))).await?;
        let what = verdict.to_string();
        if verdict.lost > 0 {
            let (accepted, lost) = (verdict.accepted as u64, verdict.lost as u64);
            return Err(BenchError::Lost { what, accepted, applied: accepted.saturating_sub(lost) });
        }
        if verdict.doubled > 0 {
            return Err(BenchError::Doubled { what, doubled: verdict.doubled });
        }
        metrics.extend(figures(&verdict));
        notes.push(what);
    }
    Ok(super::report(metrics, notes).await)
}

fn figures(verdict: &Verdict) -> [Metric; 2] {
    #[expect(clippy::cast_precision_loss, reason = "a small number of requests")]
    let failures = (verdict.server_errors + verdict.unanswered) as f64;
    let name = |figure| format!("ingest.store_loss.{}_{figure}", verdict.loss.name().replace('-', "_"));
    let (errors, p99) = (Metric::once(name("5xx"), failures), Metric::once(name("p99_ms"), millis(verdict.p99())));
    if verdict.loss.leaves_a_store() {
        [errors.goal(Goal::AtMost(0.0)), p99.goal(Goal::AtMost(200.0))]
    } else {
        [errors, p99]
    }
}
