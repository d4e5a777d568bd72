//! What all runs came to: a table for people, a file for machines.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tocsin_testbed::bench::{Machine, commit, median};

use crate::figures::Figures;
use crate::scenario::{Scenario, Setting};

/// The runs of all scenarios.
#[derive(Debug)]
pub(crate) struct Report {
    setting: Setting,
    scenarios: Vec<(Scenario, Vec<Figures>, Vec<String>)>,
    /// Which were not run, and what they need.
    left_out: Vec<(Scenario, &'static str)>,
}

/// A figure's name in the file, and where it is.
type Figure<T> = (&'static str, fn(&Figures) -> T);

/// Times of a scenario, each with its name in the file.
const TIMES: [Figure<f64>; 5] = [
    ("accept_p99_ms", |figures| figures.accept_p99_ms),
    ("accept_rto_s", |figures| figures.accept_rto_s),
    ("read_rto_s", |figures| figures.read_rto_s),
    ("apply_rto_s", |figures| figures.apply_rto_s),
    ("notify_rto_s", |figures| figures.notify_rto_s),
];

/// Counts of a scenario. What counts is the worst run: a median of 0 may hide a loss.
const COUNTS: [Figure<usize>; 7] = [
    ("accept_5xx", |figures| figures.accept_5xx),
    ("read_failures", |figures| figures.read_failures),
    ("health_failures", |figures| figures.health_failures),
    ("lost", |figures| figures.lost),
    ("doubled", |figures| figures.doubled),
    ("notices_lost", |figures| figures.notices_lost),
    ("notices_doubled", |figures| figures.notices_doubled),
];

/// A file of figures, as it is read again.
#[derive(Debug, Deserialize)]
pub(crate) struct File {
    pub(crate) machine: MachineOf,
    pub(crate) commit: Option<String>,
    #[serde(default)]
    pub(crate) date: String,
    pub(crate) topology: String,
    pub(crate) scenarios: BTreeMap<String, BTreeMap<String, f64>>,
}

/// Where figures were taken.
#[derive(Debug, Deserialize)]
pub(crate) struct MachineOf {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) memory_mib: u64,
}

impl Report {
    pub(crate) fn new(setting: Setting) -> Self {
        Self { setting, scenarios: Vec::new(), left_out: Vec::new() }
    }

    pub(crate) fn add(&mut self, scenario: Scenario, figures: Figures, broken: Vec<String>) {
        match self.scenarios.iter_mut().find(|(known, ..)| *known == scenario) {
            Some((_, runs, all_broken)) => {
                runs.push(figures);
                all_broken.extend(broken);
            }
            None => self.scenarios.push((scenario, vec![figures], broken)),
        }
    }

    /// Notes what could not be run, and what it needs.
    pub(crate) fn leave_out(&mut self, scenario: Scenario, need: &'static str) {
        self.left_out.push((scenario, need));
    }

    /// The promises that were broken, with the scenario.
    pub(crate) fn broken(&self) -> impl Iterator<Item = String> {
        self.scenarios
            .iter()
            .flat_map(|(scenario, _, broken)| broken.iter().map(move |broken| format!("{}: {broken}", scenario.name())))
    }

