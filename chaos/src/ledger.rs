//! What was acknowledged, against what became of it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tocsin_testbed::doubles::Recorder;
use tocsin_testbed::poll;

use crate::error::{ChaosError, Result};
use crate::stage::Stage;
use crate::timeline::Timeline;
use crate::traffic::{Sent, Traffic};

/// How long everything may take to be applied, and then told of.
const DRAIN: Duration = Duration::from_mins(1);
/// Clocks of this machine agree; what is applied is looked for from a moment before the first request.
const BEFORE_S: f64 = 1.0;

/// The comparison.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// When events were applied.
    pub(crate) applied: Vec<Duration>,
    /// When the receiver was told for the first time of each delivery.
    pub(crate) told: Vec<Duration>,
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    pub(crate) notices_lost: usize,
    pub(crate) notices_doubled: usize,
    pub(crate) violation: Option<String>,
}

impl Ledger {
    /// Waits until nothing is left to do, and compares.
    pub(crate) async fn close(
        stage: &Stage,
        traffic: &Traffic,
        receiver: &Recorder,
        time: &Timeline,
        sent: &[Sent],
    ) -> Result<Self> {
        stage.wait_until_drained(DRAIN).await?;
        let accepted: Vec<&Sent> = sent.iter().filter(|sent| sent.is_accepted()).collect();
        let deliveries: HashSet<String> = accepted.iter().map(|sent| sent.delivery.to_string()).collect();
        // What was lost on the way to the database nobody can be told of.
        let applied = applied(stage, time).await?;
        let reached = |sent: &&&Sent| sent.event_id.as_ref().is_some_and(|id| applied.contains_key(id));
        let lost = accepted.iter().filter(|sent| !reached(sent)).count();
        let expected: HashSet<String> = accepted.iter().filter(reached).map(|sent| sent.delivery.to_string()).collect();
        // Who is not told in time is counted below.
        let _late = poll::until("the receiver to be told of everything", DRAIN, async || {
            poll::expect(missing(&expected, receiver, traffic), |missing| *missing == 0)
        })
        .await;
        let notices = notices(receiver, traffic);
        let doubled = stage
            .count(&format!(
                "SELECT count(*) FROM alerts WHERE labels->>'run' = '{}' AND occurrences > 1",
                traffic.run()
            ))
            .await?;
        Ok(Self {
            applied: applied.into_values().collect(),
            told: notices.first.into_values().map(|moment| time.offset_of(moment)).collect(),
            lost,
            doubled,
            notices_lost: missing(&deliveries, receiver, traffic),
            notices_doubled: notices.again,
            violation: stage.verify().await.err().map(|error| error.to_string()),
        })
    }
}

/// Which events were applied since the first request, and when.
async fn applied(stage: &Stage, time: &Timeline) -> Result<HashMap<String, Duration>> {
    let origin = time.origin_epoch();
    let rows = stage
        .sql(&format!(
            "SELECT id, extract(epoch FROM applied_at) - {origin} FROM event_ids \
             WHERE applied_at > to_timestamp({})",
            origin - BEFORE_S
        ))
        .await?;
    let parse = |row: Vec<String>| {
        let [id, after] = <[String; 2]>::try_from(row).ok()?;
        let after = Duration::try_from_secs_f64(after.parse().ok()?).unwrap_or_default();
        Some((id, after))
    };
    let parsed: Option<HashMap<_, _>> = rows.into_iter().map(parse).collect();
    parsed.ok_or_else(|| ChaosError::Program { program: "psql", said: "something else than ids and times".to_owned() })
}

/// What the receiver got.
struct Notices {
    /// When it was first told of each delivery.
    first: HashMap<String, std::time::SystemTime>,
    /// Notices beyond the first of their id.
    again: usize,
}

fn notices(receiver: &Recorder, traffic: &Traffic) -> Notices {
    let (mut first, mut ids, mut again) = (HashMap::new(), HashSet::new(), 0);
    for request in receiver.requests() {
        let Ok(body) = request.json() else { continue };
        let labels = &body["data"]["incident"]["labels"];
        if labels["run"].as_str() != Some(traffic.run()) {
            continue;
        }
        if let Some(number) = labels["number"].as_str() {
            first.entry(number.to_owned()).or_insert(request.at);
        }
        if !ids.insert(request.header("webhook-id").unwrap_or_default().to_owned()) {
            again += 1;
        }
    }
    Notices { first, again }
}

fn missing(deliveries: &HashSet<String>, receiver: &Recorder, traffic: &Traffic) -> usize {
    // Reading every body again and again would keep this machine busy: first there must be enough of them.
    let short = deliveries.len().saturating_sub(receiver.count());
    if short > 0 {
        return short;
    }
    let told = notices(receiver, traffic).first;
    deliveries.iter().filter(|delivery| !told.contains_key(*delivery)).count()
}
