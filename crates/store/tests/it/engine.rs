//! What passes with time, what responders do, and what explains it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tocsin_shared::command::{Action, Actor, ActorKind, Command, CommandOutcome, NewSilence};
use tocsin_shared::inhibition::{Inhibition, InhibitionRule};
use tocsin_shared::routing::{FlapRule, ResolvePolicy, Route, Timing};
use tocsin_shared::{AlertStatus, CommandId, Envelope, ErrorCode, IncidentId, IncidentStatus, Policy, TraceContext};
use tocsin_store::{AlertFilter, DeadLetter, DutyDone, Redriven, Retention, Store, Window};
use tocsin_testbed::Database;

use crate::stage::{apply, at, delivery, firing, fresh, policy, policy_of, resolved, route};

fn asked(action: Action) -> Command {
    let actor = Actor { kind: ActorKind::Token, id: "ops".to_owned(), name: "Ada via ops".to_owned() };
    Command { id: CommandId::generate(), at: Utc::now(), actor, trace: TraceContext::random(), action }
}

fn silence(matchers: &str, lasts: TimeDelta) -> Action {
    let silence = NewSilence {
        matchers: matchers.parse().unwrap(),
        starts_at: Some(at(0)),
        ends_at: Utc::now() + lasts,
        recurrence: None,
        comment: "an upgrade".to_owned(),
    };
    Action::Silence { silence }
}

async fn incident(store: &Store, number: i64) -> tocsin_shared::Incident {
    store.incident_get_by_number(number).await.unwrap().unwrap().incident
}

/// Kind, status and reason of the ledger's rows, in the order of the revisions.
async fn ledger(database: &Database) -> Vec<Vec<String>> {
    let rows = "SELECT kind, status, coalesce(reason, '') FROM notifications ORDER BY incident_id, receiver, revision";
    database.sql(rows).await.unwrap()
}

async fn outcomes(database: &Database) -> Vec<String> {
    database.sql("SELECT outcome FROM events ORDER BY applied_at, received_at, outcome DESC").await.unwrap().concat()
}

fn done(incident: IncidentId, changed: bool) -> CommandOutcome {
    CommandOutcome::Done { incident: Some(incident), silence: None, changed, count: None }
}

#[tokio::test]
async fn a_command_is_done_once_and_a_repeat_is_answered_with_its_outcome() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1)]).await;
    let id = incident(&store, 1).await.id;
    let resolve = asked(Action::Resolve { incident: id, note: None });
    assert_eq!(store.command_apply(&resolve, &policy()).await.unwrap(), done(id, true));
    assert_eq!(store.command_apply(&resolve, &policy()).await.unwrap(), done(id, true), "as the first time");
    let over = incident(&store, 1).await;
    assert_eq!((over.status, over.resolved_by.as_deref()), (IncidentStatus::Resolved, Some("Ada via ops")));
    assert_eq!(database.sql("SELECT status FROM alerts").await.unwrap(), [["resolved"]]);
    let told = "SELECT content, actor_type, actor_name FROM timeline ORDER BY id DESC LIMIT 1";
    assert_eq!(database.sql(told).await.unwrap(), [["Resolved by Ada via ops", "token", "Ada via ops"]]);

    let refused = store.command_apply(&asked(Action::Acknowledge { incident: id }), &policy()).await.unwrap();
    assert!(matches!(refused, CommandOutcome::Rejected { code: ErrorCode::InvalidTransition, .. }), "{refused:?}");
    let unknown = asked(Action::Reopen { incident: IncidentId::generate() });
    let unknown = store.command_apply(&unknown, &policy()).await.unwrap();
    assert!(matches!(unknown, CommandOutcome::Rejected { code: ErrorCode::NotFound, .. }), "{unknown:?}");
}