    /// As the file has it.
    pub(crate) async fn json(&self, date: String) -> Value {
        let scenarios: Map<String, Value> =
            self.scenarios.iter().map(|(scenario, runs, _)| (scenario.name().to_owned(), summary(runs))).collect();
        let left_out: Vec<&str> = self.left_out.iter().map(|(scenario, _)| scenario.name()).collect();
        json!({
            "machine": Machine::this(),
            "commit": commit().await,
            "date": date,
            "topology": self.setting.name(),
            "scenarios": scenarios,
            "left_out": left_out,
        })
    }
}

/// Medians of times, each with its maximum, and the worst of counts.
fn summary(runs: &[Figures]) -> Value {
    let mut summary = Map::new();
    summary.insert("runs".to_owned(), json!(runs.len()));
    for (name, time) in TIMES {
        let times: Vec<f64> = runs.iter().map(time).collect();
        summary.insert(name.to_owned(), rounded(median(&times)));
        summary.insert(format!("{name}_max"), rounded(largest(&times)));
    }
    for (name, count) in COUNTS {
        summary.insert(name.to_owned(), json!(runs.iter().map(count).max().unwrap_or(0)));
    }
    Value::Object(summary)
}

fn largest(times: &[f64]) -> f64 {
    times.iter().copied().fold(0.0, f64::max)
}

/// Three digits after the point are more than any of it is worth.
fn rounded(value: f64) -> Value {
    json!((value * 1e3).round() / 1e3)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<18} {:>4} {:>9} {:>6} {:>9} {:>8} {:>8} {:>8} {:>8} {:>6} {:>6} {:>5} {:>7} {:>7} {:>7}",
            "scenario",
            "runs",
            "accepted",
            "5xx",
            "p99 ms",
            "accept s",
            "read s",
            "apply s",
            "notify s",
            "reads",
            "health",
            "lost",
            "doubled",
            "untold",
            "twice"
        )?;
        for (scenario, runs, broken) in &self.scenarios {
            let time = |index: usize| median(&runs.iter().map(TIMES[index].1).collect::<Vec<_>>());
            let count = |index: usize| runs.iter().map(COUNTS[index].1).max().unwrap_or(0);
            writeln!(
                f,
                "{:<18} {:>4} {:>9} {:>6} {:>9.1} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>6} {:>6} {:>5} {:>7} {:>7} {:>7}",
                scenario.name(),
                runs.len(),
                runs.iter().map(|run| run.accepted).sum::<usize>(),
                count(0),
                time(0),
                time(1),
                time(2),
                time(3),
                time(4),
                count(1),
                count(2),
                count(3),
                count(4),
                count(5),
                count(6)
            )?;
            for broken in broken {
                writeln!(f, "  BROKEN: {broken}")?;
            }
        }
        for (scenario, need) in &self.left_out {
            writeln!(f, "{:<18} LEFT OUT: needs {need}", scenario.name())?;
        }
        write!(
            f,
            "\nTimes are medians; the longest time without an accepted webhook, an answered read, an applied event, a notice.\n\
             Counts are those of the worst run: failed webhooks, failed reads, processes not alive; deliveries lost and acted on\n\
             twice; deliveries nobody was told of, notices that came again."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(apply_rto_s: f64, lost: usize) -> Figures {
        Figures { accepted: 1_000, accept_p99_ms: 12.3456, apply_rto_s, lost, ..Figures::default() }
    }

    #[test]
    fn times_are_medians_with_their_maximum_and_counts_are_the_worst() {
        insta::assert_json_snapshot!(summary(&[run(1.0, 0), run(2.5, 1), run(1.5, 0)]), @r#"
        {
          "accept_5xx": 0,
          "accept_p99_ms": 12.346,
          "accept_p99_ms_max": 12.346,
          "accept_rto_s": 0.0,
          "accept_rto_s_max": 0.0,
          "apply_rto_s": 1.5,
          "apply_rto_s_max": 2.5,
          "doubled": 0,
          "health_failures": 0,
          "lost": 1,
          "notices_doubled": 0,
          "notices_lost": 0,
          "notify_rto_s": 0.0,
          "notify_rto_s_max": 0.0,
          "read_failures": 0,
          "read_rto_s": 0.0,
          "read_rto_s_max": 0.0,
          "runs": 3
        }
        "#);
    }

    #[test]
    fn what_is_broken_is_told_with_its_scenario() {
        let mut report = Report::new(Setting::Single);
        report.add(Scenario::RedisKilled, run(1.0, 0), Vec::new());
        report.add(Scenario::RedisKilled, run(1.0, 2), vec!["2 deliveries are lost".to_owned()]);
        assert_eq!(report.broken().collect::<Vec<_>>(), ["redis-killed: 2 deliveries are lost"]);
        assert!(report.to_string().contains("BROKEN: 2 deliveries"));
    }

    #[test]
    fn what_is_left_out_is_told_by_name() {
        let mut report = Report::new(Setting::Ha);
        report.leave_out(Scenario::NetworkSplit, "root");
        assert!(report.to_string().contains("network-split      LEFT OUT: needs root"), "{report}");
        assert_eq!(report.broken().count(), 0);
    }
}
