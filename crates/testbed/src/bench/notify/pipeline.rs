//! How soon people are told: through the whole system, from the answer to a webhook until the request is at the provider.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::PATIENCE;
use crate::bench::{BenchError, applied, keys};
use crate::doubles::{Answer, Recorder};
use crate::load::{open_loop, percentile};
use crate::topology::{Service, random_token};
use crate::{Topology, http, poll};

/// Receivers of the others.
const RECEIVERS: u32 = 4;
/// The receiver whose destination hangs, and which share of the webhooks is for it.
const HANGING: &str = "hanging";
pub(super) const HANGING_EVERY: u32 = 10;
/// For how long it hangs: nobody waits for as long.
const HANGS_FOR: Duration = Duration::from_mins(1);

/// How long a notifier waits for an answer: the longest that it may, so that what hangs is in the way for as long as can be.
const REQUEST_TIMEOUT: &str = "15s";

/// How webhooks come.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Webhooks in a second.
    pub per_second: u32,
    /// For how long.
    pub during: Duration,
}

/// What a destination that hangs does to the others: their p99 in one window of time after the other, in which it answers and
/// hangs by turns. What else goes on at the machine is in both.
#[derive(Debug, Clone)]
pub struct Isolation {
    /// How long people wait while it does not.
    pub quiet_p99: Vec<Duration>,
    /// And while it does.
    pub hanging_p99: Vec<Duration>,
}

impl Isolation {
    /// How many times as long they wait: the median window of the one kind, by that of the other.
    #[must_use]
    pub fn growth(&self) -> f64 {
        percentile(&self.hanging_p99, 0.5).as_secs_f64() / percentile(&self.quiet_p99, 0.5).as_secs_f64().max(1e-6)
    }
}

/// A whole system, whose providers record.
pub struct Ground {
    topology: Topology,
    provider: Recorder,
    key: String,
}

impl Ground {
    /// Starts one.
    ///
    /// # Errors
    /// When anything cannot be started.
    pub async fn prepare(folder: &Path) -> Result<Self, BenchError> {
        let (provider, key) = (Recorder::start()?, random_token());
        let names = || (0..RECEIVERS).map(|n| format!("r{n}")).chain([HANGING.to_owned()]);
        let receivers: Vec<String> = names()
            .map(|name| {
                let url = format!("{}/{name}", provider.url());
                format!("  - {{name: {name}, webhook: {{url: \"{url}\", allow_private: true, per_second: 1000}}}}\n")
            })
            .collect();
        let routes: Vec<String> =
            names().map(|name| format!("    - {{matchers: ['team=\"{name}\"'], receiver: {name}}}\n")).collect();
        let topology = Topology::builder()
            .own_stores()
            .folder(folder)
            .config_text(format!(
                "{}route:\n  receiver: r0\n  group_by: [number, run]\n  group_wait: 0s\n  routes:\n{}receivers:\n{}",
                keys::config(&key),
                routes.concat(),
                receivers.concat()
            ))
            .count(Service::Api, 0)
            .env_for(Service::Notifier, "TOCSIN_NOTIFIER_REQUEST_TIMEOUT", REQUEST_TIMEOUT)
            .start()
            .await?;
        Ok(Self { topology, provider, key })
    }

    /// How long people wait.
    pub(super) async fn told(&self, pace: Pace) -> Result<Vec<Duration>, BenchError> {
        self.measure(pace, |number| format!("r{}", number % RECEIVERS)).await
    }

