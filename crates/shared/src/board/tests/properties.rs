//! What holds for every history: in whatever order, however often, under every policy.

use proptest::prelude::*;

use super::*;
use crate::routing::{EscalationStep, ResolvePolicy};
use crate::silence::Silence;

/// Promise 5, as far as one board can tell.
fn assert_invariants(changes: &Changes) {
    let alerts: Vec<&Alert> = changes.alerts.iter().chain(&changes.heard).collect();
    let incidents: Vec<_> = changes.opened.iter().chain(&changes.updated).collect();
    let mut open_groups = HashSet::new();
    for incident in &incidents {
        let members = changes.memberships.iter().filter(|(id, _)| *id == incident.id).count();
        assert_eq!(usize::try_from(incident.alert_count), Ok(members), "alert_count counts the members");
        let belongs = |alert: &&&Alert| alert.incident_id == Some(incident.id) && alert.status == AlertStatus::Firing;
        let firing: Vec<_> = alerts.iter().filter(belongs).collect();
        assert_eq!(usize::try_from(incident.firing.total()), Ok(firing.len()), "firing counts those that fire");
        let worst = firing.iter().map(|alert| IncidentSeverity::from(alert.newest.severity)).max();
        assert!(worst.is_none_or(|worst| worst == incident.severity), "as bad as the worst that fires");
        if incident.policy != ResolvePolicy::Never {
            assert_eq!(incident.status.is_open(), incident.firing.total() > 0, "open exactly while something fires");
        }
        assert!(!incident.status.is_open() || open_groups.insert(&incident.group_key), "one open incident per group");
        assert_eq!(incident.status.is_open(), incident.resolved_at.is_none());
        let taken = incident.acknowledged_at.is_some();
        assert!(taken || incident.status != IncidentStatus::Acknowledged, "what is acknowledged was taken");
        assert!(!taken || incident.status != IncidentStatus::Triggered, "what was taken stays so");
        let waits = incident.escalate_at.is_some() || incident.remind_at.is_some();
        assert!(
            !waits || incident.status == IncidentStatus::Triggered,
            "only what nobody has taken waits for somebody"
        );
        assert!(incident.acknowledged_at.is_none_or(|at| at >= incident.triggered_at), "and after it began");
    }
    for alert in alerts.iter().filter(|alert| alert.status == AlertStatus::Firing) {
        let incident = incidents.iter().find(|incident| Some(incident.id) == alert.incident_id);
        let is_in_open = incident.is_some_and(|incident| incident.status.is_open());
        assert!(is_in_open || alert.is_suppressed(), "a firing alert that may be told of is in an open incident");
    }
    let mut revisions = HashSet::new();
    for notice in &changes.notices {
        assert!(revisions.insert((notice.incident_id, &notice.receiver, notice.revision)), "told once per revision");
    }
}

/// Seconds that are close together, and some that are minutes apart.
fn second() -> impl Strategy<Value = i64> {
    prop_oneof![0..8_i64, (0..8_i64).prop_map(|second| 1_000 * second)]
}

prop_compose! {
    fn any_delivery()(pod in 0..4_u8, kind in 0..5_u8, told_at in second(), late in second()) -> Envelope {
        let pod = pod.to_string();
        let mut told = match kind {
            0 => acknowledgement(&pod, told_at),
            1 | 2 => delivery(&pod, AlertStatus::Resolved, told_at),
            _ => delivery(&pod, AlertStatus::Firing, told_at),
        };
        // It tells of `told_at`, and comes in some time later.
        told.received_at = at(told_at + late);
        told.id = EventId::of_delivery("default", &format!("{}/{late}", told.id));
        for event in &mut told.alerts {
            event.expires_at = (late % 2 == 1).then(|| told.received_at + Duration::minutes(5));
        }
        told
    }
}

prop_compose! {
    fn any_policy()(
        reopens in 0..2_u64,
        transitions in 0..4_u32,
        resolve in 0..3_usize,
        steps in proptest::collection::btree_set(1..12_u64, 0..4),
    ) -> Policy {
        let step = |second| EscalationStep {
            after: StdDuration::from_secs(second),
            receivers: vec!["ops".to_owned(), format!("after-{second}")],
        };
        policy_of(Route {
            reopen_within: StdDuration::from_secs(reopens * 600),
            flap: FlapRule { transitions, window: StdDuration::from_mins(10) },
            resolve: ResolvePolicy::ALL[resolve],
            escalation: steps.into_iter().map(step).collect(),
            ..route()
        })
    }
}

fn all_pods(id: u128, from: i64, until: i64) -> Silence {
    Silence {
        id: SilenceId::from_uuid(uuid::Uuid::from_u128(id)),
        matchers: "pod=~\"[01]\"".parse().unwrap(),
        starts_at: at(from),
        ends_at: at(until),
        recurrence: None,
        author: "a".to_owned(),
        comment: "b".to_owned(),
        created_at: at(from),
    }
}

