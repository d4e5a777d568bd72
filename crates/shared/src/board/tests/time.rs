//! What passes with time: reopening, flapping, timeouts, silences, inhibition, reminders.

use super::*;
use crate::inhibition::{Inhibition, InhibitionRule};
use crate::routing::Timing;
use crate::silence::Silence;

fn reopening() -> Policy {
    policy_of(Route { reopen_within: StdDuration::from_mins(1), ..route() })
}

#[test]
fn an_alert_that_fires_again_soon_opens_its_incident_again_and_later_another() {
    let over = [delivery("a", AlertStatus::Firing, 1), delivery("a", AlertStatus::Resolved, 5)];
    let soon = [&over[..], &[delivery("a", AlertStatus::Firing, 64)]].concat();
    let changes = applied_by(&reopening(), &soon);
    let [incident] = &changes.opened[..] else { panic!("{changes:?}") };
    assert_eq!((incident.status, incident.resolved_at, incident.alert_count), (IncidentStatus::Triggered, None, 1));
    assert_eq!(told(&changes).last(), Some(&(NoticeKind::Reopened, incident.version)));
    assert!(changes.reopens);

    let late = [&over[..], &[delivery("a", AlertStatus::Firing, 65)]].concat();
    assert_eq!(applied_by(&reopening(), &late).opened.len(), 2);
}

#[test]
fn what_flaps_is_told_once_and_then_only_when_it_is_calm() {
    let flap = FlapRule { transitions: 3, window: StdDuration::from_secs(100) };
    let policy = policy_of(Route { reopen_within: StdDuration::from_mins(1), flap, ..route() });
    let mut events = Vec::new();
    for round in 0..6 {
        events.push(delivery("a", AlertStatus::Firing, round * 10));
        events.push(delivery("a", AlertStatus::Resolved, round * 10 + 5));
    }
    let changes = applied_by(&policy, &events);
    assert_eq!(changes.opened.len(), 1);
    let kinds: Vec<_> = told(&changes).into_iter().map(|(kind, _)| kind).collect();
    let before = [NoticeKind::Triggered, NoticeKind::Resolved].into_iter();
    let before = before.chain([NoticeKind::Reopened, NoticeKind::Resolved, NoticeKind::Reopened, NoticeKind::Resolved]);
    assert_eq!(kinds, before.chain([NoticeKind::Flapping]).collect::<Vec<_>>());
    let withheld = changes.decisions.iter().flat_map(|decision| &decision.notices).filter(|n| n.withheld.is_some());
    assert_eq!(withheld.count(), 5, "and for each that is not told it is said why");

    let ids = [changes.opened[0].id];
    let mut board = Board::new(&policy, &[], left(changes));
    board.calm_down(&ids, at(149));
    assert_eq!(board.notices.len(), 0, "not yet");
    board.calm_down(&ids, at(150));
    let changes = board.into_changes();
    assert_eq!(told(&changes)[0].0, NoticeKind::Resolved);
    assert_eq!(changes.updated[0].flapping_since, None);
}

#[test]
fn an_alert_that_nobody_tells_of_any_more_is_resolved_until_it_is_heard_of_again() {
    let policy = policy_of(route());
    let beat = |second: i64| {
        let mut beat = delivery("a", AlertStatus::Firing, second);
        let event = &mut beat.alerts[0];
        (event.started_at, event.event_at, event.expires_at) = (Some(at(1)), at(1), Some(at(second + 300)));
        beat
    };
    let fired = applied_by(&policy, &[beat(1), beat(100)]);
    let mut board = Board::new(&policy, &[], left(fired));
    assert_eq!(board.time_out(at(399)), 0);
    assert_eq!(board.time_out(at(400)), 1);
    let out = board.into_changes();
    assert_eq!((out.alerts[0].status, out.alerts[0].ended_at()), (AlertStatus::Resolved, Some(at(400))));
    assert_eq!(out.updated[0].status, IncidentStatus::Resolved);
    assert_eq!(out.timeline[0].kind, TimelineKind::AlertTimedOut);

    // One that was on its way for long is older than the timeout, and says nothing new.
    let stale = applied_after(&policy, out, &[beat(90)]);
    assert_eq!(stale.alerts[0].status, AlertStatus::Resolved);
    let back = applied_after(&policy, stale, &[beat(500)]);
    assert_eq!((back.alerts[0].status, back.opened.len()), (AlertStatus::Firing, 1));
}

