//! The board's rules, by example and by property.

mod escalation;
mod properties;
mod responding;
mod time;

use std::time::Duration as StdDuration;

use chrono::Duration;

use super::*;
use crate::ledger::NoticeKind;
use crate::routing::{FlapRule, Route, Routing};
use crate::{AlertSeverity, EventId, IncidentSeverity, IncidentStatus, Labels, SilenceId, TraceContext};

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::seconds(second)
}

/// One receiver; what is over stays over, and nothing flaps.
fn route() -> Route {
    Route {
        receiver: Some("ops".to_owned()),
        reopen_within: StdDuration::ZERO,
        flap: FlapRule { transitions: 0, window: StdDuration::from_mins(10) },
        ..Route::default()
    }
}

fn policy_of(route: Route) -> Policy {
    Policy { routing: Routing::new(route), ..Policy::default() }
}

/// An event of alert `pod`, in the group `alertname="Down"`, that happened at `second`.
fn delivery(pod: &str, status: AlertStatus, second: i64) -> Envelope {
    let labels = Labels::from([("alertname".to_owned(), "Down".to_owned()), ("pod".to_owned(), pod.to_owned())]);
    Envelope {
        id: EventId::of_delivery("default", &format!("{pod}-{status}-{second}")),
        received_at: at(second),
        source: "generic".to_owned(),
        integration: "default".to_owned(),
        trace: TraceContext::new(1, 1, 0),
        alerts: vec![AlertEvent {
            fingerprint: Fingerprint::of_labels(&labels),
            external_id: None,
            status,
            severity: AlertSeverity::Warning,
            title: format!("{pod} is down"),
            description: None,
            labels,
            annotations: Labels::new(),
            source_url: None,
            started_at: Some(at(second)),
            ended_at: (status == AlertStatus::Resolved).then(|| at(second)),
            event_at: at(second),
            expires_at: None,
            expires: false,
            is_bare: false,
        }],
        acknowledged: Vec::new(),
    }
}

fn applied(deliveries: &[Envelope]) -> Changes {
    applied_by(&policy_of(route()), deliveries)
}

fn applied_by(policy: &Policy, deliveries: &[Envelope]) -> Changes {
    applied_after(policy, Changes::default(), deliveries)
}

/// What further deliveries change of what earlier ones left.
fn applied_after(policy: &Policy, before: Changes, deliveries: &[Envelope]) -> Changes {
    let mut board = Board::new(policy, &[], left(before));
    for delivery in deliveries {
        board.apply(delivery);
    }
    board.into_changes()
}

/// The state that changes leave.
fn left(changes: Changes) -> Loaded {
    let incidents = changes.opened.into_iter().chain(changes.updated).collect();
    let alerts = changes.alerts.into_iter().chain(changes.heard).collect();
    Loaded { alerts, incidents, inhibitors: Vec::new() }
}

fn told(changes: &Changes) -> Vec<(NoticeKind, i64)> {
    changes.notices.iter().map(|notice| (notice.kind, notice.revision)).collect()
}

#[test]
fn a_firing_alert_opens_an_incident_and_its_resolution_closes_it() {
    let changes = applied(&[delivery("a", AlertStatus::Firing, 1), delivery("a", AlertStatus::Resolved, 5)]);
    let [incident] = &changes.opened[..] else { panic!("{changes:?}") };
    assert_eq!((incident.status, incident.resolved_at), (IncidentStatus::Resolved, Some(at(5))));
    assert_eq!((incident.alert_count, incident.firing.total(), incident.version), (1, 0, 2));
    assert_eq!(told(&changes), [(NoticeKind::Triggered, 1), (NoticeKind::Resolved, 2)]);
    let kinds: Vec<_> = changes.timeline.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [TimelineKind::IncidentTriggered, TimelineKind::AlertResolved, TimelineKind::IncidentResolved]);
}

#[test]
fn alerts_of_one_group_share_an_incident_until_the_last_is_resolved() {
    let fired = ["a", "b"].map(|pod| delivery(pod, AlertStatus::Firing, 1));
    let changes = applied(&[&fired[..], &[delivery("a", AlertStatus::Resolved, 2)]].concat());
    let [incident] = &changes.opened[..] else { panic!("{changes:?}") };
    assert_eq!((incident.status, incident.alert_count, incident.firing.total()), (IncidentStatus::Triggered, 2, 1));
    assert_eq!(incident.labels, Labels::from([("alertname".to_owned(), "Down".to_owned())]), "the common labels");

    let changes = applied_after(&policy_of(route()), changes, &[delivery("b", AlertStatus::Resolved, 3)]);
    assert_eq!(changes.updated[0].status, IncidentStatus::Resolved);
    assert!(changes.opened.is_empty() && changes.memberships.is_empty());
}

