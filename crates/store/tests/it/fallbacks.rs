//! What becomes of notices that cannot be delivered: dead with a reason, and told to a fallback.

use std::time::Duration;

use tocsin_shared::ledger::NoticeKind;
use tocsin_store::{Burial, Outcome, Store, Verdict};

use crate::ledger::{LONG, attempt, claim, claim_one, outcome, room, room_at, rows};
use crate::stage::{apply, firing, fresh, resolved};

const FATES: &str = "receiver, revision, kind, status, coalesce(reason, '')";

fn with_fallback(outcome: Outcome) -> Outcome {
    Outcome { fallback: Some("chief".to_owned()), ..outcome }
}

fn dead(reason: &str) -> Verdict {
    Verdict::Dead { reason: reason.to_owned() }
}

fn burial(reason: &str) -> Burial {
    let (receiver, fallback) = ("ops".to_owned(), Some("chief".to_owned()));
    Burial { receiver, reason: reason.to_owned(), fallback, owed_for: Duration::ZERO }
}

/// Lets the next notice of `ops` die.
async fn die(store: &Store, reason: &str) {
    let notice = claim_one(store, LONG).await;
    let outcome = with_fallback(outcome(&notice, attempt(404, reason), dead(reason)));
    assert!(store.ledger_finish(&[outcome]).await.unwrap().contains(&notice.id));
}

#[tokio::test]
async fn the_fallback_is_told_of_what_is_dead_and_in_whose_place() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1)]).await;
    die(&store, "no_service").await;
    let expected = [
        ["chief", "1", "undelivered", "pending", ""].map(str::to_owned),
        ["ops", "1", "triggered", "dead", "no_service"].map(str::to_owned),
    ];
    assert_eq!(rows(&database, FATES, "notifications").await, expected);

    let told = store.ledger_claim(&[room_at("chief", 8)], LONG).await.unwrap().notices;
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].kind, told[0].attempt), (NoticeKind::Undelivered, 1));
    assert_eq!(told[0].instead_of, Some(("ops".to_owned(), "no_service".to_owned())));

    // A fallback has none itself, whatever its own configuration says.
    let verdict = with_fallback(outcome(&told[0], attempt(404, "gone"), dead("gone")));
    store.ledger_finish(&[verdict]).await.unwrap();
    assert_eq!(rows(&database, "status", "notifications").await, [["dead"], ["dead"]]);
}

#[tokio::test]
async fn of_several_that_are_dead_the_newest_is_told_to_the_fallback() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1), resolved("Down", 2)]).await;
    die(&store, "first").await;
    die(&store, "second").await;
    let told =
        rows(&database, "revision, status, because, coalesce(reason, '')", "notifications WHERE receiver = 'chief'");
    let expected = [["1", "superseded", "first", "a newer notice says it"], ["2", "pending", "second", ""]];
    assert_eq!(told.await, expected);
}

#[tokio::test]
async fn what_nobody_will_send_is_buried_at_once_with_one_notice_to_the_fallback() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1), resolved("Down", 2), firing("Slow", 3)]).await;
    let buried = store.ledger_bury(&[burial("switched off")]).await.unwrap();
    assert_eq!(buried.iter().map(|buried| buried.notices).collect::<Vec<_>>(), [3]);
    let ends = rows(&database, "receiver, revision, status", "notifications").await;
    let mut chief = ends.iter().filter(|row| row[0] == "chief").map(|row| row[1].as_str()).collect::<Vec<_>>();
    chief.sort_unstable();
    assert_eq!((chief, ends.len()), (vec!["1", "2"], 5), "{ends:?}");
    assert!(claim(&store, 10, LONG).await.is_empty());
}