#[tokio::test]
async fn a_silence_reaches_what_fires_and_what_begins_to_fire_and_its_end_as_well() {
    let (store, database) = fresh().await;
    let waits = Timing { group_wait: Duration::from_mins(1), ..Timing::default() };
    let policy = policy_of(Route { timing: waits, ..route() });
    store.batch_apply(&[firing("Down", 1)], &[], &policy).await.unwrap();
    let command = asked(silence("alertname=~\"Down|Slow\"", TimeDelta::hours(1)));
    let CommandOutcome::Done { silence: Some(id), .. } = store.command_apply(&command, &policy).await.unwrap() else {
        panic!("it should have been done")
    };
    let hushed = ["triggered", "superseded", "everything that fires is silenced or inhibited"];
    assert_eq!(ledger(&database).await, [hushed], "what waited to be told is not told");
    store.batch_apply(&[firing("Slow", 2)], &[], &policy).await.unwrap();
    let silenced = "SELECT count(*) FROM alerts WHERE silenced_by IS NOT NULL AND status = 'firing'";
    assert_eq!(database.sql(silenced).await.unwrap(), [["2"]]);
    assert_eq!(database.sql("SELECT count(*) FROM incidents").await.unwrap(), [["1"]], "Slow opened none");
    assert_eq!(store.silence_list(false).await.unwrap().len(), 1);

    store.command_apply(&asked(Action::SilenceEnd { id }), &policy).await.unwrap();
    assert_eq!(database.sql(silenced).await.unwrap(), [["0"]]);
    assert_eq!(database.sql("SELECT count(*) FROM incidents").await.unwrap(), [["2"]], "Slow has one now");
    assert!(store.silence_list(false).await.unwrap().is_empty());
    assert!(store.silence_get(id).await.unwrap().is_some_and(|silence| silence.ends_at <= Utc::now()));
    store.command_apply(&asked(Action::SilenceDelete { id }), &policy).await.unwrap();
    assert_eq!(store.silence_get(id).await.unwrap(), None);
}

#[tokio::test]
async fn a_silence_that_begins_and_ends_by_itself_is_noticed() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1)]).await;
    store.command_apply(&asked(silence("alertname=Slow", TimeDelta::hours(1))), &policy()).await.unwrap();
    database.sql("UPDATE silences SET matchers = '[\"alertname=\\\"Down\\\"\"]', is_applied = false").await.unwrap();
    let step = async |at: DateTime<Utc>| store.suppression_step(&policy(), at).await.unwrap().done;
    assert_eq!((step(Utc::now()).await, step(Utc::now()).await), (1, 0));
    assert_eq!(step(Utc::now() + TimeDelta::hours(2)).await, 1);
    assert_eq!(database.sql("SELECT silenced_by FROM alerts").await.unwrap(), [[""]]);
}

#[tokio::test]
async fn an_inhibition_is_noticed_when_its_source_comes_later_and_when_it_goes() {
    let (store, database) = fresh().await;
    let rule = InhibitionRule {
        name: "database".to_owned(),
        source: "alertname=Database".parse().unwrap(),
        target: "alertname=Service".parse().unwrap(),
        equal: Vec::new(),
    };
    let policy = Policy { inhibition: Inhibition::new(vec![rule]), ..policy() };
    let apply = async |batch: &[Envelope]| store.batch_apply(batch, &[], &policy).await.unwrap();
    let inhibited = async || {
        store.suppression_step(&policy, Utc::now()).await.unwrap();
        database.sql("SELECT count(*) FROM alerts WHERE inhibited_by IS NOT NULL").await.unwrap().concat().concat()
    };
    apply(&[firing("Service", 1)]).await;
    assert_eq!(inhibited().await, "0");
    apply(&[firing("Database", 2), delivery("Service", "two", AlertStatus::Firing, 3)]).await;
    assert_eq!(inhibited().await, "2", "the one that fired before, and the one that fired after");
    apply(&[resolved("Database", 4)]).await;
    assert_eq!(inhibited().await, "0");
    assert_eq!(incident(&store, 1).await.firing.total(), 2, "both are told of");
}

#[tokio::test]
async fn alerts_that_nobody_tells_of_resolve_once() {
    let (store, database) = fresh().await;
    let mut told = firing("Down", 1);
    told.alerts[0].expires_at = Some(at(100));
    apply(&store, &[told, firing("Slow", 1)]).await;
    let step = async |second| store.alerts_time_out(&policy(), at(second)).await.unwrap();
    assert_eq!(step(99).await, DutyDone::default());
    assert_eq!(step(100).await, DutyDone { done: 1, notices: 1, more: false });
    assert_eq!(step(200).await, DutyDone::default());
    let fates = "SELECT status, timed_out, ended_at = expires_at FROM alerts ORDER BY title";
    assert_eq!(database.sql(fates).await.unwrap(), [["resolved", "t", "t"], ["firing", "f", ""]]);
}

