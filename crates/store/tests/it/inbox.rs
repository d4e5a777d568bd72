//! The inbox: what is put in while Redis is away is applied once, whatever else is going on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tocsin_shared::{Envelope, EventId, TraceContext};
use tocsin_store::{Applied, InboxApplied, Store};
use tocsin_testbed::{Database, poll};

use crate::contention::{assert_consistent, assert_no_deadlock, history_of};
use crate::stage::{apply, firing, fresh, policy, resolved, store_on};

const DEADLINE: Duration = Duration::from_secs(20);
const DRAINERS: usize = 4;

async fn drain(store: &Store) -> InboxApplied {
    store.inbox_apply(100, &policy()).await.unwrap()
}

/// Puts a row in past the store, as a newer or broken writer might.
async fn insert_raw(database: &Database, id: EventId, version: &str, body: &str) {
    let insert = format!(
        "INSERT INTO inbox (v, id, received_at, source, integration, traceparent, body) \
         VALUES ('{version}', '{id}', '2026-01-01T00:00:00Z', 'generic', 'default', '{}', '{body}')",
        TraceContext::new(1, 1, 0)
    );
    database.sql(&insert).await.unwrap();
}

fn id(name: &str) -> EventId {
    EventId::of_delivery("raw", name)
}

#[tokio::test]
async fn what_is_put_in_is_applied_as_from_the_stream_and_is_gone() {
    let (store, database) = fresh().await;
    store.inbox_insert(&[firing("Down", 1), resolved("Down", 5), firing("Slow", 2)]).await.unwrap();
    assert_eq!(store.inbox_backlog().await.unwrap(), 3);

    let outcome = drain(&store).await;
    let applied = Applied { fresh: 3, repeated: 0, opened: 2, notices: 3 };
    assert_eq!(outcome, InboxApplied { taken: 3, applied, dead: 0 });
    assert_eq!(store.inbox_backlog().await.unwrap(), 0);
    let alerts =
        database.sql("SELECT title, status, received_at = '2026-01-01T00:00:01Z' FROM alerts ORDER BY 1").await;
    assert_eq!(alerts.unwrap(), [["Down on one", "resolved", "t"], ["Slow on one", "firing", "f"]]);
    assert_eq!(drain(&store).await, InboxApplied::default(), "an empty inbox is no error");
}

#[tokio::test]
async fn a_delivery_that_is_told_again_waits_once_and_acts_once() {
    let (store, database) = fresh().await;
    store.inbox_insert(&[firing("Down", 1), firing("Down", 1)]).await.unwrap();
    store.inbox_insert(&[firing("Slow", 1), firing("Down", 1)]).await.unwrap();
    assert_eq!(database.sql("SELECT count(*) FROM inbox").await.unwrap(), [["2"]]);
    apply(&store, &[firing("Down", 1)]).await;
    assert_eq!(drain(&store).await.applied, Applied { fresh: 1, repeated: 1, opened: 1, notices: 1 });
    store.inbox_insert(&[firing("Down", 1)]).await.unwrap();
    assert_eq!(
        drain(&store).await.applied,
        Applied { repeated: 1, ..Applied::default() },
        "after it was applied as well"
    );
}

#[tokio::test]
async fn the_oldest_are_taken_first_and_no_more_than_asked_for() {
    let (store, database) = fresh().await;
    let batch: Vec<_> = (0..5).map(|second| firing(&format!("Alert {second}"), second)).collect();
    for told in &batch {
        store.inbox_insert(std::slice::from_ref(told)).await.unwrap();
    }
    assert_eq!(store.inbox_apply(2, &policy()).await.unwrap().taken, 2);
    let titles = database.sql("SELECT title FROM alerts ORDER BY 1").await.unwrap();
    assert_eq!(titles, [["Alert 0 on one"], ["Alert 1 on one"]]);
    assert_eq!(store.inbox_backlog().await.unwrap(), 3);
}

