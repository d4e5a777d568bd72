//! Alertmanager's own ingestion API, `POST /api/v2/alerts`
//! (<https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>): Prometheus' `alerting:` section points
//! straight here.
//!
//! There is no status: an `endsAt` that has passed resolves an alert. Senders repeat firing alerts every minute or so, and
//! resolved ones for a while; the same times make a repeat a sign of life.

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use tocsin_shared::{AlertEvent, AlertStatus, Labels};

use super::{KeyPlace, Parsed, Request, Source, SourceError, given, prometheus, read};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    #[serde(rename = "generatorURL")]
    generator_url: Option<String>,
}

pub(super) const SOURCE: Source = Source {
    key: KeyPlace::Header,
    answer: |_| HttpResponse::Ok().finish(),
    ..Source::webhook("prometheus", "/api/v2/alerts", parse)
};

fn parse(request: &Request<'_>) -> Result<Parsed, SourceError> {
    let alerts: Vec<Alert> = read(request.body)?;
    let without_labels = alerts.iter().position(|alert| alert.labels.values().all(String::is_empty));
    if let Some(index) = without_labels {
        return Err(SourceError::payload(format!("[{index}].labels"), "must hold at least one label"));
    }
    Ok(alerts.into_iter().map(|alert| alert.normalise(request.received_at)).collect::<Vec<_>>().into())
}

impl Alert {
    fn normalise(mut self, received_at: DateTime<Utc>) -> AlertEvent {
        // As in Alertmanager, a label without a value is no label.
        self.labels.retain(|_, value| !value.is_empty());
        let ends_at = given(self.ends_at);
        let has_ended = ends_at.is_some_and(|end| end <= received_at);
        let alert = prometheus::Alert {
            status: if has_ended { AlertStatus::Resolved } else { AlertStatus::Firing },
            labels: self.labels,
            annotations: self.annotations,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            generator_url: self.generator_url,
            fingerprint: None,
        };
        // Until then it fires; a sender that goes on hearing of it moves the time on.
        let expires_at = ends_at.filter(|_| !has_ended);
        let expires = !has_ended && ends_at.is_none();
        AlertEvent { expires_at, expires, ..alert.normalise(received_at) }.bounded()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &[u8]) -> Result<Vec<AlertEvent>, SourceError> {
        crate::sources::tests::parse(super::parse, body)
    }

    #[test]
    fn what_prometheus_sends_is_understood() {
        let events = parse(include_bytes!("../../fixtures/alertmanager_api/alerts.json")).unwrap();
        insta::assert_json_snapshot!(events);
    }

    #[test]
    fn only_an_end_that_has_passed_resolves() {
        let status = |end: &str| {
            let body = format!(r#"[{{"labels":{{"alertname":"A"}}{end}}}]"#);
            parse(body.as_bytes()).unwrap()[0].status
        };
        assert_eq!(status(""), AlertStatus::Firing);
        assert_eq!(status(r#","endsAt":"0001-01-01T00:00:00Z""#), AlertStatus::Firing);
        assert_eq!(status(r#","endsAt":"2026-11-23T12:04:00Z""#), AlertStatus::Firing);
        assert_eq!(status(r#","endsAt":"2026-11-23T12:00:00Z""#), AlertStatus::Resolved);
    }

    #[test]
    fn nothing_is_no_fault_and_an_alert_without_labels_is() {
        assert_eq!(parse(b"[]").unwrap(), []);
        for body in [r#"[{"labels":{}}]"#, r#"[{"labels":{"a":""}}]"#] {
            let error = parse(body.as_bytes()).unwrap_err();
            assert!(error.to_string().starts_with("[0].labels"), "{error}");
        }
    }
}