proptest! {
    #[test]
    fn every_order_and_repetition_of_the_same_events_ends_in_the_same_alerts(
        (ordered, shuffled) in proptest::collection::vec(any_delivery(), 1..40)
            .prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle()))
    ) {
        // What a responder or a policy ends is not the sender's word, and comes when it comes.
        let policy = policy_of(route());
        let once = fates(&applied_by(&policy, &ordered));
        let mut twice = shuffled.clone();
        twice.extend(shuffled);
        let again = fates(&applied_by(&policy, &twice));
        let forget = |fates: BTreeMap<AlertKey, Alert>| -> BTreeMap<_, _> {
            fates.into_iter().map(|(key, alert)| (key, Alert { occurrences: 0, ..alert })).collect()
        };
        prop_assert_eq!(forget(once), forget(again));
    }

    #[test]
    fn the_invariants_hold_after_every_step_under_every_policy(
        policy in any_policy(),
        events in proptest::collection::vec(any_delivery(), 1..40),
    ) {
        for steps in 1..=events.len() {
            assert_invariants(&applied_by(&policy, &events[..steps]));
        }
    }

    #[test]
    fn the_invariants_hold_while_silences_come_and_go(
        policy in any_policy(),
        (from, lasts) in (0..9_i64, 1..9_i64),
        events in proptest::collection::vec(any_delivery(), 1..30),
        looks in proptest::collection::vec((0..30_usize, 0..12_i64), 0..4),
    ) {
        let silences = [all_pods(1, from, from + lasts)];
        let mut board = Board::new(&policy, &silences, Loaded::default());
        for (index, event) in events.iter().enumerate() {
            board.apply(event);
            for (_, second) in looks.iter().filter(|(place, _)| *place == index) {
                board.reconsider(at(*second));
                board.time_out(at(*second));
                let ids: Vec<IncidentId> = board.incidents.keys().copied().collect();
                board.escalate(&ids, at(*second));
                board.remind(&ids, at(*second));
            }
        }
        // When all is said, nothing is silenced any more.
        board.reconsider(at(1_000_000));
        let changes = board.into_changes();
        assert_invariants(&changes);
        prop_assert!(changes.alerts.iter().all(|alert| alert.silenced_by.is_none()));
    }

    #[test]
    fn each_step_is_told_once_and_in_the_order_of_time_however_often_and_late_it_is_looked(
        policy in any_policy(),
        looks in proptest::collection::vec(0..200_i64, 1..40),
    ) {
        let mut board = Board::new(&policy, &[], Loaded::default());
        board.apply(&delivery("a", AlertStatus::Firing, 1));
        let ids: Vec<IncidentId> = board.incidents.keys().copied().collect();
        let mut looks = looks;
        looks.sort_unstable();
        let mut told = Vec::new();
        for second in &looks {
            board.escalate(&ids, at(*second));
            for notice in board.notices.drain(..).filter(|notice| notice.kind == NoticeKind::Escalated) {
                let after = notice.receiver.strip_prefix("after-").map(|after| after.parse::<i64>().unwrap());
                if let Some(after) = after {
                    prop_assert!(notice.created_at >= at(1 + after), "not before its time");
                    told.push(after);
                }
            }
        }
        prop_assert!(told.is_sorted_by(|a, b| a < b), "{told:?}");
        // Enough looks, far enough apart, run them all.
        for minute in 1..10 {
            board.escalate(&ids, at(200 + minute * 60));
        }
        let rest = board.notices.iter().filter(|notice| notice.receiver.starts_with("after-")).count();
        prop_assert_eq!(told.len() + rest, policy.routing.root().escalation.len());
    }

    #[test]
    fn batches_may_be_cut_anywhere(events in proptest::collection::vec(any_delivery(), 2..30), cut in 1..29_usize) {
        let cut = cut.min(events.len() - 1);
        let policy = policy_of(route());
        let first = applied_by(&policy, &events[..cut]);
        let mut fate = fates(&first);
        let second = applied_after(&policy, first, &events[cut..]);
        fate.extend(fates(&second));
        prop_assert_eq!(fate, fates(&applied_by(&policy, &events)));
    }

    #[test]
    fn every_event_is_explained(events in proptest::collection::vec(any_delivery(), 1..40)) {
        let changes = applied(&events);
        let told_of: usize = events.iter().map(|event| event.alerts.len()).sum();
        let explained = changes.decisions.iter().filter(|decision| decision.outcome != Outcome::Acknowledged).count();
        prop_assert_eq!(explained, told_of);
        for decision in &changes.decisions {
            let is_routed = decision.group_key.is_some();
            let must_be = matches!(decision.outcome, Outcome::Opened | Outcome::Joined | Outcome::Reopened);
            prop_assert!(is_routed || !must_be);
            prop_assert_eq!(decision.routes.is_empty(), !is_routed);
        }
    }
}