#[tokio::test]
async fn receivers_are_reminded_and_told_when_flapping_ends() {
    let (store, database) = fresh().await;
    let timing = Timing { repeat_interval: Duration::from_mins(1), ..Timing::default() };
    let flap = FlapRule { transitions: 2, window: Duration::from_mins(2) };
    let policy = policy_of(Route { timing, flap, ..route() });
    let rounds = [firing("Down", 1), resolved("Down", 2), firing("Down", 3), resolved("Down", 4), firing("Down", 5)];
    store.batch_apply(&rounds, &[], &policy).await.unwrap();
    assert!(incident(&store, 1).await.flapping_since.is_some());
    assert_eq!(store.incidents_calm_down(&policy, at(124)).await.unwrap().done, 0);
    assert_eq!(store.incidents_calm_down(&policy, at(125)).await.unwrap().done, 1);
    assert_eq!(store.incidents_remind(&policy, at(64)).await.unwrap().done, 0);
    assert_eq!(store.incidents_remind(&policy, at(126)).await.unwrap(), DutyDone { done: 1, notices: 1, more: false });
    let kinds: Vec<_> = ledger(&database).await.into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(kinds, ["triggered", "resolved", "reopened", "resolved", "flapping", "updated", "reminder"]);
}

#[tokio::test]
async fn one_resolution_ends_an_incident_of_the_policy_any_though_its_alerts_come_in_different_batches() {
    let (store, database) = fresh().await;
    let policy = policy_of(Route { resolve: ResolvePolicy::Any, ..route() });
    store
        .batch_apply(&[firing("Down", 1), delivery("Down", "two", AlertStatus::Firing, 2)], &[], &policy)
        .await
        .unwrap();
    store.batch_apply(&[resolved("Down", 3)], &[], &policy).await.unwrap();
    assert_eq!(incident(&store, 1).await.status, IncidentStatus::Resolved);
    assert_eq!(database.sql("SELECT DISTINCT status FROM alerts").await.unwrap(), [["resolved"]]);

    let mut told = firing("Slow", 1);
    told.alerts[0].expires_at = Some(at(100));
    store.batch_apply(&[told, delivery("Slow", "two", AlertStatus::Firing, 2)], &[], &policy).await.unwrap();
    assert_eq!(store.alerts_time_out(&policy, at(100)).await.unwrap().done, 1);
    assert_eq!(incident(&store, 2).await.status, IncidentStatus::Resolved, "a timeout is a resolution, too");
    assert_eq!(database.sql("SELECT DISTINCT status FROM alerts").await.unwrap(), [["resolved"]]);
}

#[tokio::test]
async fn a_silence_of_more_alerts_than_one_step_takes_reaches_them_all() {
    let (store, database) = fresh().await;
    let pods: Vec<Envelope> =
        (0..1_200).map(|pod| delivery("Down", &format!("pod-{pod}"), AlertStatus::Firing, 1)).collect();
    for batch in pods.chunks(400) {
        apply(&store, batch).await;
    }
    store.command_apply(&asked(silence("alertname=Down", TimeDelta::hours(1))), &policy()).await.unwrap();
    let mut steps = 0;
    while store.suppression_step(&policy(), Utc::now()).await.unwrap().more {
        steps += 1;
        assert!(steps < 10, "it comes to an end");
    }
    let left = "SELECT count(*) FROM alerts WHERE silenced_by IS NULL";
    assert_eq!(database.sql(left).await.unwrap(), [["0"]]);
}

#[tokio::test]
async fn an_incident_opens_again_within_its_time_and_another_after_it() {
    let (store, database) = fresh().await;
    let policy = policy_of(Route { reopen_within: Duration::from_mins(1), ..route() });
    for batch in [[firing("Down", 1), resolved("Down", 2)], [firing("Down", 30), resolved("Down", 31)]] {
        store.batch_apply(&batch, &[], &policy).await.unwrap();
    }
    assert_eq!(database.sql("SELECT count(*) FROM incidents").await.unwrap(), [["1"]]);
    store.batch_apply(&[firing("Down", 700)], &[], &policy).await.unwrap();
    assert_eq!(database.sql("SELECT count(*) FROM incidents").await.unwrap(), [["2"]]);
    let counts = "SELECT alert_count, firing_warning FROM incidents ORDER BY number";
    assert_eq!(database.sql(counts).await.unwrap(), [["1", "0"], ["1", "1"]]);
}

#[tokio::test]
async fn every_event_of_an_alert_can_be_explained() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1), firing("Down", 5)]).await;
    apply(&store, &[firing("Down", 1), resolved("Down", 9)]).await;
    apply(&store, &[firing("Down", 3)]).await;
    assert_eq!(outcomes(&database).await, ["opened", "sign_of_life", "repeated", "resolved", "stale"]);
    let window = Window { before: None, offset: 0, limit: 1 };
    let alert = store.alert_list(&AlertFilter::default(), window).await.unwrap().items.remove(0);
    let decisions = store.alert_explain(alert.id).await.unwrap();
    assert_eq!(decisions.len(), 5);
    let detail = decisions.last().unwrap().detail.as_ref().unwrap();
    assert_eq!(detail["group_key"], "{}:{alertname=\"Down\"}");
    assert_eq!(detail["notices"][0]["receiver"], "ops");
    assert_eq!(decisions.last().unwrap().payload.as_ref().unwrap()["title"], "Down on one");
    let of_incident = store.incident_explain(alert.incident_id.unwrap()).await.unwrap();
    assert!(of_incident.len() >= 4, "{of_incident:?}");
}