#[test]
fn a_heartbeat_is_counted_and_changes_no_incident() {
    let fired = applied(&[delivery("a", AlertStatus::Firing, 1)]);
    let changes = applied_after(&policy_of(route()), fired, &[delivery("a", AlertStatus::Firing, 60)]);
    assert_eq!((changes.alerts[0].occurrences, changes.alerts[0].last_seen_at), (2, at(60)));
    assert!(changes.updated.is_empty() && changes.timeline.is_empty() && changes.notices.is_empty());
}

#[test]
fn an_alert_whose_sender_does_not_say_since_when_fires_since_its_first_event() {
    let unsaid = |status, second| {
        let mut delivery = delivery("a", status, second);
        delivery.alerts[0].started_at = None;
        delivery
    };
    let events = [
        unsaid(AlertStatus::Firing, 1),
        unsaid(AlertStatus::Firing, 5),
        unsaid(AlertStatus::Resolved, 9),
        unsaid(AlertStatus::Firing, 20),
    ];
    let since = |count: usize| applied(&events[..count]).alerts[0].started_at;
    assert_eq!([since(2), since(3), since(4)], [at(1), at(1), at(20)]);
}

#[test]
fn an_old_event_is_counted_and_overwrites_nothing() {
    let changes = applied(&[
        delivery("a", AlertStatus::Firing, 1),
        delivery("a", AlertStatus::Resolved, 5),
        delivery("a", AlertStatus::Firing, 3),
    ]);
    assert_eq!(changes.alerts[0].newest.status, AlertStatus::Resolved);
    assert_eq!(changes.alerts[0].occurrences, 3);
    assert_eq!(changes.opened.len(), 1, "the late event opened nothing");
}

#[test]
fn an_alert_that_fires_again_after_its_incident_closed_opens_another() {
    let changes = applied(&[
        delivery("a", AlertStatus::Firing, 1),
        delivery("a", AlertStatus::Resolved, 5),
        delivery("a", AlertStatus::Firing, 9),
    ]);
    assert_eq!(changes.opened.len(), 2);
    let open: Vec<_> = changes.opened.iter().filter(|incident| incident.status.is_open()).collect();
    assert_eq!(changes.alerts[0].incident_id, Some(open[0].id));
}

#[test]
fn an_alert_that_fires_again_in_its_open_incident_is_not_counted_twice() {
    let changes = applied(&[
        delivery("a", AlertStatus::Firing, 1),
        delivery("b", AlertStatus::Firing, 1),
        delivery("a", AlertStatus::Resolved, 2),
        delivery("a", AlertStatus::Firing, 3),
    ]);
    assert_eq!((changes.opened[0].alert_count, changes.opened[0].firing.total()), (2, 2));
    assert_eq!(changes.memberships.len(), 2);
}

#[test]
fn a_resolution_of_an_unknown_alert_is_remembered_and_opens_nothing() {
    let changes = applied(&[delivery("a", AlertStatus::Resolved, 1)]);
    assert_eq!(changes.alerts.len(), 1);
    assert!(changes.opened.is_empty());
}

#[test]
fn an_incident_is_as_bad_as_its_worst_firing_alert() {
    let mut worse = delivery("a", AlertStatus::Firing, 2);
    worse.alerts[0].severity = AlertSeverity::Critical;
    let changes = applied(&[delivery("a", AlertStatus::Firing, 1), delivery("b", AlertStatus::Firing, 1), worse]);
    assert_eq!(changes.opened[0].severity, IncidentSeverity::Critical);
    let changes = applied_after(&policy_of(route()), changes, &[delivery("a", AlertStatus::Resolved, 3)]);
    assert_eq!(changes.updated[0].severity, IncidentSeverity::Medium);
}

#[test]
fn without_a_receiver_incidents_open_and_nobody_is_told() {
    let changes = applied_by(&Policy::default(), &[delivery("a", AlertStatus::Firing, 1)]);
    assert!(changes.opened.len() == 1 && changes.notices.is_empty());
    let [notice] = &changes.decisions[0].notices[..] else { panic!("{changes:?}") };
    assert_eq!((notice.receiver.as_ref(), notice.withheld.is_some()), (None, true), "and it is said why");
}