    /// How long people wait while another destination hangs, and while it does not, in so many pairs of windows.
    ///
    /// # Errors
    /// When a webhook is refused, or a notice to one of the others does not come.
    pub async fn isolation(&self, pace: Pace, pairs: u32) -> Result<Isolation, BenchError> {
        let team = |number: u32| match number % HANGING_EVERY {
            0 => HANGING.to_owned(),
            _ => format!("r{}", number % RECEIVERS),
        };
        let path = format!("/{HANGING}");
        let mut isolation = Isolation { quiet_p99: Vec::new(), hanging_p99: Vec::new() };
        for pair in 0..pairs {
            // What comes first differs from pair to pair, so that what grows with time is in both.
            for hangs in [pair % 2 == 1, pair % 2 == 0] {
                self.settle().await?;
                let answer = if hangs { Answer::ok().delay(HANGS_FOR) } else { Answer::ok() };
                self.provider.set_default_at(&path, answer);
                let p99 = percentile(&self.measure(pace, team).await?, 0.99);
                if hangs {
                    isolation.hanging_p99.push(p99);
                } else {
                    isolation.quiet_p99.push(p99);
                }
                self.provider.set_default_at(&path, Answer::ok());
            }
        }
        Ok(isolation)
    }

    /// Waits until nothing is left of a window: what hung has ended and was told.
    async fn settle(&self) -> Result<(), BenchError> {
        let open = "SELECT count(*) FROM notifications WHERE finished_at IS NULL";
        poll::until("everything to be told", PATIENCE, async || {
            let open = self.topology.tenant().sql(open).await.map_err(|error| error.to_string())?;
            poll::expect(open, |open| *open == [["0"]])
        })
        .await
        .map_err(crate::TestbedError::from)?;
        Ok(())
    }

    /// Sends webhooks, and gives the time from each 2xx until its notice was at the provider; those of the destination that may
    /// hang are left out.
    async fn measure(&self, pace: Pace, team: impl Fn(u32) -> String) -> Result<Vec<Duration>, BenchError> {
        self.provider.clear();
        let run = random_token();
        let count = pace.per_second * u32::try_from(pace.during.as_secs()).unwrap_or(u32::MAX);
        let client = http::client()?;
        let url = format!("{}/api/v1/webhooks/generic", self.topology.url());
        let answers = open_loop(count, pace.during, |number| {
            let alert = alert(number, &team(number), &run);
            let request = client.post(&url).bearer_auth(&self.key).json(&alert);
            async move {
                let accepted = request.send().await.is_ok_and(|response| response.status().is_success());
                accepted.then(|| (number, SystemTime::now()))
            }
        })
        .await;
        let wanted = (0..count).filter(|number| team(*number) != HANGING).count();
        poll::until("everybody to be told", PATIENCE, async || {
            let told = self.provider.count() - self.provider.count_at(&format!("/{HANGING}"));
            poll::expect(told, |told| *told >= wanted)
        })
        .await
        .map_err(crate::TestbedError::from)?;

        let mut arrived: HashMap<u32, SystemTime> = HashMap::new();
        for request in self.provider.requests() {
            let labels = request.json().map(|body| body["data"]["incident"]["labels"].clone()).unwrap_or_default();
            if let Some(number) = labels["number"].as_str().and_then(|number| number.parse().ok()) {
                arrived.entry(number).or_insert(request.at);
            }
        }
        let mut delays = Vec::with_capacity(wanted);
        for answer in answers {
            let refused = BenchError::Refused { subject: "notified", refused: 1, socket_errors: 0 };
            let (number, accepted) = answer.value.ok_or(refused)?;
            if team(number) == HANGING {
                continue;
            }
            let arrived = arrived.get(&number).ok_or(BenchError::Broken { what: "nobody was told of a webhook" })?;
            // The provider may have it before the sender has its answer.
            delays.push(arrived.duration_since(accepted).unwrap_or_default());
        }
        Ok(delays)
    }

    /// Finds the state as it must be, and stops.
    ///
    /// # Errors
    /// When anything that was accepted is not there.
    pub async fn stop(&self) -> Result<(), BenchError> {
        applied::check(&self.topology, "notified").await?;
        Ok(self.topology.stop().await?)
    }
}

/// Of an incident of its own.
fn alert(number: u32, team: &str, run: &str) -> serde_json::Value {
    json!({
        "title": format!("Pod {number} answers slowly"),
        "external_id": format!("{run}-{number}"),
        "status": "firing",
        "severity": "critical",
        "description": "The 99th percentile of its latency has been above 500 ms for ten minutes.",
        "labels": {"alertname": "HighRequestLatency", "number": number.to_string(), "run": run, "team": team},
    })
}
