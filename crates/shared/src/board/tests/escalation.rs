//! Escalation: who is told, when, and who is told how it ended.

use std::time::Duration as StdDuration;

use super::*;
use crate::command::{Action, Actor, ActorKind, Command};
use crate::inhibition::Inhibition;
use crate::routing::EscalationStep;
use crate::silence::Silence;
use crate::{CommandId, IncidentId};

fn steps(steps: &[(u64, &[&str])]) -> Vec<EscalationStep> {
    let step = |(after, receivers): &(u64, &[&str])| EscalationStep {
        after: StdDuration::from_secs(*after),
        receivers: receivers.iter().map(|&name| name.to_owned()).collect(),
    };
    steps.iter().map(step).collect()
}

fn policy() -> Policy {
    policy_of(Route { escalation: steps(&[(100, &["lead", "ops"]), (300, &["cto"])]), ..route() })
}

/// The incident of the alert `a`, which fires since second 1.
fn fired(policy: &Policy) -> (IncidentId, Changes) {
    let changes = applied_by(policy, &[delivery("a", AlertStatus::Firing, 1)]);
    (changes.opened[0].id, changes)
}

fn escalated(policy: &Policy, before: Changes, id: IncidentId, second: i64) -> Changes {
    let mut board = Board::new(policy, &[], left(before));
    board.escalate(&[id], at(second));
    board.into_changes()
}

fn of(changes: &Changes) -> &Incident {
    changes.updated.first().or(changes.opened.first()).expect("an incident has changed")
}

fn receivers(changes: &Changes, kind: NoticeKind) -> Vec<&str> {
    let notices = changes.notices.iter().filter(|notice| notice.kind == kind);
    notices.map(|notice| notice.receiver.as_str()).collect()
}

fn command(action: Action, second: i64) -> Command {
    let actor = Actor { kind: ActorKind::User, id: "U1".to_owned(), name: "ada".to_owned() };
    Command { id: CommandId::generate(), at: at(second), actor, trace: TraceContext::random(), action }
}

fn commanded(policy: &Policy, before: Changes, action: Action, second: i64) -> Changes {
    let mut board = Board::new(policy, &[], left(before));
    board.command(&command(action, second));
    board.into_changes()
}

#[test]
fn each_step_is_run_once_when_its_time_has_come() {
    let policy = policy();
    let (id, changes) = fired(&policy);
    assert_eq!(of(&changes).escalate_at, Some(at(101)));
    let early = escalated(&policy, changes, id, 100);
    assert!(early.updated.is_empty() && early.notices.is_empty());

    let (_, changes) = fired(&policy);
    let id = of(&changes).id;
    let first = escalated(&policy, changes, id, 102);
    assert_eq!(receivers(&first, NoticeKind::Escalated), ["lead", "ops"]);
    let entry = &first.timeline[0];
    assert_eq!(entry.kind, TimelineKind::IncidentEscalated);
    assert_eq!(entry.content, "Nobody has taken it for 1 min 41 s; told lead, ops");
    assert_eq!((of(&first).escalate_at, of(&first).version), (Some(at(301)), 2), "by the clock, not by the look");

    let second = escalated(&policy, first, id, 301);
    assert_eq!(receivers(&second, NoticeKind::Escalated), ["cto"]);
    assert_eq!(of(&second).escalate_at, None);
    assert!(escalated(&policy, second, id, 9_999).updated.is_empty());
}

#[test]
fn steps_that_a_short_outage_has_delayed_are_each_run() {
    let policy = policy_of(Route { escalation: steps(&[(1, &["lead"]), (2, &["cto"])]), ..route() });
    let (id, changes) = fired(&policy);
    let changes = escalated(&policy, changes, id, 30);
    let told: Vec<_> = changes.notices.iter().map(|notice| (notice.receiver.as_str(), notice.revision)).collect();
    assert_eq!(told, [("lead", 2), ("cto", 3)]);
    assert_eq!(changes.timeline.len(), 2);
}

#[test]
fn after_a_long_outage_each_step_still_has_its_time_before_the_next() {
    let policy = policy();
    let (id, changes) = fired(&policy);
    let changes = escalated(&policy, changes, id, 5_000);
    assert_eq!(receivers(&changes, NoticeKind::Escalated), ["lead", "ops"]);
    assert_eq!(of(&changes).escalate_at, Some(at(5_200)));
    let joined = applied_after(&policy, changes, &[delivery("b", AlertStatus::Firing, 5_010)]);
    assert_eq!(of(&joined).escalate_at, Some(at(5_200)), "and another alert changes nothing of that");
}

#[test]
fn it_stops_when_somebody_takes_it_and_whoever_was_told_is_told_of_that_and_of_the_end() {
    let policy = policy();
    let (incident, changes) = fired(&policy);
    let changes = escalated(&policy, changes, incident, 101);
    let taken = commanded(&policy, changes, Action::Acknowledge { incident }, 150);
    assert_eq!(receivers(&taken, NoticeKind::Acknowledged), ["ops", "lead"], "each once, and not the cto");
    assert_eq!(of(&taken).escalate_at, None);
    let taken = Changes {
        alerts: fired(&policy).1.alerts.into_iter().map(|a| Alert { incident_id: Some(incident), ..a }).collect(),
        ..taken
    };
    let over = applied_after(&policy, taken, &[delivery("a", AlertStatus::Resolved, 200)]);
    assert_eq!(receivers(&over, NoticeKind::Resolved), ["ops", "lead"]);
}