#[tokio::test]
async fn what_somebody_is_sending_or_is_not_due_yet_is_not_buried() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1), firing("Slow", 2)]).await;
    claim(&store, 1, LONG).await;
    database.sql("UPDATE notifications SET next_attempt_at = now() + '1 min' WHERE status = 'pending'").await.unwrap();
    assert_eq!(store.ledger_bury(&[burial("switched off")]).await.unwrap(), []);
    database
        .sql("UPDATE notifications SET lease_until = now() - interval '1 s' WHERE status = 'sending'")
        .await
        .unwrap();
    assert_eq!(store.ledger_bury(&[burial("switched off")]).await.unwrap()[0].notices, 1, "its holder is gone");
}

#[tokio::test]
async fn what_is_owed_for_too_long_is_dead_even_when_it_was_never_tried() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1), firing("Slow", 2), firing("Late", 3)]).await;
    let age = |group: &str, age: &str| {
        format!(
            "UPDATE notifications SET {age} FROM incidents WHERE incidents.id = incident_id AND title LIKE '{group}%'"
        )
    };
    database.sql(&age("Down", "owed_since = now() - interval '61 min'")).await.unwrap();
    // Driven again, or put back: its time has not come.
    database.sql(&age("Slow", "owed_since = now() - interval '61 min', redriven_at = now()")).await.unwrap();
    database
        .sql(&age("Late", "created_at = now() - interval '61 min', next_attempt_at = now() + '1 h'"))
        .await
        .unwrap();
    let receivers = [("ops".to_owned(), Some("chief".to_owned()))];
    let expired = store.ledger_expire(&receivers, Duration::from_hours(1), "1h").await.unwrap();
    assert_eq!(expired.iter().map(|buried| buried.notices).collect::<Vec<_>>(), [1]);
    let dead = rows(&database, "reason, attempts", "notifications WHERE status = 'dead'").await;
    assert_eq!(dead, [["not delivered within 1h, in 0 attempts", "0"]]);
    assert_eq!(rows(&database, "receiver", "notifications WHERE kind = 'undelivered'").await, [["chief"]]);
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_left_alone_until_it_leads_elsewhere() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1), firing("Slow", 2)]).await;
    let notice = claim(&store, 1, LONG).await.remove(0);
    let gone = outcome(&notice, attempt(410, "Gone"), Verdict::Gone { reason: "410: Gone".to_owned() });
    store.ledger_finish(&[gone]).await.unwrap();
    assert_eq!(rows(&database, "status, reason", "notifications WHERE status = 'dead'").await, [["dead", "410: Gone"]]);
    assert_eq!(claim(&store, 10, LONG).await, [], "nothing more goes there");
    let off = store.receivers_gone().await.unwrap();
    assert_eq!((off[0].receiver.as_str(), off[0].destination.as_str()), ("ops", "ops's channel"));
    assert_eq!(off[0].reason, "410: Gone");

    let elsewhere = tocsin_store::Room { destination: "another channel".to_owned(), ..room(10) };
    assert_eq!(store.ledger_claim(&[elsewhere], LONG).await.unwrap().notices.len(), 1);
    assert_eq!(store.receivers_return(&off).await.unwrap(), 1);
    assert_eq!(store.receivers_gone().await.unwrap(), []);
}

#[tokio::test]
async fn it_is_known_what_waits_for_whom() {
    let (store, database) = fresh().await;
    assert_eq!(store.ledger_waiting().await.unwrap(), []);
    apply(&store, &[firing("Down", 1), firing("Slow", 2), firing("Late", 3)]).await;
    database
        .sql("UPDATE notifications SET receiver = 'dev', next_attempt_at = now() + '1 h' WHERE revision = 1 AND incident_id = \
              (SELECT id FROM incidents ORDER BY number DESC LIMIT 1)")
        .await
        .unwrap();
    let waiting = store.ledger_waiting().await.unwrap();
    assert_eq!(waiting.iter().map(|waiting| waiting.receiver.as_str()).collect::<Vec<_>>(), ["dev", "ops"]);
    assert!(waiting[0].oldest_due < -3_000.0 && waiting[1].oldest_due >= 0.0, "{waiting:?}");
}
