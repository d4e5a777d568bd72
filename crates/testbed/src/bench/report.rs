//! What a bench found: a table for people, JSON for machines.

use std::fmt;

use serde::Serialize;
use serde::ser::SerializeMap as _;

use super::Machine;

/// The figures of one run on one machine.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// Of what.
    pub commit: Option<String>,
    /// The figures, in the order in which they are shown.
    #[serde(serialize_with = "as_map")]
    pub metrics: Vec<Metric>,
    /// Facts that are no figures, a line each: what was checked, and how the figures came about.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// One figure, measured once or in several rounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name, as documented.
    pub name: String,
    /// What each round gave; at least one value.
    pub values: Vec<f64>,
    /// The figure to reach, if there is one.
    pub goal: Option<Goal>,
}

/// A figure to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(f, "≥ {bound}"),
            Self::AtMost(bound) => write!(f, "≤ {bound}"),
        }
    }
}

impl Metric {
    /// A figure that was measured once.
    pub fn once(name: impl Into<String>, value: f64) -> Self {
        Self::rounds(name, vec![value])
    }

    /// A figure that was measured in rounds; its value is their median.
    pub fn rounds(name: impl Into<String>, values: Vec<f64>) -> Self {
        Self { name: name.into(), values, goal: None }
    }

    /// Sets the figure to reach.
    #[must_use]
    pub fn goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self
    }

    /// Its value: the median of its rounds.
    #[must_use]
    pub fn value(&self) -> f64 {
        median(&self.values)
    }
}

/// The middle of the values; between the two in the middle when there is no one middle. 0 of none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        length if length % 2 == 1 => sorted[length / 2],
        length => f64::midpoint(sorted[length / 2 - 1], sorted[length / 2]),
    }
}

fn as_map<S: serde::Serializer>(metrics: &[Metric], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(metrics.len()))?;
    for metric in metrics {
        // Three digits after the point are more than any of it is worth.
        map.serialize_entry(&metric.name, &((metric.value() * 1e3).round() / 1e3))?;
    }
    map.end()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { cpu, cores, kernel, memory_mib } = &self.machine;
        let commit = self.commit.as_deref().unwrap_or("unknown");
        writeln!(f, "{cpu}, {cores} cores, {memory_mib} MiB, Linux {kernel}; commit {commit}\n")?;
        let width = self.metrics.iter().map(|metric| metric.name.len()).max().unwrap_or(0);
        writeln!(f, "{:width$} {:>11} {:>11} {:>11}  {:<8} met", "metric", "min", "median", "max", "goal")?;
        for metric in &self.metrics {
            let min = metric.values.iter().copied().fold(f64::INFINITY, f64::min);
            let max = metric.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let [min, median, max] = [min, metric.value(), max].map(shown);
            let line = format!("{:width$} {min:>11} {median:>11} {max:>11}", metric.name);
            match metric.goal {
                Some(goal) => {
                    let is_met = if goal.is_met(metric.value()) { "yes" } else { "NO" };
                    writeln!(f, "{line}  {:<8} {is_met}", goal.to_string())?;
                }
                None => writeln!(f, "{line}")?,
            }
        }
        for note in &self.notes {
            write!(f, "\n{note}")?;
        }
        Ok(())
    }
}

/// As precise as a figure of its size is worth.
fn shown(value: f64) -> String {
    if value.abs() >= 1000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let machine = Machine { cpu: "A CPU".to_owned(), cores: 2, kernel: "6.1.0".to_owned(), memory_mib: 24_105 };
        let metrics = vec![
            Metric::rounds("ingest.bare_rps", vec![50_000.4, 48_000.0, 49_000.123_456]),
            Metric::rounds("ingest.durable_over_bare", vec![0.5, 0.612_345, 0.6, 0.7]).goal(Goal::AtLeast(0.5)),
            Metric::once("ingest.rss_mib", 70.0).goal(Goal::AtMost(64.0)),
        ];
        Report {
            machine, commit: Some("0123abc".to_owned()), metrics, notes: vec!["accepted − applied: 0".to_owned()]
        }
    }

    #[test]
    fn the_json_has_machine_commit_and_one_number_for_each_name() {
        insta::assert_json_snapshot!(report(), @r#"
        {
          "machine": {
            "cpu": "A CPU",
            "cores": 2,
            "kernel": "6.1.0",
            "memory_mib": 24105
          },
          "commit": "0123abc",
          "metrics": {
            "ingest.bare_rps": 49000.123,
            "ingest.durable_over_bare": 0.606,
            "ingest.rss_mib": 70.0
          }
        }
        "#);
    }

    #[test]
    fn the_table_tells_the_spread_and_whether_goals_are_met() {
        insta::assert_snapshot!(report());
    }
}
