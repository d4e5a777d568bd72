//! `templates`: what is written, where it is not the default.

use serde::Deserialize;
use serde_json::{Value, json};
use tocsin_shared::template::{Template, TemplateError, Variables};
use tocsin_shared::with_causes;

use super::Faults;

/// `templates`. Each is a Jinja template for plain text; what needs escaping is escaped after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TemplatesSection {
    /// The headline.
    pub title: Option<String>,
    /// The line that says what happened.
    pub news: Option<String>,
    /// The lines that say what it is about.
    pub summary: Option<String>,
    /// The line of each alert.
    pub alert: Option<String>,
}

impl TemplatesSection {
    pub(super) fn check(&self, path: &str, faults: &mut Faults) {
        let incident = incident_sample();
        for (name, text, sample) in [
            ("title", &self.title, &incident),
            ("news", &self.news, &incident),
            ("summary", &self.summary, &incident),
            ("alert", &self.alert, &alert_sample()),
        ] {
            let Some(Err(error)) = text.as_ref().map(|text| Template::checked(text, &Variables::of(sample))) else {
                continue;
            };
            let known = || sample.as_object().map(|names| names.keys().cloned().collect::<Vec<_>>().join(", "));
            let remedy = match &error {
                TemplateError::Unknown { .. } => format!("use one of {}", known().unwrap_or_default()),
                _ => "write a Jinja template such as '#{{ number }} {{ title }} in {{ labels.cluster }}'".to_owned(),
            };
            faults.add(format!("{path}.{name}"), with_causes(&error), remedy);
        }
    }
}

/// Every name that the templates of an incident know, with values like those that they will see.
#[must_use]
pub fn incident_sample() -> Value {
    let alert = alert_sample();
    json!({
        "kind": "triggered", "what": "Triggered", "sign": "🔴", "number": 12, "title": "Disk of db-1 is full",
        "status": "triggered", "severity": "critical", "summary": "No space is left.",
        "labels": alert["labels"], "annotations": alert["annotations"], "firing": 1, "alert_count": 2,
        "alerts": [alert], "more": 0, "silenced": "1 alert", "declared": false, "age": "5 min",
        "triggered_at": "2026-11-23 12:00:00 UTC", "acknowledged_at": "2026-11-23 12:05:00 UTC",
        "acknowledged_by": "Ada", "resolved_at": "2026-11-23 12:30:00 UTC", "resolved_by": "Ada",
        "link": "https://tocsin.example.com/incidents/12", "runbook_url": "https://runbooks.example.com/disk",
        "dashboard_url": "https://grafana.example.com/d/disk", "source_url": "https://prometheus.example.com/graph",
        "instead_of": {"receiver": "ops", "reason": "404: no_service"}, "is_test": false,
    })
}

/// Every name that the template of an alert knows.
#[must_use]
pub fn alert_sample() -> Value {
    json!({
        "title": "Disk of db-1 is full", "description": "No space is left.", "status": "firing", "severity": "critical",
        "labels": {"alertname": "DiskFull", "instance": "db-1"}, "annotations": {"summary": "No space is left."},
        "differs": {"instance": "db-1"}, "started_at": "2026-11-23 12:00:00 UTC",
        "source_url": "https://prometheus.example.com/graph",
    })
}