#[test]
fn whoever_was_not_told_is_not_told_of_the_end_either() {
    let policy = policy();
    let (incident, changes) = fired(&policy);
    let canceled = commanded(&policy, changes, Action::Cancel { incident, note: None }, 50);
    assert_eq!(receivers(&canceled, NoticeKind::Canceled), ["ops"]);
    assert_eq!(of(&canceled).escalate_at, None);
}

#[test]
fn what_is_given_back_or_opened_again_begins_anew() {
    let policy = policy();
    let (incident, changes) = fired(&policy);
    let changes = escalated(&policy, changes, incident, 101);
    let taken = commanded(&policy, changes, Action::Acknowledge { incident }, 150);
    let back = commanded(&policy, taken, Action::Reopen { incident }, 200);
    assert_eq!((of(&back).escalate_at, of(&back).escalated_after), (Some(at(300)), StdDuration::ZERO));
    let again = escalated(&policy, back, incident, 300);
    assert_eq!(receivers(&again, NoticeKind::Escalated), ["lead", "ops"]);
}

#[test]
fn steps_of_several_routes_are_merged_in_the_order_of_time() {
    let child = |receiver: &str, escalation| Route {
        receiver: Some(receiver.to_owned()),
        matchers: "alertname=Down".parse().unwrap(),
        continues: true,
        escalation,
        ..route()
    };
    let routes = vec![
        child("first", steps(&[(100, &["a", "b"]), (300, &["c"])])),
        child("second", steps(&[(100, &["b", "d"]), (200, &["e"])])),
    ];
    let policy = policy_of(Route { routes, ..route() });
    let (id, mut changes) = fired(&policy);
    let mut told = Vec::new();
    for second in [101, 201, 301] {
        changes = escalated(&policy, changes, id, second);
        told.push(receivers(&changes, NoticeKind::Escalated).join(" "));
    }
    assert_eq!(told, ["a b d", "e", "c"]);
}

#[test]
fn what_is_silenced_or_flaps_waits() {
    let silences = [Silence {
        id: SilenceId::from_uuid(uuid::Uuid::from_u128(7)),
        matchers: "pod=a".parse().unwrap(),
        starts_at: at(50),
        ends_at: at(400),
        recurrence: None,
        author: "ada".to_owned(),
        comment: "an upgrade".to_owned(),
        created_at: at(50),
    }];
    let policy = policy();
    let (id, changes) = fired(&policy);
    let mut board = Board::new(&policy, &silences, left(changes));
    board.reconsider(at(60));
    board.escalate(&[id], at(101));
    assert!(board.notices.is_empty() && board.timeline.is_empty());
    assert_eq!(board.incidents[&id].escalate_at, Some(at(131)));
    board.reconsider(at(400));
    board.escalate(&[id], at(401));
    assert_eq!(board.notices.len(), 2, "and then it goes on");

    let (id, mut changes) = fired(&policy);
    changes.opened[0].flapping_since = Some(at(2));
    let waits = escalated(&policy, changes, id, 101);
    assert!(waits.notices.is_empty() && waits.timeline.is_empty());
    assert_eq!((of(&waits).escalated_after, of(&waits).escalate_at), (StdDuration::ZERO, Some(at(131))));
}

#[test]
fn a_changed_configuration_counts_from_the_next_step_on() {
    let before = policy();
    let (id, changes) = fired(&before);
    let changes = escalated(&before, changes, id, 101);
    let moved = policy_of(Route { escalation: steps(&[(50, &["new"]), (600, &["cto"])]), ..route() });
    let changes = escalated(&moved, changes, id, 301);
    assert!(changes.notices.is_empty(), "what was added before the last step is not run, and the next is later now");
    assert_eq!(of(&changes).escalate_at, Some(at(601)));
    let without = policy_of(route());
    let changes = escalated(&without, changes, id, 601);
    assert_eq!((changes.notices.len(), of(&changes).escalate_at), (0, None));
}

#[test]
fn a_route_that_joins_brings_its_steps() {
    // Nobody is told by it at first.
    let child = Route {
        receiver: None,
        matchers: "pod=b".parse().unwrap(),
        continues: true,
        group_by: crate::routing::GroupBy::Labels(vec![]),
        escalation: steps(&[(50, &["dba-lead"])]),
        ..route()
    };
    // Both alerts are of the group of the first route, which takes everything and has no steps.
    let all = Route { matchers: "alertname=Down".parse().unwrap(), continues: true, ..route() };
    let policy =
        Policy { inhibition: Inhibition::default(), ..policy_of(Route { routes: vec![all, child], ..route() }) };
    let (id, changes) = fired(&policy);
    assert_eq!(of(&changes).escalate_at, None);
    let joined = applied_after(&policy, changes, &[delivery("b", AlertStatus::Firing, 10)]);
    assert_eq!(of(&joined).escalate_at, Some(at(51)));
    assert_eq!(receivers(&escalated(&policy, joined, id, 51), NoticeKind::Escalated), ["dba-lead"]);
}
