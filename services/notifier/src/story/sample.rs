//! A story that never happened: what a test message tells, and what tests render.

use chrono::{DateTime, TimeDelta, Utc};
use tocsin_shared::board::{Alert, AlertKey};
use tocsin_shared::incident::FiringCounts;
use tocsin_shared::ledger::NoticeKind;
use tocsin_shared::routing::ResolvePolicy;
use tocsin_shared::{
    AlertEvent, AlertId, AlertSeverity, AlertStatus, EventId, Fingerprint, Incident, IncidentId, IncidentSeverity,
    IncidentStatus, Labels, NotificationId,
};
use tocsin_store::IncidentRecord;
use uuid::Uuid;

use super::Story;

/// How long before now the sample incident began.
const AGE: TimeDelta = TimeDelta::minutes(5);

/// Two databases run out of space, as of `at`; a third one has been helped.
pub(crate) fn story(kind: NoticeKind, at: DateTime<Utc>) -> Story {
    let began = at - AGE;
    let alerts = vec![
        alert(1, "db-1", AlertStatus::Firing, began),
        alert(2, "db-2", AlertStatus::Firing, began + TimeDelta::minutes(1)),
        alert(3, "db-3", AlertStatus::Resolved, began + TimeDelta::minutes(2)),
    ];
    let incident = Incident {
        id: IncidentId::from_uuid(Uuid::from_u128(12)),
        title: "Disks of <checkout> are > 95 % full & filling".to_owned(),
        summary: Some("Writes fail once no space is left.\nFree some, or move *hot* tables_away.".to_owned()),
        status: IncidentStatus::Triggered,
        severity: IncidentSeverity::Critical,
        severity_is_set: false,
        group_key: r#"{}:{alertname="DiskFull"}"#.to_owned(),
        routes: vec!["{}".to_owned()],
        policy: ResolvePolicy::All,
        declared: false,
        labels: labels(&[("alertname", "DiskFull"), ("cluster", "eu"), ("team", "<!channel> & friends")]),
        alert_count: 3,
        firing: FiringCounts { critical: 2, warning: 0, info: 0 },
        triggered_at: began,
        acknowledged_at: None,
        acknowledged_by: None,
        resolved_at: None,
        resolved_by: None,
        flaps: Vec::new(),
        flapping_since: None,
        remind_at: None,
        escalate_at: None,
        escalated_after: std::time::Duration::ZERO,
        updated_at: at,
        version: 4,
    };
    Story {
        notice: NotificationId::from_uuid(Uuid::from_u128(7)),
        kind,
        revision: incident.version,
        at,
        record: IncidentRecord { number: 12, created_at: began, incident },
        alerts,
        link: None,
        instead_of: None,
        message: None,
        is_test: false,
    }
}

/// The sample as a message that tries a receiver out.
pub(crate) fn test(at: DateTime<Utc>) -> Story {
    // Each test is a notice of its own: receivers that drop what they had before must not drop it.
    let mut story = Story { notice: NotificationId::generate(), is_test: true, ..story(NoticeKind::Triggered, at) };
    // No incident has it.
    story.record.number = 0;
    story
}

fn alert(number: u128, instance: &str, status: AlertStatus, began: DateTime<Utc>) -> Alert {
    let labels = labels(&[
        ("alertname", "DiskFull"),
        ("cluster", "eu"),
        ("instance", instance),
        ("team", "<!channel> & friends"),
    ]);
    let annotations = [
        ("runbook_url", "https://runbooks.example.com/disk?a=1&b=2"),
        ("dashboard_url", "https://grafana.example.com/d/disk"),
    ];
    let ended_at = (status == AlertStatus::Resolved).then_some(began + TimeDelta::minutes(1));
    let newest = AlertEvent {
        fingerprint: Fingerprint::of_labels(&labels),
        external_id: None,
        status,
        severity: AlertSeverity::Critical,
        title: format!("Disk of {instance} is full"),
        description: Some("No space is left.".to_owned()),
        labels,
        annotations: annotations.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        source_url: Some(format!("https://prometheus.example.com/graph?g0.expr=disk%7B{instance}%7D")),
        started_at: Some(began),
        ended_at,
        event_at: ended_at.unwrap_or(began),
        expires_at: None,
        expires: false,
        is_bare: false,
    };
    Alert {
        id: AlertId::from_uuid(Uuid::from_u128(number)),
        key: AlertKey { integration: "default".to_owned(), fingerprint: newest.fingerprint.clone() },
        source: "prometheus".to_owned(),
        status,
        newest_id: EventId::from_uuid(Uuid::from_u128(number)),
        newest_received_at: newest.event_at,
        firing_seen_at: Some(began),
        expires_at: None,
        timed_out: false,
        incident_id: Some(IncidentId::from_uuid(Uuid::from_u128(12))),
        started_at: began,
        received_at: began,
        last_seen_at: newest.event_at,
        occurrences: 1,
        silenced_by: None,
        inhibited_by: None,
        inhibits: Vec::new(),
        inhibitable: Vec::new(),
        newest,
    }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}
