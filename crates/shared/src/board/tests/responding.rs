//! What responders do.

use super::*;
use crate::command::{Action, Actor, ActorKind, Command, CommandOutcome};
use crate::routing::ResolvePolicy;
use crate::{CommandId, ErrorCode, IncidentId};

fn ada() -> Actor {
    Actor { kind: ActorKind::User, id: "7".to_owned(), name: "Ada".to_owned() }
}

fn asked(action: Action, second: i64) -> Command {
    Command { id: CommandId::generate(), at: at(second), actor: ada(), trace: TraceContext::new(1, 1, 0), action }
}

/// What a responder's wish makes of what is there.
fn commanded(before: Changes, command: &Command) -> (CommandOutcome, Changes) {
    let policy = policy_of(route());
    let mut board = Board::new(&policy, &[], left(before));
    let outcome = board.command(command);
    (outcome, board.into_changes())
}

fn fired() -> (Changes, IncidentId) {
    let changes = applied(&["a", "b"].map(|pod| delivery(pod, AlertStatus::Firing, 1)));
    let id = changes.opened[0].id;
    (changes, id)
}

#[test]
fn an_incident_is_acknowledged_once_and_it_is_said_by_whom() {
    let (changes, incident) = fired();
    let (outcome, changes) = commanded(changes, &asked(Action::Acknowledge { incident }, 5));
    assert_eq!(outcome, CommandOutcome::Done { incident: Some(incident), silence: None, changed: true, count: None });
    let taken = &changes.updated[0];
    assert_eq!((taken.status, taken.acknowledged_by.as_deref()), (IncidentStatus::Acknowledged, Some("Ada")));
    assert_eq!(changes.timeline[0].actor, Some(ada()));
    assert_eq!(told(&changes)[0].0, NoticeKind::Acknowledged);
    let (outcome, again) = commanded(changes, &asked(Action::Acknowledge { incident }, 6));
    assert_eq!(outcome, CommandOutcome::Done { incident: Some(incident), silence: None, changed: false, count: None });
    assert!(again.updated.is_empty() && again.notices.is_empty());
}

#[test]
fn a_silenced_incident_says_so_at_once_and_goes_on() {
    let (changes, incident) = fired();
    let (outcome, changes) = commanded(changes, &asked(Action::SilenceIncident { incident, duration_s: 5_400 }, 5));
    assert_eq!(outcome, CommandOutcome::Done { incident: Some(incident), silence: None, changed: true, count: None });
    assert_eq!(changes.timeline[0].content, "Silenced for 1 h 30 min by Ada");
    assert_eq!((changes.updated[0].status, told(&changes)[0].0), (IncidentStatus::Triggered, NoticeKind::Updated));
    assert!(changes.notices[0].group_interval.is_zero(), "it does not wait for what else comes");
    let (_, over) = commanded(changes, &asked(Action::Resolve { incident, note: None }, 6));
    let (refused, _) = commanded(over, &asked(Action::SilenceIncident { incident, duration_s: 60 }, 7));
    assert!(matches!(refused, CommandOutcome::Rejected { code: ErrorCode::InvalidTransition, .. }), "{refused:?}");
}

#[test]
fn what_a_responder_resolves_or_cancels_ends_with_its_alerts() {
    let note = Some("rebooted".to_owned());
    for (action, status, content) in [
        (
            fired_resolve as fn(IncidentId, Option<String>) -> Action,
            IncidentStatus::Resolved,
            "Resolved by Ada: rebooted",
        ),
        (fired_cancel, IncidentStatus::Canceled, "Canceled by Ada: rebooted"),
    ] {
        let (changes, incident) = fired();
        let (_, changes) = commanded(changes, &asked(action(incident, note.clone()), 5));
        let ended = &changes.updated[0];
        assert_eq!((ended.status, ended.firing.total(), ended.resolved_by.as_deref()), (status, 0, Some("Ada")));
        assert!(changes.alerts.iter().all(|alert| alert.status == AlertStatus::Resolved));
        assert_eq!(changes.timeline.last().map(|entry| entry.content.as_str()), Some(content));
        // The alert still fires for its sender, who repeats it with its old times.
        let mut beat = delivery("a", AlertStatus::Firing, 60);
        (beat.alerts[0].started_at, beat.alerts[0].event_at) = (Some(at(1)), at(1));
        let changes = applied_after(&policy_of(route()), changes, &[beat]);
        assert!(changes.opened.is_empty(), "a sign of life opens nothing");
        let changes = applied_after(&policy_of(route()), changes, &[delivery("a", AlertStatus::Firing, 70)]);
        assert_eq!(changes.opened.len(), 1, "what fires anew does");
    }
}