#[test]
fn an_integration_may_say_how_long_its_alerts_go_without_news() {
    let timeouts = [("default".to_owned(), StdDuration::from_mins(1))].into();
    let policy = Policy { resolve_timeouts: timeouts, ..policy_of(route()) };
    let fired = applied_by(&policy, &[delivery("a", AlertStatus::Firing, 1)]);
    assert_eq!(fired.alerts[0].expires_at, Some(at(61)));
    let mut told = delivery("a", AlertStatus::Firing, 1);
    told.alerts[0].expires = true;
    assert_eq!(applied_by(&policy, &[told.clone()]).alerts[0].expires_at, Some(at(61)));
    assert_eq!(applied(&[told.clone()]).alerts[0].expires_at, Some(at(301)), "five minutes unless it says");
    told.alerts[0].expires_at = Some(at(9));
    assert_eq!(applied_by(&policy, &[told]).alerts[0].expires_at, Some(at(9)), "the sender knows best");
}

#[test]
fn what_is_heard_to_fire_long_after_its_resolution_fires_though_its_start_is_older() {
    let beat = |second: i64| {
        let mut beat = delivery("a", AlertStatus::Firing, second);
        (beat.alerts[0].started_at, beat.alerts[0].event_at) = (Some(at(1)), at(1));
        beat
    };
    let over = delivery("a", AlertStatus::Resolved, 100);
    let soon = applied(&[beat(1), over.clone(), beat(400)]);
    assert_eq!(soon.alerts[0].status, AlertStatus::Resolved, "a repeat that was held back for a while");
    let later = applied(&[beat(1), over, beat(401)]);
    assert_eq!(later.alerts[0].status, AlertStatus::Firing);
    assert_eq!(later.opened.len(), 2);
}

fn silence(matchers: &str, from: i64, until: i64) -> Silence {
    Silence {
        id: SilenceId::from_uuid(uuid::Uuid::from_u128(7)),
        matchers: matchers.parse().unwrap(),
        starts_at: at(from),
        ends_at: at(until),
        recurrence: None,
        author: "ada".to_owned(),
        comment: "an upgrade".to_owned(),
        created_at: at(from),
    }
}

#[test]
fn a_silenced_alert_opens_nothing_until_its_silence_ends() {
    let (policy, silences) = (policy_of(route()), [silence("pod=a", 0, 100)]);
    let mut board = Board::new(&policy, &silences, Loaded::default());
    board.apply(&delivery("a", AlertStatus::Firing, 1));
    board.apply(&delivery("b", AlertStatus::Firing, 2));
    assert_eq!(board.reconsider(at(99)), 0);
    let changes = board.into_changes();
    assert_eq!((changes.opened.len(), changes.opened[0].alert_count), (1, 1), "b's");
    assert_eq!((changes.alerts[0].silenced_by, changes.alerts[0].incident_id), (Some(silences[0].id), None));
    let decision = &changes.decisions[0];
    let by = format!("silence:{}", silences[0].id);
    assert_eq!((decision.outcome, decision.suppressed_by.as_deref()), (Outcome::Suppressed, Some(by.as_str())));

    let mut board = Board::new(&policy, &silences, left(changes));
    assert_eq!(board.reconsider(at(100)), 1);
    let changes = board.into_changes();
    assert_eq!((changes.updated[0].alert_count, changes.updated[0].firing.total()), (2, 2), "a joins");
    assert_eq!(told(&changes)[0].0, NoticeKind::Updated);
}

#[test]
fn an_incident_whose_alerts_are_silenced_meanwhile_goes_on_in_silence() {
    let (policy, silences) = (policy_of(route()), [silence("pod=a", 5, 100)]);
    let fired = applied_by(&policy, &[delivery("a", AlertStatus::Firing, 1)]);
    let mut board = Board::new(&policy, &silences, left(fired));
    assert_eq!(board.reconsider(at(5)), 1);
    board.apply(&delivery("a", AlertStatus::Resolved, 6));
    let changes = board.into_changes();
    assert_eq!(changes.updated[0].status, IncidentStatus::Resolved);
    assert!(changes.notices.is_empty());
    let withheld = changes.decisions.iter().flat_map(|decision| &decision.notices).find_map(|notice| notice.withheld);
    assert_eq!(withheld, Some("the alert is silenced"));
}

