//! What a process says of itself to its like, for the system page.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use metrics_exporter_prometheus::BuildError;
use serde::{Deserialize, Serialize};

use crate::config::ServiceConfig;
use crate::health::Readiness;
use crate::telemetry::MetricsPage;

/// How old the last word of a process may be that still counts as running.
const PRESENT_FOR: TimeDelta = TimeDelta::seconds(10);
/// How old it is when the process is forgotten.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::minutes(1);
/// Shortest time of which a rate is told.
const MIN_PERIOD: Duration = Duration::from_millis(500);

/// What it says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as documented of /api/v1/system")]
pub struct Status {
    pub service: String,
    pub instance: String,
    pub version: String,
    pub started_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    pub ready: bool,
    /// What it does, per second, over the last two seconds or so.
    pub rates: BTreeMap<String, f64>,
}

impl Status {
    /// What was said at that time or before, if it can be read.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Whether the process counts as running.
    #[must_use]
    pub fn is_present(&self, now: DateTime<Utc>) -> bool {
        now - self.seen_at < PRESENT_FOR
    }

    /// Whether a text is of a process that has been gone for a minute, or cannot be read.
    #[must_use]
    pub fn is_stale(text: &str) -> bool {
        Self::read(text).is_none_or(|status| Utc::now() - status.seen_at > FORGOTTEN_AFTER)
    }
}

/// Says it, again and again.
#[derive(Debug)]
pub struct Reporter {
    status: Status,
    readiness: Readiness,
    page: MetricsPage,
    rates: &'static [(&'static str, &'static str)],
    last: Option<(Instant, Vec<f64>)>,
}

impl Reporter {
    /// For this process. `rates` are names, each with the counter of ours from which the rate is computed.
    pub fn new(
        service: &'static str,
        config: &ServiceConfig,
        readiness: &Readiness,
        rates: &'static [(&'static str, &'static str)],
    ) -> Result<Self, BuildError> {
        let now = Utc::now();
        let status = Status {
            service: service.to_owned(),
            instance: config.instance.clone(),
            version: config.version.to_owned(),
            started_at: now,
            seen_at: now,
            ready: false,
            rates: BTreeMap::new(),
        };
        Ok(Self { status, readiness: readiness.clone(), page: MetricsPage::install()?, rates, last: None })
    }

    /// By what others can tell this process from theirs.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.status.service, self.status.instance)
    }

    /// What there is to say now, in JSON.
    pub fn say(&mut self) -> String {
        let now = Instant::now();
        let page = self.page.render();
        let counts: Vec<f64> = self.rates.iter().map(|(_, counter)| sum_of(&page, counter)).collect();
        if let Some((before, last)) = &self.last
            && let period = now - *before
            && period >= MIN_PERIOD
        {
            let rate = |(count, last): (&f64, &f64)| ((count - last) / period.as_secs_f64() * 100.0).round() / 100.0;
            let names = self.rates.iter().map(|(name, _)| (*name).to_owned());
            self.status.rates = names.zip(counts.iter().zip(last).map(rate)).collect();
        }
        self.last = Some((now, counts));
        self.status.seen_at = Utc::now();
        self.status.ready = self.readiness.is_ready();
        serde_json::to_string(&self.status).unwrap_or_default()
    }
}

/// The sum of a counter over all its labels, from a page in Prometheus' text format.
fn sum_of(page: &str, counter: &str) -> f64 {
    let value = |line: &str| {
        let rest = line.strip_prefix(counter)?;
        let is_whole_name = rest.starts_with([' ', '{']);
        is_whole_name.then(|| rest.rsplit(' ').next()?.parse::<f64>().ok()).flatten()
    };
    page.lines().filter_map(value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_summed_over_its_labels_and_no_others() {
        let page = "# TYPE a_total counter\na_total{x=\"1 2\"} 3\na_total{x=\"2\"} 4\na_total_more 5\nb_a_total 6\n";
        assert!((sum_of(page, "a_total") - 7.0).abs() < 1e-9);
        assert!((sum_of("a_total 2", "a_total") - 2.0).abs() < 1e-9);
        assert!(sum_of(page, "c_total").abs() < 1e-9);
    }

    #[test]
    fn who_has_been_silent_is_gone_and_then_forgotten() {
        let status = Status {
            service: "worker".to_owned(),
            instance: "worker-1".to_owned(),
            version: "0.1.0".to_owned(),
            started_at: Utc::now(),
            seen_at: Utc::now(),
            ready: true,
            rates: BTreeMap::from([("applied_per_s".to_owned(), 1.5)]),
        };
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(Status::read(&text), Some(status.clone()));
        assert!(status.is_present(status.seen_at + TimeDelta::seconds(9)));
        assert!(!status.is_present(status.seen_at + TimeDelta::seconds(10)));
        let old = Status { seen_at: Utc::now() - TimeDelta::minutes(2), ..status };
        assert!(!Status::is_stale(&text) && Status::is_stale(&serde_json::to_string(&old).unwrap()));
        assert!(Status::is_stale("nonsense"));
    }
}
