//! Escalation, as it is kept: what is due is found, done once, and stops.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tocsin_shared::command::{Action, Actor, ActorKind, Command};
use tocsin_shared::routing::{EscalationStep, FlapRule, Route};
use tocsin_shared::{CommandId, Incident, Policy, TraceContext};
use tocsin_store::Store;
use tocsin_testbed::Database;

use crate::stage::{at, firing, fresh, policy_of, resolved, route, store_on};

fn policy() -> Policy {
    let step = |minutes, receiver: &str| EscalationStep {
        after: Duration::from_mins(minutes),
        receivers: vec![receiver.to_owned()],
    };
    policy_of(Route {
        reopen_within: Duration::ZERO,
        flap: FlapRule { transitions: 0, window: Duration::ZERO },
        escalation: vec![step(10, "lead"), step(30, "cto")],
        ..route()
    })
}

async fn incident(store: &Store) -> Incident {
    store.incident_get_by_number(1).await.unwrap().unwrap().incident
}

/// Receiver and revision of what was told of an escalation.
async fn escalated(database: &Database) -> Vec<Vec<String>> {
    let rows = "SELECT receiver, revision, next_attempt_at <= now() FROM notifications WHERE kind = 'escalated' ORDER BY revision";
    database.sql(rows).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_workers_one_runs_each_step_and_it_is_told_at_once() {
    let (store, database) = fresh().await;
    store.batch_apply(&[firing("Down", 0)], &[], &policy()).await.unwrap();
    assert_eq!(incident(&store).await.escalate_at, Some(at(600)));
    assert_eq!(store.incidents_escalate(&policy(), at(599)).await.unwrap().done, 0);
    for (second, expected) in [(600, 1), (1_800, 2), (9_000, 2)] {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let store = store_on(&database);
                tokio::spawn(async move { store.incidents_escalate(&policy(), at(second)).await.unwrap().notices })
            })
            .collect();
        for worker in workers {
            worker.await.unwrap();
        }
        assert_eq!(escalated(&database).await.len(), expected, "after {second} s");
    }
    assert_eq!(escalated(&database).await, [["lead", "2", "t"], ["cto", "3", "t"]]);
    let timeline = "SELECT content FROM timeline WHERE kind = 'incident_escalated' ORDER BY id";
    let told = database.sql(timeline).await.unwrap().concat();
    assert_eq!(told, ["Nobody has taken it for 10 min; told lead", "Nobody has taken it for 30 min; told cto"]);
    let kept = incident(&store).await;
    assert_eq!((kept.escalate_at, kept.escalated_after), (None, Duration::from_mins(30)));
}

#[tokio::test]
async fn it_stops_with_an_acknowledgement_and_with_the_end_and_whoever_was_told_is_told_of_both() {
    let (store, database) = fresh().await;
    store.batch_apply(&[firing("Down", 0)], &[], &policy()).await.unwrap();
    store.incidents_escalate(&policy(), at(600)).await.unwrap();
    let actor = Actor { kind: ActorKind::Token, id: "ops".to_owned(), name: "Ada".to_owned() };
    let action = Action::Acknowledge { incident: incident(&store).await.id };
    let (id, at_second) = (CommandId::generate(), at(700));
    let acknowledge = Command { id, at: at_second, actor, trace: TraceContext::random(), action };
    store.command_apply(&acknowledge, &policy()).await.unwrap();
    assert_eq!(store.incidents_escalate(&policy(), at(9_000)).await.unwrap().done, 0);
    store.batch_apply(&[resolved("Down", 800)], &[], &policy()).await.unwrap();
    let to_lead = "SELECT kind FROM notifications WHERE receiver = 'lead' ORDER BY revision";
    assert_eq!(database.sql(to_lead).await.unwrap().concat(), ["escalated", "acknowledged", "resolved"]);
    assert_eq!(database.sql("SELECT count(*) FROM notifications WHERE receiver = 'cto'").await.unwrap(), [["0"]]);
}

#[tokio::test]
async fn an_incident_that_is_silenced_meanwhile_waits_with_its_escalation() {
    let (store, database) = fresh().await;
    store.batch_apply(&[firing("Down", 0)], &[], &policy()).await.unwrap();
    database.sql("UPDATE alerts SET silenced_by = gen_random_uuid()").await.unwrap();
    let now = Utc::now();
    store.incidents_escalate(&policy(), now).await.unwrap();
    assert!(escalated(&database).await.is_empty());
    let waits = incident(&store).await;
    assert!(waits.escalate_at.is_some_and(|due| due > now && due < now + TimeDelta::minutes(1)), "{waits:?}");
    assert_eq!(waits.version, 1, "nothing has changed that anybody is told");
}
