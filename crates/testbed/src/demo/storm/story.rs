//! What a responder sees when the storm is over.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::bench::BenchError;
use crate::{Topology, http};

/// Incidents that are shown one by one; of the others, their number.
const SHOWN: usize = 50;

/// A storm, in a few numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// Webhooks that were accepted.
    pub webhooks: usize,
    /// Alerts that they told of.
    pub alerts: usize,
    /// The incidents, oldest first.
    pub incidents: Vec<Incident>,
    /// How many incidents there are; more than those above when there are many.
    pub incident_count: usize,
    /// How many notices the ledger has, by what became of them.
    pub notices: BTreeMap<String, usize>,
    /// Messages that Slack got.
    pub messages: usize,
}

/// An incident as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Incident {
    /// What people call it.
    #[serde(rename = "incident_number")]
    pub number: i64,
    /// One line.
    pub title: String,
    /// How bad.
    pub severity: String,
    /// Where it stands.
    pub status: String,
    /// How many alerts are in it.
    pub alert_count: usize,
    /// When it was opened.
    pub triggered_at: DateTime<Utc>,
    /// When it was over.
    pub resolved_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct List<T> {
    data: Vec<T>,
    total: usize,
}

impl Story {
    /// Reads it where a responder would, and the ledger in the database.
    pub(super) async fn read(topology: &Topology, webhooks: usize, messages: usize) -> Result<Self, BenchError> {
        let alerts: List<serde_json::Value> = list(topology, "alerts?limit=1").await?;
        let mut incidents: List<Incident> = list(topology, "incidents?limit=250").await?;
        incidents.data.sort_by_key(|incident| incident.number);
        let rows = topology.tenant().sql("SELECT status, count(*) FROM notifications GROUP BY status").await?;
        let notices = rows.into_iter().map(|row| {
            let count = row[1].parse().map_err(|_not_a_number| BenchError::NotANumber { text: row[1].clone() })?;
            Ok((row[0].clone(), count))
        });
        Ok(Self {
            webhooks,
            alerts: alerts.total,
            incident_count: incidents.total,
            incidents: incidents.data,
            notices: notices.collect::<Result<_, BenchError>>()?,
            messages,
        })
    }

    fn noticed(&self, statuses: &[&str]) -> usize {
        statuses.iter().filter_map(|status| self.notices.get(*status)).sum()
    }
}

async fn list<T: DeserializeOwned>(topology: &Topology, path: &str) -> Result<List<T>, BenchError> {
    let url = format!("{}/api/v1/{path}", topology.url());
    let answer = http::client()?.get(url).bearer_auth(topology.token()).send().await?;
    Ok(answer.error_for_status()?.json().await?)
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { webhooks, alerts, incidents, incident_count, messages, .. } = self;
        writeln!(f, "{webhooks:>6} webhooks")?;
        writeln!(f, "{alerts:>6} alerts")?;
        writeln!(f, "{incident_count:>6} incidents")?;
        let (told, coalesced) = (self.noticed(&["delivered"]), self.noticed(&["superseded"]));
        let (waiting, dead) = (self.noticed(&["pending", "sending"]), self.noticed(&["dead"]));
        writeln!(
            f,
            "{told:>6} notices told ({messages} messages in Slack), {coalesced} coalesced, {waiting} waiting, {dead} dead\n"
        )?;
        writeln!(f, "{:>4}  {:<8}  {:<12}  {:>6}  {:>8}  title", "#", "severity", "status", "alerts", "lasted")?;
        for incident in incidents.iter().take(SHOWN) {
            let Incident { number, title, severity, status, alert_count, triggered_at, resolved_at } = incident;
            let lasted = resolved_at.map(|at| format!("{:.1} s", (at - triggered_at).as_seconds_f64()));
            let lasted = lasted.unwrap_or_else(|| "open".to_owned());
            writeln!(f, "{number:>4}  {severity:<8}  {status:<12}  {alert_count:>6}  {lasted:>8}  {title}")?;
        }
        match incident_count.saturating_sub(incidents.len().min(SHOWN)) {
            0 => Ok(()),
            more => writeln!(f, "      and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_is_told_in_a_table() {
        let at = |second| DateTime::from_timestamp(1_780_000_000 + second, 0).unwrap();
        let incident = |number, title: &str, over: Option<i64>| Incident {
            number,
            title: title.to_owned(),
            severity: "critical".to_owned(),
            status: if over.is_some() { "resolved" } else { "triggered" }.to_owned(),
            alert_count: 3,
            triggered_at: at(0),
            resolved_at: over.map(at),
        };
        let story = Story {
            webhooks: 10_000,
            alerts: 174,
            incidents: vec![incident(1, "orders-db: DatabaseDown", Some(21)), incident(2, "build-server: Disk", None)],
            incident_count: 3,
            notices: [("delivered", 4), ("superseded", 9), ("sending", 1)].map(|(s, n)| (s.to_owned(), n)).into(),
            messages: 4,
        };
        insta::assert_snapshot!(story, @r"
        10000 webhooks
          174 alerts
            3 incidents
            4 notices told (4 messages in Slack), 9 coalesced, 1 waiting, 0 dead

          #  severity  status        alerts    lasted  title
          1  critical  resolved           3    21.0 s  orders-db: DatabaseDown
          2  critical  triggered          3      open  build-server: Disk
             and 1 more
        ");
    }
}
