//! Grafana's unified alerting, contact point "webhook"
//! (<https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/>).
//!
//! The body is Alertmanager's, with links and a few texts beside it. Links become annotations, unless the alert has an
//! annotation of that name. Grafana sends an alert by itself when a rule finds no data or cannot be evaluated
//! (`DatasourceNoData`, `DatasourceError`); its title then names the rule, which its `alertname` does not.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use tocsin_shared::alert::ALERTNAME;
use tocsin_shared::{AlertEvent, AlertStatus, Labels};

use super::{Parsed, Request, SourceError, non_empty, prometheus, read};

const VERSION: &str = "1";

#[derive(Deserialize)]
struct Payload {
    version: Option<String>,
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    status: AlertStatus,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    fingerprint: Option<String>,
    value_string: Option<String>,
    #[serde(rename = "generatorURL")]
    generator_url: Option<String>,
    #[serde(rename = "dashboardURL")]
    dashboard_url: Option<String>,
    #[serde(rename = "panelURL")]
    panel_url: Option<String>,
    #[serde(rename = "silenceURL")]
    silence_url: Option<String>,
    #[serde(rename = "imageURL")]
    image_url: Option<String>,
}

pub(super) fn parse(request: &Request<'_>) -> Result<Parsed, SourceError> {
    let payload: Payload = read(request.body)?;
    if payload.version.as_deref().is_some_and(|version| version != VERSION) {
        return Err(SourceError::payload("version", "only version 1 of Grafana's webhook is understood here"));
    }
    if payload.alerts.is_empty() {
        return Err(SourceError::payload("alerts", "must hold at least one alert"));
    }
    Ok(payload.alerts.into_iter().map(|alert| alert.normalise(request.received_at)).collect::<Vec<_>>().into())
}

impl Alert {
    fn normalise(mut self, received_at: DateTime<Utc>) -> AlertEvent {
        self.name_the_rule();
        let generator_url = non_empty(self.generator_url).or_else(|| non_empty(self.dashboard_url.clone()));
        let extras = [
            ("dashboard_url", self.dashboard_url),
            ("panel_url", self.panel_url),
            ("silence_url", self.silence_url),
            ("image_url", self.image_url),
            ("value_string", self.value_string),
        ];
        for (name, text) in extras {
            if let Some(text) = non_empty(text) {
                self.annotations.entry(name.to_owned()).or_insert(text);
            }
        }
        let alert = prometheus::Alert {
            status: self.status,
            labels: self.labels,
            annotations: self.annotations,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            generator_url,
            fingerprint: self.fingerprint,
        };
        alert.normalise(received_at)
    }

    /// Gives an alert that Grafana raises by itself a title, and the error that it tells of as description.
    fn name_the_rule(&mut self) {
        let what = match self.labels.get(ALERTNAME).map(String::as_str) {
            Some("DatasourceNoData") => "No data for",
            Some("DatasourceError") => "Cannot evaluate",
            _ => return,
        };
        if let Some(rule) = self.labels.get("rulename").filter(|rule| !rule.trim().is_empty()) {
            self.annotations.entry("summary".to_owned()).or_insert_with(|| format!("{what} {rule}"));
        }
        if let Some(error) = self.annotations.get("Error").cloned() {
            self.annotations.entry("description".to_owned()).or_insert(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::fixture;

    fn parse(body: &[u8]) -> Result<Vec<AlertEvent>, SourceError> {
        crate::sources::tests::parse(super::parse, body)
    }

    #[test]
    fn a_firing_group_becomes_its_alerts() {
        insta::assert_json_snapshot!(parse(&fixture("grafana/firing.json")).unwrap());
    }

    #[test]
    fn a_resolved_group_becomes_its_alerts() {
        insta::assert_json_snapshot!(parse(&fixture("grafana/resolved.json")).unwrap());
    }

    #[test]
    fn a_rule_without_data_is_named() {
        insta::assert_json_snapshot!(parse(&fixture("grafana/no_data.json")).unwrap());
    }

    #[test]
    fn a_rule_that_cannot_be_evaluated_is_named_with_its_error() {
        insta::assert_json_snapshot!(parse(&fixture("grafana/error.json")).unwrap());
    }

    #[test]
    fn an_annotation_of_the_alert_outranks_a_link_of_that_name() {
        let body = r#"{"alerts":[{"status":"firing","annotations":{"panel_url":"mine"},"panelURL":"theirs"}]}"#;
        assert_eq!(parse(body.as_bytes()).unwrap()[0].annotations["panel_url"], "mine");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let field = |body: &str| match parse(body.as_bytes()) {
            Err(SourceError::InvalidPayload { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field(r#"{"alerts":[]}"#), "alerts");
        assert_eq!(field(r#"{"version":"4","alerts":[]}"#), "version");
        assert_eq!(field(r#"{"alerts":[{"status":"alerting"}]}"#), "alerts[0].status");
        // The alerting of before Grafana 9.
        assert_eq!(field(r#"{"ruleId":1,"ruleName":"r","state":"alerting","evalMatches":[]}"#), "body");
    }
}
