//! How each sender tells of it.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::Client;
use serde_json::{Value, json};
use tocsin_shared::AlertStatus;

use super::outage::{DATABASE, Outage, Sender, Told};
use crate::{Result, Topology, http};

/// All senders, in front of the front door.
pub(super) struct Senders {
    client: Client,
    /// Where each of [`Sender::ALL`] sends to.
    urls: [String; Sender::ALL.len()],
    begun: DateTime<Utc>,
    during: Duration,
}

impl Senders {
    /// Of a storm that begins at `begun`.
    pub(super) fn new(
        topology: &Topology,
        keys: &[(Sender, String); Sender::ALL.len()],
        begun: DateTime<Utc>,
        during: Duration,
    ) -> Result<Self> {
        let url =
            |index: usize| format!("{}/api/v1/webhooks/{}/{}", topology.url(), keys[index].0.source(), keys[index].1);
        Ok(Self { client: http::client()?, urls: std::array::from_fn(url), begun, during })
    }

    /// Sends a webhook. Says whether it was accepted.
    pub(super) fn send(&self, outage: &Outage, told: &[Told]) -> impl Future<Output = bool> + Send + 'static {
        let sender = outage.alerts[told[0].alert].sender;
        let body = match sender {
            Sender::Prometheus => self.group("4", outage, told),
            Sender::Grafana => self.group("1", outage, told),
            Sender::Datadog => self.datadog(outage, told[0]),
            Sender::Generic => self.generic(outage, told[0]),
        };
        let request = self.client.post(&self.urls[sender as usize]).json(&body);
        async move { request.send().await.is_ok_and(|response| response.status().is_success()) }
    }

    fn time(&self, share: f64) -> DateTime<Utc> {
        self.begun + TimeDelta::from_std(self.during.mul_f64(share)).unwrap_or_default()
    }

    fn text(&self, share: f64) -> String {
        self.time(share).to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    fn group(&self, version: &str, outage: &Outage, told: &[Told]) -> Value {
        let alerts = told.iter().map(|told| {
            let resolved = told.status == AlertStatus::Resolved;
            let ends_at = if resolved { self.text(told.spell.until) } else { "0001-01-01T00:00:00Z".to_owned() };
            json!({
                "status": told.status,
                "labels": labels(outage, *told),
                "annotations": {"summary": title(outage, *told), "description": "See the dashboard of the service."},
                "startsAt": self.text(told.spell.from),
                "endsAt": ends_at,
                "generatorURL": "https://monitoring.example.com/graph",
            })
        });
        json!({"version": version, "alerts": alerts.collect::<Vec<_>>()})
    }

    fn datadog(&self, outage: &Outage, told: Told) -> Value {
        let alert = &outage.alerts[told.alert];
        let labels = labels(outage, told);
        let tags: Vec<_> = labels.as_object().into_iter().flatten().collect();
        let tags: Vec<_> =
            tags.iter().map(|(name, value)| format!("{name}:{}", value.as_str().unwrap_or_default())).collect();
        let resolved = told.status == AlertStatus::Resolved;
        json!({
            "alert_cycle_key": format!("{}/{}", alert.service, alert.name),
            "alert_transition": if resolved { "Recovered" } else { "Triggered" },
            "alert_type": if resolved { "success" } else { "error" },
            "alert_priority": "P2",
            "title": title(outage, told),
            "tags": tags.join(","),
            "date": self.time(told.at).timestamp_millis().to_string(),
        })
    }

    fn generic(&self, outage: &Outage, told: Told) -> Value {
        let alert = &outage.alerts[told.alert];
        let mut body = json!({
            "title": title(outage, told),
            "external_id": format!("{}/{}", alert.service, alert.name),
            "status": told.status,
            "severity": alert.severity,
            "labels": labels(outage, told),
            "started_at": self.text(told.spell.from),
        });
        if told.status == AlertStatus::Resolved {
            body["ended_at"] = self.text(told.spell.until).into();
        }
        body
    }
}

fn title(outage: &Outage, told: Told) -> String {
    let alert = &outage.alerts[told.alert];
    format!("{}: {}", alert.service, alert.name)
}

fn labels(outage: &Outage, told: Told) -> Value {
    let alert = &outage.alerts[told.alert];
    let mut labels = json!({
        "alertname": alert.name, "severity": alert.severity, "cluster": alert.cluster, "service": alert.service,
    });
    if alert.depends_on_database() {
        labels["depends_on"] = DATABASE.into();
    }
    labels
}
