//! What responders do to an incident from where it is told: silence it, and have its notices tried again.

use std::time::Duration;

use chrono::Utc;
use tocsin_shared::command::{Action, Actor, ActorKind, Command, CommandOutcome};
use tocsin_shared::ledger::DeadNotices;
use tocsin_shared::{AlertStatus, CommandId, ErrorCode, IncidentId, TraceContext};
use tocsin_store::{Attempt, Store, Verdict};

use crate::ledger::{claim, finish};
use crate::stage::{apply, delivery, firing, fresh, policy, resolved};

fn clicked(action: Action) -> Command {
    let actor = Actor { kind: ActorKind::Slack, id: "U123".to_owned(), name: "ada".to_owned() };
    Command { id: CommandId::generate(), at: Utc::now(), actor, trace: TraceContext::random(), action }
}

async fn incident(store: &Store) -> IncidentId {
    store.incident_get_by_number(1).await.unwrap().unwrap().incident.id
}

fn refusal(outcome: CommandOutcome) -> (ErrorCode, String) {
    match outcome {
        CommandOutcome::Rejected { code, detail } => (code, detail),
        done @ CommandOutcome::Done { .. } => panic!("{done:?}"),
    }
}

#[tokio::test]
async fn an_incident_is_silenced_by_what_its_alerts_have_in_common_and_says_so_at_once() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1), delivery("Down", "two", AlertStatus::Firing, 2), firing("Slow", 3)]).await;
    let command = clicked(Action::SilenceIncident { incident: incident(&store).await, duration_s: 3_600 });
    let outcome = store.command_apply(&command, &policy()).await.unwrap();
    assert_eq!(store.command_apply(&command, &policy()).await.unwrap(), outcome, "a repeat");
    let [silence] = store.silence_list(false).await.unwrap().try_into().unwrap();
    assert_eq!(silence.matchers.to_string(), r#"{alertname="Down"}"#);
    assert_eq!((silence.author.as_str(), silence.ends_at - silence.starts_at), ("ada", chrono::TimeDelta::hours(1)));
    let silenced = "SELECT title FROM alerts WHERE silenced_by IS NOT NULL ORDER BY 1";
    assert_eq!(database.sql(silenced).await.unwrap().concat(), ["Down on one", "Down on two"]);
    let last = "SELECT kind, actor_type, actor_id, content FROM timeline ORDER BY id DESC LIMIT 1";
    let expected = ["incident_silenced", "slack", "U123", "Silenced for 1 h by ada"];
    assert_eq!(database.sql(last).await.unwrap(), [expected]);
    let told = "SELECT n.kind, n.status, n.next_attempt_at <= now() FROM notifications n JOIN incidents i ON i.id = n.incident_id \
                WHERE i.number = 1 ORDER BY revision DESC LIMIT 1";
    assert_eq!(database.sql(told).await.unwrap(), [["updated", "pending", "t"]]);
    store.suppression_step(&policy(), Utc::now()).await.unwrap();
    assert_eq!(database.sql(told).await.unwrap(), [["updated", "pending", "t"]], "the silence does not take that back");
}

#[tokio::test]
async fn whoever_silences_again_has_the_same_silence_go_on_and_a_new_one_where_it_was_deleted() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1)]).await;
    let incident = incident(&store).await;
    let silence = async |after: chrono::TimeDelta| {
        let action = Action::SilenceIncident { incident, duration_s: 3_600 };
        let command = Command { at: Utc::now() + after, ..clicked(action) };
        match store.command_apply(&command, &policy()).await.unwrap() {
            CommandOutcome::Done { silence, changed, .. } => (silence.unwrap(), changed, command.at),
            refused @ CommandOutcome::Rejected { .. } => panic!("{refused:?}"),
        }
    };
    let silenced = "SELECT count(*) FROM alerts WHERE silenced_by IS NOT NULL";
    let minutes = chrono::TimeDelta::minutes;
    let (first, changed, _) = silence(minutes(0)).await;
    assert!(changed);
    let (again, changed, _) = silence(chrono::TimeDelta::seconds(5)).await;
    assert_eq!((again, changed), (first, false), "clicked twice");
    let (later, changed, at) = silence(minutes(30)).await;
    assert_eq!((later, changed), (first, true));
    let ends_at = store.silence_get(first).await.unwrap().unwrap().ends_at;
    assert!((ends_at - at - minutes(60)).abs() < chrono::TimeDelta::seconds(1), "{ends_at}");

    let delete = clicked(Action::SilenceDelete { id: first });
    store.command_apply(&delete, &policy()).await.unwrap();
    assert_eq!(database.sql(silenced).await.unwrap(), [["0"]]);
    let (anew, changed, _) = silence(minutes(0)).await;
    assert!(changed && anew != first);
    assert_eq!(database.sql(silenced).await.unwrap(), [["1"]]);
}

#[tokio::test]
async fn what_cannot_be_silenced_is_refused_with_the_reason_and_no_silence_is_made() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1), resolved("Down", 2)]).await;
    let over = incident(&store).await;
    let unknown = IncidentId::generate();
    for (incident, code, told) in
        [(over, ErrorCode::InvalidTransition, "it is over"), (unknown, ErrorCode::NotFound, "no such incident")]
    {
        let command = clicked(Action::SilenceIncident { incident, duration_s: 3_600 });
        let (refused, detail) = refusal(store.command_apply(&command, &policy()).await.unwrap());
        assert!(refused == code && detail.contains(told), "{detail}");
    }
    apply(&store, &[firing("Slow", 3)]).await;
    database.sql("UPDATE incidents SET labels = '{}'").await.unwrap();
    let slow = store.incident_get_by_number(2).await.unwrap().unwrap().incident.id;
    let command = clicked(Action::SilenceIncident { incident: slow, duration_s: 3_600 });
    let (_, detail) = refusal(store.command_apply(&command, &policy()).await.unwrap());
    assert!(detail.contains("no label in common"), "{detail}");
    assert!(store.silence_list(true).await.unwrap().is_empty());
}

#[tokio::test]
async fn driving_notices_again_is_told_in_the_timeline_with_who_wanted_it() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1), firing("Slow", 2)]).await;
    let attempt = Attempt { latency: Duration::ZERO, http_status: Some(404), answer: String::new() };
    for notice in claim(&store, 10, Duration::from_mins(1)).await {
        let dead = Verdict::Dead { reason: "gone".to_owned() };
        assert!(finish(&store, &notice, attempt.clone(), dead).await);
    }
    let notices = DeadNotices::Matching { receiver: Some("ops".to_owned()), since: None, limit: 10 };
    let command = clicked(Action::RedriveNotices { notices });
    let outcome = store.command_apply(&command, &policy()).await.unwrap();
    let done = CommandOutcome::Done { incident: None, silence: None, changed: true, count: Some(2) };
    assert_eq!(outcome, done);
    let told = "SELECT DISTINCT content, actor_id FROM timeline WHERE kind = 'notices_redriven'";
    let content = "ada had what could not be told to ops tried again";
    assert_eq!(database.sql(told).await.unwrap(), [[content, "U123"]]);
    assert_eq!(database.sql("SELECT DISTINCT status FROM notifications").await.unwrap(), [["pending"]]);

    let id = claim(&store, 1, Duration::from_mins(1)).await[0].id;
    let command = clicked(Action::RedriveNotices { notices: DeadNotices::These(vec![id]) });
    let (code, detail) = refusal(store.command_apply(&command, &policy()).await.unwrap());
    assert!(code == ErrorCode::InvalidTransition && detail.contains("is sending"), "{detail}");
}
