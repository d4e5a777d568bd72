//! Alertmanager's webhook, version 4
//! (<https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>).
//!
//! An event is as old as the state that it tells of: a firing alert's `startsAt`, a resolved one's `endsAt`. Alertmanager
//! repeats a firing group from time to time; such a repeat has the same times, and counts as a sign of life.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use tocsin_shared::{AlertEvent, AlertSeverity, AlertStatus, Fingerprint, Labels};

use super::{Parsed, Request, SourceError, Times, non_empty, read};

const VERSION: &str = "4";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    version: Option<String>,
    alerts: Vec<Alert>,
}

/// An alert in Alertmanager's form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alert {
    pub(super) status: AlertStatus,
    #[serde(default)]
    pub(super) labels: Labels,
    #[serde(default)]
    pub(super) annotations: Labels,
    pub(super) starts_at: Option<DateTime<Utc>>,
    pub(super) ends_at: Option<DateTime<Utc>>,
    #[serde(rename = "generatorURL")]
    pub(super) generator_url: Option<String>,
    pub(super) fingerprint: Option<String>,
}

pub(super) fn parse(request: &Request<'_>) -> Result<Parsed, SourceError> {
    let payload: Payload = read(request.body)?;
    if payload.version.as_deref().is_some_and(|version| version != VERSION) {
        return Err(SourceError::payload("version", "only version 4 of Alertmanager's webhook is understood here"));
    }
    if payload.alerts.is_empty() {
        return Err(SourceError::payload("alerts", "must hold at least one alert"));
    }
    Ok(payload.alerts.into_iter().map(|alert| alert.normalise(request.received_at)).collect::<Vec<_>>().into())
}

impl Alert {
    pub(super) fn normalise(self, received_at: DateTime<Utc>) -> AlertEvent {
        let fingerprint = self
            .fingerprint
            .as_deref()
            .and_then(Fingerprint::from_sender)
            .unwrap_or_else(|| Fingerprint::of_labels(&self.labels));
        let annotation = |name: &str| non_empty(self.annotations.get(name).cloned());
        let times = Times::new(self.status, self.starts_at, self.ends_at, received_at);
        AlertEvent {
            fingerprint,
            external_id: None,
            status: self.status,
            severity: AlertSeverity::from_word(self.labels.get("severity").map(String::as_str)),
            title: annotation("summary")
                .or_else(|| non_empty(self.labels.get("alertname").cloned()))
                .unwrap_or_else(|| "Alert without a name".to_owned()),
            description: annotation("description").or_else(|| annotation("message")),
            labels: self.labels,
            annotations: self.annotations,
            source_url: non_empty(self.generator_url),
            started_at: times.start,
            ended_at: times.end,
            event_at: times.event,
            expires_at: None,
            expires: false,
            is_bare: false,
        }
        .bounded()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::received_at;

    fn parse(body: &[u8]) -> Result<Vec<AlertEvent>, SourceError> {
        crate::sources::tests::parse(super::parse, body)
    }

    #[test]
    fn a_firing_group_becomes_its_alerts() {
        let events = parse(include_bytes!("../../fixtures/prometheus/firing.json")).unwrap();
        insta::assert_json_snapshot!(events);
    }

    #[test]
    fn a_resolved_group_becomes_its_alerts() {
        let events = parse(include_bytes!("../../fixtures/prometheus/resolved.json")).unwrap();
        insta::assert_json_snapshot!(events);
    }

    #[test]
    fn a_missing_fingerprint_is_computed_as_alertmanager_would() {
        let with = parse(include_bytes!("../../fixtures/prometheus/firing.json")).unwrap();
        let text = include_str!("../../fixtures/prometheus/firing.json").replace("\"fingerprint\"", "\"unused\"");
        let without = parse(text.as_bytes()).unwrap();
        assert_eq!(with[0].labels, without[0].labels);
        assert_eq!(without[0].fingerprint, Fingerprint::of_labels(&without[0].labels));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let field = |body: &str| match parse(body.as_bytes()) {
            Err(SourceError::InvalidPayload { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field(r#"{"alerts":[]}"#), "alerts");
        assert_eq!(field("{}"), "body");
        assert_eq!(field(r#"{"version":"3","alerts":[]}"#), "version");
        assert_eq!(field(r#"{"alerts":[{"status":"burning"}]}"#), "alerts[0].status");
        assert_eq!(field(r#"{"alerts":[{"status":"firing","labels":{"a":1}}]}"#), "alerts[0].labels.a");
        assert_eq!(field(r#"{"alerts":[{"status":"firing","startsAt":"soon"}]}"#), "alerts[0].startsAt");
    }

    #[test]
    fn a_time_in_the_future_does_not_outrank_what_follows() {
        let body = r#"{"alerts":[{"status":"firing","startsAt":"2099-01-01T00:00:00Z"}]}"#;
        assert_eq!(parse(body.as_bytes()).unwrap()[0].event_at, received_at());
    }
}