fn fired_resolve(incident: IncidentId, note: Option<String>) -> Action {
    Action::Resolve { incident, note }
}

fn fired_cancel(incident: IncidentId, note: Option<String>) -> Action {
    Action::Cancel { incident, note }
}

#[test]
fn alerts_that_were_not_loaded_are_asked_for_before_an_incident_ends() {
    let (mut changes, incident) = fired();
    changes.alerts.pop();
    let (_, changes) = commanded(changes, &asked(fired_resolve(incident, None), 5));
    assert!(changes.misses_members);
}

#[test]
fn what_is_over_can_be_reopened_and_not_acknowledged() {
    let (changes, incident) = fired();
    let (_, over) = commanded(changes, &asked(fired_resolve(incident, None), 5));
    let (outcome, changes) = commanded(over, &asked(Action::Acknowledge { incident }, 6));
    let expected = "it is resolved; reopen it first".to_owned();
    assert_eq!(outcome, CommandOutcome::Rejected { code: ErrorCode::InvalidTransition, detail: expected });
    assert!(changes.updated.is_empty());

    let (changes, incident) = fired();
    let (_, over) = commanded(changes, &asked(fired_resolve(incident, None), 5));
    let (_, changes) = commanded(over, &asked(Action::Reopen { incident }, 7));
    let open = &changes.updated[0];
    assert_eq!(
        (open.status, open.resolved_by.as_ref(), open.policy),
        (IncidentStatus::Triggered, None, ResolvePolicy::Never)
    );
    assert!(changes.reopens);
}

#[test]
fn an_incident_stays_closed_while_its_group_has_another() {
    let (changes, incident) = fired();
    let (_, over) = commanded(changes, &asked(fired_resolve(incident, None), 5));
    let policy = policy_of(route());
    let mut board = Board::new(&policy, &[], left(over));
    board.apply(&delivery("a", AlertStatus::Firing, 70));
    let outcome = board.command(&asked(Action::Reopen { incident }, 71));
    assert!(matches!(outcome, CommandOutcome::Rejected { code: ErrorCode::InvalidTransition, .. }), "{outcome:?}");
}

#[test]
fn a_severity_that_a_responder_sets_is_not_changed_by_alerts() {
    let (changes, incident) = fired();
    let set = Action::SetSeverity { incident, severity: IncidentSeverity::Low };
    let (_, changes) = commanded(changes, &asked(set, 5));
    assert_eq!(changes.updated[0].severity, IncidentSeverity::Low);
    let mut worse = delivery("a", AlertStatus::Firing, 6);
    worse.alerts[0].severity = AlertSeverity::Critical;
    let before = Changes { alerts: fired().0.alerts, ..changes };
    let changes = applied_after(&policy_of(route()), before, &[worse]);
    assert!(changes.updated.iter().all(|incident| incident.severity == IncidentSeverity::Low));
}

#[test]
fn an_incident_can_be_declared_and_ends_when_a_responder_says_so() {
    let declare = Action::Declare {
        title: "Customers cannot pay".to_owned(),
        summary: None,
        severity: IncidentSeverity::Critical,
        labels: Labels::from([("team".to_owned(), "payments".to_owned())]),
    };
    let (outcome, changes) = commanded(Changes::default(), &asked(declare, 5));
    let CommandOutcome::Done { incident: Some(incident), .. } = outcome else { panic!("{outcome:?}") };
    let declared = &changes.opened[0];
    assert_eq!((declared.status, declared.declared, declared.alert_count), (IncidentStatus::Triggered, true, 0));
    assert_eq!(told(&changes), [(NoticeKind::Triggered, 1)]);
    let (_, changes) = commanded(changes, &asked(fired_resolve(incident, None), 9));
    assert_eq!(changes.updated[0].status, IncidentStatus::Resolved);
}

#[test]
fn one_resolution_ends_an_incident_of_the_policy_any() {
    let policy = policy_of(Route { resolve: ResolvePolicy::Any, ..route() });
    let fired = ["a", "b"].map(|pod| delivery(pod, AlertStatus::Firing, 1));
    let changes = applied_by(&policy, &[&fired[..], &[delivery("a", AlertStatus::Resolved, 2)]].concat());
    assert_eq!((changes.opened[0].status, changes.opened[0].firing.total()), (IncidentStatus::Resolved, 0));
    assert!(changes.alerts.iter().all(|alert| alert.status == AlertStatus::Resolved), "b ends with it");
}