/// A delivery that says that somebody has taken on alert `pod`, and nothing else.
fn acknowledgement(pod: &str, second: i64) -> Envelope {
    let mut delivery = delivery(pod, AlertStatus::Firing, second);
    delivery.acknowledged = delivery.alerts.drain(..).map(|event| event.fingerprint).collect();
    delivery.id = EventId::of_delivery("default", &format!("{pod}-acknowledged-{second}"));
    delivery
}

#[test]
fn an_acknowledgement_takes_the_incident_of_a_firing_alert_once() {
    let changes = applied(&[
        delivery("a", AlertStatus::Firing, 1),
        acknowledgement("a", 2),
        acknowledgement("a", 3),
        delivery("b", AlertStatus::Firing, 4),
    ]);
    let [incident] = &changes.opened[..] else { panic!("{changes:?}") };
    assert_eq!(incident.status, IncidentStatus::Acknowledged, "what fires later changes nothing of it");
    assert_eq!((incident.acknowledged_at, incident.acknowledged_by.as_deref()), (Some(at(2)), Some("default")));
    let expected = [(NoticeKind::Triggered, 1), (NoticeKind::Acknowledged, 2), (NoticeKind::Updated, 3)];
    assert_eq!(told(&changes), expected);
    let kinds: Vec<_> = changes.timeline.iter().map(|entry| entry.kind).collect();
    let expected = [TimelineKind::IncidentTriggered, TimelineKind::IncidentAcknowledged, TimelineKind::AlertFiring];
    assert_eq!(kinds, expected);
}

#[test]
fn an_acknowledged_incident_is_over_when_nothing_fires_and_the_next_begins_untaken() {
    let changes = applied(&[
        delivery("a", AlertStatus::Firing, 1),
        acknowledgement("a", 2),
        delivery("a", AlertStatus::Resolved, 3),
        delivery("a", AlertStatus::Firing, 4),
    ]);
    let mut fates: Vec<_> = changes.opened.iter().map(|i| (i.triggered_at, i.status, i.acknowledged_at)).collect();
    fates.sort_unstable();
    assert_eq!(fates, [(at(1), IncidentStatus::Resolved, Some(at(2))), (at(4), IncidentStatus::Triggered, None)]);
}

#[test]
fn an_acknowledgement_of_what_does_not_fire_or_fired_only_later_does_nothing() {
    for events in [
        &[acknowledgement("a", 2)][..],
        &[delivery("a", AlertStatus::Resolved, 1), acknowledgement("a", 2)],
        &[delivery("a", AlertStatus::Firing, 1), acknowledgement("b", 2)],
        &[delivery("a", AlertStatus::Firing, 3), acknowledgement("a", 2)],
        &[
            delivery("a", AlertStatus::Firing, 1),
            Envelope { integration: "other".to_owned(), ..acknowledgement("a", 2) },
        ],
    ] {
        let without = applied(&events[..events.len() - 1]);
        let with = applied(events);
        assert_eq!(fates(&with), fates(&without), "{events:?}");
        assert!(with.opened.iter().all(|incident| incident.status == IncidentStatus::Triggered), "{events:?}");
        assert_eq!((with.timeline.len(), with.notices.len()), (without.timeline.len(), without.notices.len()));
    }
}

/// What the alerts are in the end, without the ids that are drawn anew in each run.
fn fates(changes: &Changes) -> BTreeMap<AlertKey, Alert> {
    let nobody = AlertId::from_uuid(uuid::Uuid::nil());
    let fate = |alert: &Alert| (alert.key.clone(), Alert { id: nobody, incident_id: None, ..alert.clone() });
    changes.alerts.iter().chain(&changes.heard).map(fate).collect()
}

#[test]
fn a_resolution_that_says_nothing_else_leaves_what_is_known() {
    let firing = delivery("a", AlertStatus::Firing, 1);
    let mut over = delivery("a", AlertStatus::Resolved, 2);
    over.alerts[0] = AlertEvent {
        title: "a key".to_owned(),
        labels: Labels::from([("alertname".to_owned(), "a key".to_owned())]),
        expires_at: None,
        expires: false,
        is_bare: true,
        ..over.alerts[0].clone()
    };
    let changes = applied(&[firing.clone(), over]);
    let (known, told) = (&changes.alerts[0].newest, &firing.alerts[0]);
    assert_eq!((known.status, &known.title, &known.labels), (AlertStatus::Resolved, &told.title, &told.labels));
    assert_eq!(changes.opened[0].status, IncidentStatus::Resolved);
    assert_eq!(changes.opened[0].labels, told.labels);
}