#[test]
fn an_alert_is_quiet_while_another_inhibits_it() {
    let rule = InhibitionRule {
        name: "pods".to_owned(),
        source: "pod=source".parse().unwrap(),
        target: "pod=target".parse().unwrap(),
        equal: vec!["alertname".to_owned()],
    };
    let policy = Policy { inhibition: Inhibition::new(vec![rule]), ..policy_of(route()) };
    let events = [delivery("source", AlertStatus::Firing, 1), delivery("target", AlertStatus::Firing, 2)];
    let changes = applied_by(&policy, &events);
    assert_eq!((changes.opened.len(), changes.opened[0].alert_count), (1, 1));
    let [source, target] =
        ["source", "target"].map(|pod| changes.alerts.iter().find(|alert| alert.newest.labels["pod"] == pod).unwrap());
    assert_eq!((target.inhibited_by, source.inhibited_by), (Some(source.id), None));

    let inhibitors = source.inhibits.iter().map(|key| (key.clone(), source.id)).collect();
    let mut board = Board::new(&policy, &[], Loaded { inhibitors, ..left(changes) });
    assert_eq!(board.reconsider(at(3)), 0);
    board.apply(&delivery("source", AlertStatus::Resolved, 4));
    assert_eq!(board.reconsider(at(5)), 1);
    let changes = board.into_changes();
    assert_eq!(changes.opened.len(), 1, "the source's incident is over, and the target has its own");
}

#[test]
fn receivers_are_told_again_while_nobody_takes_an_incident() {
    let timing = Timing { repeat_interval: StdDuration::from_secs(100), ..Timing::default() };
    let policy = policy_of(Route { timing, ..route() });
    let fired = applied_by(&policy, &[delivery("a", AlertStatus::Firing, 1)]);
    let ids = [fired.opened[0].id];
    let mut board = Board::new(&policy, &[], left(fired));
    board.remind(&ids, at(100));
    assert!(board.notices.is_empty());
    board.remind(&ids, at(101));
    let changes = board.into_changes();
    assert_eq!(told(&changes), [(NoticeKind::Reminder, 2)]);
    assert_eq!(changes.updated[0].remind_at, Some(at(201)));

    let entry = &changes.timeline[0];
    assert_eq!(entry.content, "Nobody has taken it; receivers are told again");

    let mut flaps = changes;
    flaps.updated[0].flapping_since = Some(at(150));
    let mut board = Board::new(&policy, &[], left(flaps));
    board.remind(&ids, at(201));
    let mut changes = board.into_changes();
    assert!(changes.notices.is_empty() && changes.timeline.is_empty(), "what flaps is told only when it is calm");
    assert_eq!(changes.updated[0].remind_at, Some(at(301)));
    changes.updated[0].flapping_since = None;

    let taken = applied_after(&policy, changes, &[acknowledgement("a", 210)]);
    let mut board = Board::new(&policy, &[], left(taken));
    board.remind(&ids, at(900));
    assert!(board.into_changes().updated.is_empty());
}

#[test]
fn each_route_is_reminded_in_its_own_rhythm() {
    let child = |receiver: &str, seconds| Route {
        receiver: Some(receiver.to_owned()),
        matchers: "alertname=Down".parse().unwrap(),
        continues: true,
        timing: Timing { repeat_interval: StdDuration::from_secs(seconds), ..Timing::default() },
        ..route()
    };
    let policy = policy_of(Route { routes: vec![child("ops", 100), child("boss", 250)], ..route() });
    let mut changes = applied_by(&policy, &[delivery("a", AlertStatus::Firing, 1)]);
    let ids = [changes.opened[0].id];
    let mut seen = Vec::new();
    // The one at 401 is late, and moves none of those after it.
    for second in [101, 201, 251, 301, 440, 501] {
        let mut board = Board::new(&policy, &[], left(changes));
        board.remind(&ids, at(second));
        changes = board.into_changes();
        seen.push(changes.notices.iter().map(|notice| notice.receiver.as_str()).collect::<Vec<_>>().join(" "));
    }
    assert_eq!(seen, ["ops", "ops", "boss", "ops", "ops", "ops boss"]);
}

#[test]
fn an_alert_that_goes_several_ways_is_in_one_incident_of_which_all_are_told() {
    let child = |receiver: &str, continues| Route {
        receiver: Some(receiver.to_owned()),
        matchers: "alertname=Down".parse().unwrap(),
        continues,
        ..route()
    };
    let policy = policy_of(Route { routes: vec![child("first", true), child("second", false)], ..route() });
    let changes =
        applied_by(&policy, &[delivery("a", AlertStatus::Firing, 1), delivery("a", AlertStatus::Resolved, 2)]);
    assert_eq!(changes.opened.len(), 1);
    let receivers: Vec<_> = changes.notices.iter().map(|notice| notice.receiver.as_str()).collect();
    assert_eq!(receivers, ["first", "second", "first", "second"]);
    assert_eq!(changes.decisions[0].routes.len(), 2);
}