#[tokio::test]
async fn a_dead_letter_is_driven_again_through_the_inbox_and_acts_once() {
    let (store, database) = fresh().await;
    let told = firing("Down", 1);
    let [v, id, received_at, source, integration, traceparent, body] = told.to_values().unwrap();
    let fields = [
        ("v", v),
        ("id", id),
        ("received_at", received_at),
        ("source", source),
        ("integration", integration),
        ("traceparent", traceparent),
        ("body", body),
    ];
    let letter = |entry: &str, fields: &[(&str, String)]| DeadLetter {
        stream: "events",
        entry_id: entry.to_owned(),
        fields: fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        reason: "a test".to_owned(),
    };
    let letters = [letter("1-0", &fields), letter("2-0", &fields[..2])];
    store.batch_apply(&[], &letters, &policy()).await.unwrap();
    let window = Window { before: None, offset: 0, limit: 50 };
    let ids: Vec<i64> = store.dead_letter_list(window).await.unwrap().items.iter().map(|letter| letter.id).collect();
    assert_eq!(
        store.dead_letters_redrive(&ids).await.unwrap(),
        Redriven::Unreadable { id: ids[0], field: "received_at" }
    );
    assert_eq!(store.dead_letters_redrive(&[ids[1], 99]).await.unwrap(), Redriven::Unknown(99));
    assert_eq!(store.dead_letters_redrive(&ids[1..]).await.unwrap(), Redriven::Done(1));
    assert_eq!(store.inbox_apply(10, &policy()).await.unwrap().applied.fresh, 1);
    assert_eq!(store.dead_letter_list(window).await.unwrap().items.len(), 1);
    assert_eq!(apply(&store, &[told]).await.repeated, 1);
    assert_eq!(database.sql("SELECT occurrences FROM alerts").await.unwrap(), [["1"]]);
}

#[tokio::test]
async fn what_is_over_for_long_is_forgotten_and_what_is_open_stays() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1), resolved("Down", 2), firing("Slow", 3)]).await;
    let keep = Retention { incidents: Duration::from_hours(1), commands: Duration::from_hours(1) };
    let forever = Retention { incidents: Duration::from_hours(1_000_000), commands: Duration::from_hours(1) };
    assert_eq!(store.retention_step(forever).await.unwrap().done, 0);
    // The tests' time is long ago.
    assert_eq!(store.retention_step(keep).await.unwrap().done, 2, "an incident and its alert");
    assert_eq!(database.sql("SELECT title FROM incidents").await.unwrap(), [["Slow on one"]]);
    let left =
        "SELECT (SELECT count(*) FROM alerts), (SELECT count(*) FROM notifications), (SELECT count(*) FROM timeline)";
    assert_eq!(database.sql(left).await.unwrap(), [["1", "1", "1"]]);
    assert_eq!(store.retention_step(keep).await.unwrap().done, 0);
}

#[tokio::test]
async fn the_history_has_a_partition_for_each_day_and_loses_the_old_ones() {
    let (store, database) = fresh().await;
    database
        .sql("CREATE TABLE events_20200101 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')")
        .await
        .unwrap();
    store.events_keep(Duration::from_hours(24 * 7)).await.unwrap();
    let days = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass ORDER BY 1";
    let days = database.sql(days).await.unwrap().concat();
    assert_eq!(days.len(), 5, "today, three days to come, and the rest: {days:?}");
    apply(&store, &[firing("Down", 1)]).await;
    assert_eq!(database.sql("SELECT count(*) FROM events_other").await.unwrap(), [["0"]]);
}

#[tokio::test]
async fn of_two_workers_one_at_a_time_does_a_duty() {
    let (store, database) = fresh().await;
    let mut told = firing("Down", 1);
    told.alerts[0].expires_at = Some(at(100));
    apply(&store, &[told]).await;
    let policy = policy();
    let steps = (0..8).map(|_| store.alerts_time_out(&policy, at(200)));
    let done: usize = futures_util::future::join_all(steps).await.into_iter().map(|step| step.unwrap().done).sum();
    assert_eq!(done, 1);
    assert_eq!(database.sql("SELECT count(*) FROM timeline WHERE kind = 'alert_timed_out'").await.unwrap(), [["1"]]);
}