#[tokio::test]
async fn what_cannot_be_applied_becomes_a_dead_letter_and_does_not_stop_the_rest() {
    let (store, database) = fresh().await;
    store.inbox_insert(&[firing("First", 1)]).await.unwrap();
    insert_raw(&database, id("future"), "99", "{}").await;
    insert_raw(&database, id("broken"), "1", "not JSON").await;
    // Readable, but nothing that Postgres could hold.
    let nul = r#"{"alerts": [{"fingerprint": "0123456789abcdef", "status": "firing", "severity": "critical", "title":
        "NUL \u0000 inside", "labels": {}, "started_at": "2026-01-01T00:00:00Z", "event_at": "2026-01-01T00:00:00Z"}]}"#;
    insert_raw(&database, id("refused"), "1", nul).await;
    store.inbox_insert(&[firing("Last", 1)]).await.unwrap();

    let outcome = drain(&store).await;
    assert_eq!((outcome.taken, outcome.applied.fresh, outcome.dead), (5, 2, 3));
    let rows = "SELECT stream, entry_id, fields->>'id', fields->>'v', reason FROM dead_letters ORDER BY entry_id";
    let letters = database.sql(rows).await.unwrap();
    let found: Vec<_> = letters.iter().map(|row| (row[0].as_str(), row[1].as_str(), row[2].as_str())).collect();
    let ids = ["future", "broken", "refused"].map(|name| id(name).to_string());
    assert_eq!(found, [("inbox", "2", &*ids[0]), ("inbox", "3", &*ids[1]), ("inbox", "4", &*ids[2])]);
    assert!(letters[0][4].contains("version \"99\""), "{letters:?}");
    assert!(letters[1][4].contains("`body`"), "{letters:?}");
    assert!(letters[2][4].contains("Postgres"), "{letters:?}");
    assert_eq!(store.inbox_backlog().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn drainers_and_workers_that_hold_the_same_deliveries_apply_each_exactly_once() {
    let database = Database::shared().await.unwrap();
    let history = history_of(1_000);
    let put_in = AtomicUsize::new(0);
    let (fresh, repeated) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let count = |applied: Applied| {
        fresh.fetch_add(applied.fresh, Ordering::Relaxed);
        repeated.fetch_add(applied.repeated, Ordering::Relaxed);
    };
    // Everything goes into the inbox, and every second delivery comes by the stream as well.
    let insert = async {
        let store = store_on(&database);
        for chunk in history.chunks(25) {
            store.inbox_insert(chunk).await.unwrap();
            put_in.fetch_add(chunk.len(), Ordering::Relaxed);
        }
    };
    let stream = async {
        let store = store_on(&database);
        let every_second: Vec<Envelope> = history.iter().step_by(2).cloned().collect();
        for batch in every_second.chunks(20) {
            count(store.batch_apply(batch, &[], &policy()).await.unwrap());
        }
    };
    let drainer = async || {
        let store = store_on(&database);
        poll::until("the inbox to be drained", DEADLINE, async || {
            count(store.inbox_apply(20, &policy()).await.unwrap().applied);
            let all_in = put_in.load(Ordering::Relaxed) == history.len();
            let left = database.sql("SELECT count(*) FROM inbox").await.unwrap();
            poll::expect((all_in, left), |(all_in, left)| *all_in && *left == [["0"]])
        })
        .await
        .unwrap();
    };
    let drainers = futures_util::future::join_all((0..DRAINERS).map(|_| drainer()));
    tokio::join!(insert, stream, drainers);

    assert_eq!(fresh.into_inner(), history.len(), "each delivery acts once");
    assert_eq!(repeated.into_inner(), history.len() / 2, "and is known when it comes again");
    assert_no_deadlock(&database).await;
    assert_consistent(&database, &history).await;
}

#[tokio::test]
async fn a_delivery_that_is_told_again_does_not_wait_for_the_worker_that_applies_it() {
    let (store, database) = fresh().await;
    let down = [firing("Down", 1)];
    store.inbox_insert(&down).await.unwrap();
    // Keeps the worker in the middle of its transaction.
    let hold = database.sql("BEGIN; LOCK TABLE alerts IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)");
    let locks = async |which: &str| {
        let sql = format!("SELECT 1 FROM pg_locks WHERE relation = 'alerts'::regclass AND {which}");
        poll::until(which, DEADLINE, async || !database.sql(&sql).await.unwrap().is_empty()).await
    };
    let another = store_on(&database);
    let told_again = async {
        locks("NOT granted").await.unwrap();
        tokio::time::timeout(DEADLINE, another.inbox_insert(&down)).await.expect("it waits for the worker").unwrap();
        let release = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                       WHERE datname = current_database() AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()";
        database.sql(release).await.unwrap();
    };
    let worker = async {
        locks("mode = 'AccessExclusiveLock' AND granted").await.unwrap();
        drain(&store).await
    };
    let (_gone, outcome, ()) = tokio::join!(hold, worker, told_again);
    assert_eq!((outcome.taken, outcome.applied.fresh), (1, 1));
    assert_eq!(drain(&store).await.taken, 0, "it was there already");
}
