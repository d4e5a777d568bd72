//! What templates may name.

use serde::Serialize;
use tocsin_shared::board::Alert;
use tocsin_shared::ledger::NoticeKind;
use tocsin_shared::{AlertSeverity, AlertStatus, IncidentSeverity, IncidentStatus, Labels};
use url::Url;

use super::{Link, sign, silenced, span, utc, what};
use crate::story::Story;

/// Most labels by which an alert is told from the others of its incident.
const MAX_DIFFERENCES: usize = 4;

/// The names of an incident's templates. Each is there, with or without a value: the sample against which templates are
/// checked (`incident_sample` in the configuration) has the same.
#[derive(Debug, Serialize)]
pub(super) struct OfIncident<'a> {
    kind: NoticeKind,
    what: &'static str,
    pub(super) sign: &'static str,
    number: i64,
    title: &'a str,
    status: IncidentStatus,
    severity: IncidentSeverity,
    summary: Option<&'a str>,
    labels: &'a Labels,
    annotations: Labels,
    firing: i32,
    alert_count: i32,
    alerts: Vec<OfAlert<'a>>,
    more: i32,
    silenced: Option<String>,
    declared: bool,
    age: String,
    triggered_at: String,
    acknowledged_at: Option<String>,
    acknowledged_by: Option<&'a str>,
    resolved_at: Option<String>,
    resolved_by: Option<&'a str>,
    link: Option<&'a Url>,
    runbook_url: Option<&'a Url>,
    dashboard_url: Option<&'a Url>,
    source_url: Option<&'a Url>,
    instead_of: Option<OfAnother<'a>>,
    is_test: bool,
}

#[derive(Debug, Serialize)]
struct OfAnother<'a> {
    receiver: &'a str,
    reason: &'a str,
}

/// The names of an alert's template.
#[derive(Debug, Serialize)]
pub(super) struct OfAlert<'a> {
    title: &'a str,
    description: Option<&'a str>,
    status: AlertStatus,
    severity: AlertSeverity,
    labels: &'a Labels,
    annotations: &'a Labels,
    differs: Labels,
    started_at: String,
    source_url: Option<&'a str>,
}

pub(super) fn of_incident<'a>(
    story: &'a Story,
    kind: NoticeKind,
    listed: &[&'a Alert],
    links: &'a [Link],
) -> OfIncident<'a> {
    let incident = &story.record.incident;
    let link = |name: &str| links.iter().find(|link| link.name == name).map(|link| &link.url);
    let total = if incident.firing.total() > 0 { incident.firing.total() } else { incident.alert_count };
    OfIncident {
        kind,
        what: what(kind),
        sign: sign(story, kind),
        number: story.record.number,
        title: &incident.title,
        status: incident.status,
        severity: incident.severity,
        summary: incident.summary.as_deref(),
        labels: &incident.labels,
        annotations: in_common(listed),
        firing: incident.firing.total(),
        alert_count: incident.alert_count,
        alerts: listed.iter().map(|alert| of_alert(alert, &incident.labels)).collect(),
        more: (total - i32::try_from(listed.len()).unwrap_or(i32::MAX)).max(0),
        silenced: silenced(story),
        declared: incident.declared,
        age: span(incident.resolved_at.unwrap_or(story.at) - incident.triggered_at),
        triggered_at: utc(incident.triggered_at),
        acknowledged_at: incident.acknowledged_at.map(utc),
        acknowledged_by: incident.acknowledged_by.as_deref(),
        resolved_at: incident.resolved_at.map(utc),
        resolved_by: incident.resolved_by.as_deref(),
        link: link("Incident"),
        runbook_url: link("Runbook"),
        dashboard_url: link("Dashboard"),
        source_url: link("Source"),
        instead_of: story
            .instead_of
            .as_ref()
            .map(|instead| OfAnother { receiver: &instead.receiver, reason: &instead.reason }),
        is_test: story.is_test,
    }
}

pub(super) fn of_alert<'a>(alert: &'a Alert, common: &Labels) -> OfAlert<'a> {
    let differs = alert.newest.labels.iter().filter(|(name, value)| common.get(*name) != Some(value));
    OfAlert {
        title: &alert.newest.title,
        description: alert.newest.description.as_deref(),
        status: alert.status,
        severity: alert.newest.severity,
        labels: &alert.newest.labels,
        annotations: &alert.newest.annotations,
        differs: differs.take(MAX_DIFFERENCES).map(|(name, value)| (name.clone(), value.clone())).collect(),
        started_at: utc(alert.started_at),
        source_url: alert.newest.source_url.as_deref(),
    }
}

/// The annotations that all of these alerts have.
fn in_common(alerts: &[&Alert]) -> Labels {
    let Some((first, others)) = alerts.split_first() else {
        return Labels::new();
    };
    let mut common = first.newest.annotations.clone();
    common.retain(|name, value| others.iter().all(|alert| alert.newest.annotations.get(name) == Some(value)));
    common
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;
    use tocsin_service::config::document::{alert_sample, incident_sample};

    use super::*;
    use crate::story::told;

    fn names(value: &impl Serialize) -> BTreeSet<String> {
        match serde_json::to_value(value).unwrap() {
            Value::Object(object) => object.keys().cloned().collect(),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn the_sample_against_which_templates_are_checked_has_every_name_and_no_other() {
        let story = told::told(NoticeKind::Undelivered);
        let alerts: Vec<&Alert> = story.alerts.iter().collect();
        assert_eq!(names(&of_incident(&story, story.kind, &alerts, &[])), names(&incident_sample()));
        assert_eq!(names(&of_alert(alerts[0], &Labels::new())), names(&alert_sample()));
    }
}
