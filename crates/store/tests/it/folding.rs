//! Several notices of an incident are due at once: the newest tells what the others would have, where it can.

use std::time::Duration;

use tocsin_shared::ledger::NoticeKind;
use tocsin_store::{Store, Verdict};
use tocsin_testbed::Database;

use crate::ledger::{LONG, attempt, claim_one, finish, nothing_is_due, room, rows};
use crate::stage::{apply, delivery, firing, fresh, resolved};

const FATES: &str = "revision, kind, status, coalesce(reason, '')";

/// A row beside those that the worker has written, due at once.
async fn also(database: &Database, revision: u32, kind: &str) {
    let sql = format!(
        "INSERT INTO notifications (id, incident_id, receiver, revision, kind, created_at, trace, owed_since) \
         SELECT gen_random_uuid(), incident_id, receiver, {revision}, '{kind}', created_at, trace, now() - interval '1 min' \
         FROM notifications WHERE revision = 1; UPDATE incidents SET version = greatest(version, {revision})"
    );
    database.sql(&sql).await.unwrap();
}

/// An incident whose first notice is due, and more of it.
async fn due(kinds: &[&str]) -> (Store, Database) {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1)]).await;
    for (revision, kind) in (2..).zip(kinds) {
        also(&database, revision, kind).await;
    }
    (store, database)
}

#[tokio::test]
async fn after_an_outage_the_beginning_is_told_once_with_all_that_came_since() {
    let (store, database) = due(&["updated", "updated", "updated"]).await;
    let owed = rows(&database, "owed_since", "notifications WHERE revision = 1").await;
    let claim = store.ledger_claim(&[room(10)], LONG).await.unwrap();
    assert_eq!((claim.notices.len(), claim.folded), (1, 3));
    let told = &claim.notices[0];
    assert_eq!((told.revision, told.kind, told.attempt), (4, NoticeKind::Triggered, 1));
    let said = |revision, kind| [revision, kind, "superseded", "a newer notice says it"];
    let expected =
        [said("1", "triggered"), said("2", "updated"), said("3", "updated"), ["4", "triggered", "sending", ""]];
    assert_eq!(rows(&database, FATES, "notifications").await, expected);
    assert_eq!(
        rows(&database, "owed_since", "notifications WHERE revision = 4").await,
        owed,
        "its deadline is the first's"
    );
    assert_eq!(rows(&database, "attempts", "notifications WHERE revision < 4").await, [["0"], ["0"], ["0"]]);

    assert!(finish(&store, told, attempt(200, "ok"), Verdict::Delivered).await, "the lease is on the one that is told");
    nothing_is_due(&store).await;
}

#[tokio::test]
async fn a_beginning_and_its_end_are_both_told_in_their_order() {
    let (store, database) = due(&["updated", "resolved"]).await;
    let first = claim_one(&store, LONG).await;
    assert_eq!((first.revision, first.kind), (2, NoticeKind::Triggered));
    nothing_is_due(&store).await;
    assert!(finish(&store, &first, attempt(200, "ok"), Verdict::Delivered).await);
    let second = claim_one(&store, LONG).await;
    assert_eq!((second.revision, second.kind), (3, NoticeKind::Resolved));
    let fates = rows(&database, FATES, "notifications").await;
    assert_eq!(fates[0], ["1", "triggered", "superseded", "a newer notice says it"]);
}

#[tokio::test]
async fn what_is_not_due_yet_is_not_told_early() {
    let (store, database) = due(&["updated"]).await;
    database.sql("UPDATE notifications SET next_attempt_at = now() + '1 min' WHERE revision = 2").await.unwrap();
    assert_eq!(claim_one(&store, LONG).await.revision, 1);
}

#[tokio::test]
async fn what_one_that_could_not_be_delivered_would_have_said_is_said_by_the_next() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1)]).await;
    let first = claim_one(&store, LONG).await;
    also(&database, 2, "updated").await;
    assert!(finish(&store, &first, attempt(500, "oops"), Verdict::Retry { after: Duration::ZERO }).await);
    let told = claim_one(&store, LONG).await;
    assert_eq!((told.revision, told.kind, told.attempt), (2, NoticeKind::Triggered, 1));
    assert_eq!(rows(&database, "attempts", "notifications WHERE revision = 1").await, [["1"]], "it was tried once");
}

#[tokio::test]
async fn what_is_put_back_counts_no_attempt_and_waits_for_its_turn() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1)]).await;
    let notice = claim_one(&store, LONG).await;
    store.ledger_put_back(&[(notice.clone(), Duration::from_mins(5))]).await.unwrap();
    nothing_is_due(&store).await;
    let state =
        "status, attempts, lease_token IS NULL, extract(epoch FROM next_attempt_at - now()) BETWEEN 290 AND 300";
    assert_eq!(rows(&database, state, "notifications").await, [["pending", "0", "t", "t"]]);
    store.ledger_put_back(&[(notice, Duration::ZERO)]).await.unwrap();
    assert_eq!(rows(&database, state, "notifications").await, [["pending", "0", "t", "t"]], "its lease is over");
}

#[tokio::test]
async fn what_is_put_back_gives_way_to_what_the_worker_plans_next() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1)]).await;
    let notice = claim_one(&store, LONG).await;
    store.ledger_put_back(&[(notice, Duration::from_mins(5))]).await.unwrap();
    let owed = rows(&database, "owed_since", "notifications").await;
    apply(&store, &[delivery("Down", "two", tocsin_shared::AlertStatus::Firing, 2)]).await;
    let expected = [["1", "triggered", "superseded", "a newer notice says it"], ["2", "triggered", "pending", ""]];
    assert_eq!(rows(&database, FATES, "notifications").await, expected);
    assert_eq!(rows(&database, "owed_since", "notifications WHERE revision = 2").await, owed);
    apply(&store, &[resolved("Down", 3), delivery("Down", "two", tocsin_shared::AlertStatus::Resolved, 3)]).await;
    let fates = rows(&database, FATES, "notifications WHERE status <> 'superseded'").await;
    assert!(fates.is_empty(), "it was over before anybody was told: {fates:?}");
}

#[tokio::test]
async fn one_that_is_put_back_behind_which_another_waits_stays_due() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1)]).await;
    let notice = claim_one(&store, LONG).await;
    // On its way: what comes meanwhile waits for the interval.
    apply(&store, &[delivery("Down", "two", tocsin_shared::AlertStatus::Firing, 2)]).await;
    store.ledger_put_back(&[(notice, Duration::from_mins(5))]).await.unwrap();
    let due = "revision, next_attempt_at <= now()";
    assert_eq!(rows(&database, due, "notifications").await, [["1", "t"], ["2", "f"]], "one waits, not two");
    assert_eq!(claim_one(&store, LONG).await.revision, 1);
}
