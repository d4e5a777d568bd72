//! Metric alerts.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use tocsin_shared::alert::ALERTNAME;
use tocsin_shared::{AlertEvent, AlertSeverity, AlertStatus, Fingerprint};

use crate::sources::{Request, SourceError, Times, named, non_empty, read, scalar};

#[derive(Deserialize)]
struct Payload {
    action: Action,
    data: Data,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Action {
    Critical,
    Warning,
    Resolved,
}

#[derive(Deserialize)]
struct Data {
    metric_alert: MetricAlert,
    description_title: Option<String>,
    description_text: Option<String>,
    web_url: Option<String>,
}

#[derive(Deserialize)]
struct MetricAlert {
    alert_rule: Rule,
    #[serde(default, deserialize_with = "scalar::text")]
    organization_id: Option<String>,
    #[serde(default)]
    projects: Vec<String>,
    date_started: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(default, deserialize_with = "scalar::text")]
    id: Option<String>,
    name: Option<String>,
    environment: Option<String>,
    query: Option<String>,
    aggregate: Option<String>,
}

/// The alert of a rule that watches a number.
pub(super) fn of_metric_alert(request: &Request<'_>) -> Result<AlertEvent, SourceError> {
    let Payload { action, data } = read(request.body)?;
    let rule = data.metric_alert.alert_rule;
    let Some(rule_id) = rule.id else {
        return Err(SourceError::payload("data.metric_alert.alert_rule.id", "is missing"));
    };
    let organization = data.metric_alert.organization_id;
    let external_id = format!("sentry-metric-{}-{rule_id}", organization.as_deref().unwrap_or_default());
    let (status, severity) = match action {
        Action::Critical => (AlertStatus::Firing, AlertSeverity::Critical),
        Action::Warning => (AlertStatus::Firing, AlertSeverity::Warning),
        // How bad it was is not told.
        Action::Resolved => (AlertStatus::Resolved, AlertSeverity::Warning),
    };
    let name = non_empty(rule.name).or_else(|| non_empty(data.description_title));
    let name = name.unwrap_or_else(|| format!("Metric alert {rule_id}"));
    let times = Times::at(status, data.metric_alert.date_started, None, request.received_at);
    let event = AlertEvent {
        fingerprint: Fingerprint::of_external_id(&external_id),
        external_id: Some(external_id),
        status,
        severity,
        title: name.clone(),
        description: non_empty(data.description_text),
        labels: named([
            (ALERTNAME, Some(name)),
            ("organization_id", organization),
            ("project", Some(data.metric_alert.projects.join(","))),
            ("environment", rule.environment),
        ]),
        annotations: named([("query", rule.query), ("aggregate", rule.aggregate)]),
        source_url: non_empty(data.web_url),
        started_at: times.start,
        ended_at: times.end,
        event_at: times.event,
        expires_at: None,
        expires: false,
        is_bare: false,
    };
    Ok(event.bounded())
}
