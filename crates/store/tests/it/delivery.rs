//! What a delivery reads and leaves behind: stories, messages, attempts, room.

use serde_json::json;
use tocsin_shared::AlertStatus;
use tocsin_store::{Outcome, Verdict};

use crate::ledger::{LONG, attempt, claim, claim_one, finish, outcome, room, room_at, rows};
use crate::stage::{apply, delivery, firing, fresh, resolved};

#[tokio::test]
async fn no_receiver_gets_more_than_it_has_room_for_and_none_waits_for_another() {
    let (store, database) = fresh().await;
    let batch: Vec<_> = (0..20).map(|n| firing(&format!("group-{n}"), 1)).collect();
    apply(&store, &batch).await;
    // The older half is for somebody else.
    database
        .sql("UPDATE notifications SET receiver = 'dev' WHERE incident_id IN (SELECT id FROM incidents ORDER BY number LIMIT 10)")
        .await
        .unwrap();
    let claimed = store.ledger_claim(&[room(3), room_at("dev", 2), room_at("nobody", 9)], LONG).await.unwrap().notices;
    let of = |receiver: &str| claimed.iter().filter(|notice| notice.receiver == receiver).count();
    assert_eq!((of("ops"), of("dev"), claimed.len()), (3, 2, 5));
    assert_eq!(store.ledger_claim(&[], LONG).await.unwrap().notices, []);
}

#[tokio::test]
async fn a_claim_changes_nothing_that_an_index_has() {
    let (_, database) = fresh().await;
    let indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename = 'notifications'";
    let indexes = database.sql(indexes).await.unwrap().concat();
    assert!(indexes.len() > 5, "{indexes:?}");
    for column in ["status", "attempts", "lease_token", "lease_until"] {
        let with =
            |index: &&String| index.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == column);
        assert_eq!(indexes.iter().find(with), None, "{column}");
    }
}

#[tokio::test]
async fn a_story_has_the_incident_as_it_is_and_its_alerts_those_that_fire_first() {
    let (store, _) = fresh().await;
    let pods = ["one", "two", "three"];
    let mut batch: Vec<_> = pods.iter().map(|pod| delivery("Down", pod, AlertStatus::Firing, 1)).collect();
    batch.push(delivery("Down", "three", AlertStatus::Resolved, 2));
    batch.push(firing("Slow", 3));
    apply(&store, &batch).await;
    let claimed = claim(&store, 10, LONG).await;
    let told: Vec<_> = store.stories(&claimed).await.unwrap().into_iter().map(Option::unwrap).collect();
    assert_eq!(told.len(), 2);
    for (notice, story) in claimed.iter().zip(&told) {
        assert_eq!(notice.incident_id, story.incident.incident.id, "in the order of the notices");
        assert_eq!(story.message, None);
    }
    let down = told.iter().find(|story| story.alerts.len() == 3).unwrap();
    let alerts: Vec<_> = down.alerts.iter().map(|alert| (alert.newest.labels["pod"].as_str(), alert.status)).collect();
    let firing = AlertStatus::Firing;
    assert_eq!(alerts, [("two", firing), ("one", firing), ("three", AlertStatus::Resolved)]);
}

#[tokio::test]
async fn a_story_of_many_alerts_is_bounded() {
    let (store, _) = fresh().await;
    let pods: Vec<String> = (0..120).map(|n| format!("pod-{n}")).collect();
    apply(&store, &pods.iter().map(|pod| delivery("Down", pod, AlertStatus::Firing, 1)).collect::<Vec<_>>()).await;
    apply(&store, &pods[..90].iter().map(|pod| delivery("Down", pod, AlertStatus::Resolved, 2)).collect::<Vec<_>>())
        .await;
    let claimed = claim(&store, 1, LONG).await;
    let told = store.stories(&claimed).await.unwrap().remove(0).unwrap();
    assert_eq!(told.alerts.len(), 50);
    assert!(told.alerts[..30].iter().all(|alert| alert.status == AlertStatus::Firing));
    assert!(told.alerts[30..].iter().all(|alert| alert.status == AlertStatus::Resolved));
}

#[tokio::test]
async fn what_the_provider_calls_a_message_is_there_for_the_next_notice_of_the_incident() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1), resolved("Down", 2)]).await;
    let first = claim_one(&store, LONG).await;
    let named =
        Outcome { message: Some(json!({"ts": "1.2"})), ..outcome(&first, attempt(200, "ok"), Verdict::Delivered) };
    store.ledger_finish(&[named]).await.unwrap();
    let second = claim_one(&store, LONG).await;
    let message = |story: Vec<Option<tocsin_store::StoryRecord>>| story.into_iter().next().unwrap().unwrap().message;
    let known = Some(("ops's channel".to_owned(), json!({"ts": "1.2"})));
    assert_eq!(message(store.stories(std::slice::from_ref(&second)).await.unwrap()), known);

    // One that names nothing leaves it; one whose lease is over changes nothing.
    assert!(finish(&store, &second, attempt(200, "ok"), Verdict::Delivered).await);
    let stale =
        Outcome { message: Some(json!({"ts": "9.9"})), ..outcome(&second, attempt(200, "ok"), Verdict::Delivered) };
    store.ledger_finish(&[stale]).await.unwrap();
    assert_eq!(rows(&database, "reference->>'ts', destination", "messages").await, [["1.2", "ops's channel"]]);
}

#[tokio::test]
async fn many_outcomes_are_recorded_at_once_each_as_it_is() {
    let (store, database) = fresh().await;
    let batch: Vec<_> = (0..4).map(|n| firing(&format!("group-{n}"), 1)).collect();
    apply(&store, &batch).await;
    let claimed = claim(&store, 4, LONG).await;
    database
        .sql(&format!("UPDATE notifications SET lease_token = gen_random_uuid() WHERE id = '{}'", claimed[3].id))
        .await
        .unwrap();
    let verdicts = [
        Verdict::Delivered,
        Verdict::Retry { after: std::time::Duration::from_mins(1) },
        Verdict::Dead { reason: "no".to_owned() },
        Verdict::Delivered,
    ];
    let outcomes: Vec<_> = claimed
        .iter()
        .zip(verdicts)
        .zip([200, 500, 404, 201])
        .map(|((notice, verdict), status)| outcome(notice, attempt(status, "said"), verdict))
        .collect();
    let held = store.ledger_finish(&outcomes).await.unwrap();
    assert_eq!(held, claimed[..3].iter().map(|notice| notice.id).collect(), "the last is somebody else's");
    let states = rows(&database, "status, coalesce(reason, '')", "notifications").await;
    assert_eq!(states, [["dead", "no"], ["delivered", ""], ["pending", ""], ["sending", ""]]);
    assert_eq!(rows(&database, "http_status", "deliveries").await, [["200"], ["404"], ["500"]]);

    // The answer to the first try was lost on its way, and so it is tried again.
    let again = store.ledger_finish(&outcomes[..1]).await.unwrap();
    assert_eq!(again.len(), 1, "it is recorded");
    assert_eq!(rows(&database, "count(*)", "deliveries").await, [["3"]], "once");
}
