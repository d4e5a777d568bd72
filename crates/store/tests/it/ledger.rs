//! The notification ledger: claimed by one at a time, in order, and finished by whoever holds the lease.

use std::collections::HashSet;
use std::time::Duration;

use tocsin_shared::ledger::NoticeKind;
use tocsin_store::{Attempt, ClaimedNotice, Outcome, Room, Store, Verdict};
use tocsin_testbed::{Database, poll};

use crate::stage::{apply, firing, fresh, resolved, store_on};

/// Longer than any test.
pub(crate) const LONG: Duration = Duration::from_mins(10);
const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) fn attempt(http_status: u16, answer: &str) -> Attempt {
    Attempt { latency: Duration::from_millis(12), http_status: Some(http_status), answer: answer.to_owned() }
}

/// So much room at `ops`.
pub(crate) fn room(notices: u32) -> Room {
    room_at("ops", notices)
}

pub(crate) fn room_at(receiver: &str, notices: u32) -> Room {
    Room { receiver: receiver.to_owned(), destination: format!("{receiver}'s channel"), notices }
}

pub(crate) async fn claim(store: &Store, notices: u32, lease: Duration) -> Vec<ClaimedNotice> {
    store.ledger_claim(&[room(notices)], lease).await.unwrap().notices
}

pub(crate) fn outcome(notice: &ClaimedNotice, attempt: Attempt, verdict: Verdict) -> Outcome {
    let destination = room_at(&notice.receiver, 1).destination;
    Outcome { notice: notice.clone(), destination, attempt, verdict, message: None, fallback: None }
}

/// Whether the outcome is in the ledger.
pub(crate) async fn finish(store: &Store, notice: &ClaimedNotice, attempt: Attempt, verdict: Verdict) -> bool {
    store.ledger_finish(&[outcome(notice, attempt, verdict)]).await.unwrap().contains(&notice.id)
}

/// Claims what must be one notice.
pub(crate) async fn claim_one(store: &Store, lease: Duration) -> ClaimedNotice {
    let mut claimed = claim(store, 10, lease).await;
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    claimed.remove(0)
}

pub(crate) async fn nothing_is_due(store: &Store) {
    assert_eq!(claim(store, 10, LONG).await, []);
}

pub(crate) async fn rows(database: &Database, columns: &str, table: &str) -> Vec<Vec<String>> {
    database.sql(&format!("SELECT {columns} FROM {table} ORDER BY 1")).await.unwrap()
}

#[tokio::test]
async fn a_newer_notice_waits_until_the_older_of_its_incident_is_finished() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1), resolved("Down", 2)]).await;
    // As if the older one had to wait for longer: that must not let the newer one overtake it.
    database.sql("UPDATE notifications SET next_attempt_at = now() + '1 h' WHERE kind = 'triggered'").await.unwrap();
    nothing_is_due(&store).await;
    database.sql("UPDATE notifications SET next_attempt_at = now()").await.unwrap();

    let older = claim_one(&store, LONG).await;
    assert_eq!((older.kind, older.revision, older.attempt), (NoticeKind::Triggered, 1, 1));
    nothing_is_due(&store).await;
    let retry = Verdict::Retry { after: Duration::ZERO };
    assert!(finish(&store, &older, attempt(500, "later"), retry).await);
    let older = claim_one(&store, LONG).await;
    assert_eq!((older.kind, older.attempt), (NoticeKind::Triggered, 2), "a failed one keeps its place");
    assert!(finish(&store, &older, attempt(200, "ok"), Verdict::Delivered).await);

    let newer = claim_one(&store, LONG).await;
    assert_eq!((newer.kind, newer.revision), (NoticeKind::Resolved, 2));
}

#[tokio::test]
async fn a_dead_notice_does_not_hold_up_the_next() {
    let (store, _) = fresh().await;
    apply(&store, &[firing("Down", 1), resolved("Down", 2)]).await;
    let older = claim_one(&store, LONG).await;
    let dead = Verdict::Dead { reason: "no such channel".to_owned() };
    assert!(finish(&store, &older, attempt(404, "no_service"), dead).await);
    assert_eq!(claim_one(&store, LONG).await.kind, NoticeKind::Resolved);
}

#[tokio::test]
async fn an_incident_does_not_hold_up_another() {
    let (store, _) = fresh().await;
    apply(&store, &[firing("Down", 1), resolved("Down", 2), firing("Slow", 3)]).await;
    let claimed = claim(&store, 10, LONG).await;
    let kinds: Vec<_> = claimed.iter().map(|notice| notice.kind).collect();
    assert_eq!(kinds, [NoticeKind::Triggered, NoticeKind::Triggered]);
    assert_ne!(claimed[0].incident_id, claimed[1].incident_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_claimers_get_the_same_notice() {
    const NOTICES: usize = 200;
    const LIMIT: u32 = 7;
    let (store, database) = fresh().await;
    let batch: Vec<_> = (0..NOTICES).map(|n| firing(&format!("group-{n}"), 1)).collect();
    apply(&store, &batch).await;
    let claimers: Vec<_> = (0..4)
        .map(|_| {
            let store = store_on(&database);
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let claimed = claim(&store, LIMIT, LONG).await;
                    assert!(claimed.len() <= LIMIT as usize, "{} claimed", claimed.len());
                    if claimed.is_empty() {
                        return mine;
                    }
                    mine.extend(claimed.into_iter().map(|notice| notice.id));
                }
            })
        })
        .collect();
    let mut claimed = Vec::new();
    for claimer in claimers {
        claimed.extend(claimer.await.unwrap());
    }
    assert_eq!(claimed.len(), NOTICES);
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>().len(), NOTICES);
}

#[tokio::test]
async fn a_notice_is_claimed_again_when_its_lease_runs_out_and_the_first_holder_writes_nothing() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1)]).await;
    let first = claim_one(&store, LONG).await;
    nothing_is_due(&store).await;
    database.sql("UPDATE notifications SET lease_until = now() - interval '1 s'").await.unwrap();
    let second = claim_one(&store, LONG).await;
    assert_eq!((second.id, first.attempt, second.attempt), (first.id, 1, 2));

    let before = rows(&database, "n::text", "notifications AS n").await;
    assert!(!finish(&store, &first, attempt(200, "ok"), Verdict::Delivered).await);
    assert_eq!(rows(&database, "n::text", "notifications AS n").await, before);
    assert!(rows(&database, "*", "deliveries").await.is_empty());

    assert!(finish(&store, &second, attempt(200, "ok"), Verdict::Delivered).await);
    assert!(finish(&store, &second, attempt(200, "ok"), Verdict::Delivered).await, "it is recorded, and only once:");
    assert_eq!(rows(&database, "attempt, http_status, answer", "deliveries").await, [["2", "200", "ok"]]);
}

#[tokio::test]
async fn a_lease_lasts_as_long_as_was_asked() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1)]).await;
    let lease = Duration::from_secs(2);
    let first = claim_one(&store, lease).await;
    let left = "extract(epoch FROM lease_until - now()) BETWEEN 0 AND 2, status";
    assert_eq!(rows(&database, left, "notifications").await, [["t", "sending"]]);
    let again = poll::until("the lease to run out", DEADLINE, async || claim(&store, 1, LONG).await.pop());
    assert_eq!(again.await.unwrap().id, first.id);
}

#[tokio::test]
async fn a_notice_to_be_retried_is_due_after_the_wait_and_not_before() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1)]).await;
    let notice = claim_one(&store, LONG).await;
    let retry = Verdict::Retry { after: Duration::from_mins(5) };
    assert!(finish(&store, &notice, attempt(429, "slow down"), retry).await);
    let state = "status, extract(epoch FROM next_attempt_at - now()) BETWEEN 270 AND 300, \
                 lease_token IS NULL AND lease_until IS NULL AND finished_at IS NULL AND reason IS NULL";
    assert_eq!(rows(&database, state, "notifications").await, [["pending", "t", "t"]]);
    nothing_is_due(&store).await;

    database.sql("UPDATE notifications SET next_attempt_at = next_attempt_at - interval '5 min'").await.unwrap();
    let again = claim_one(&store, LONG).await;
    assert_eq!((again.id, again.attempt), (notice.id, 2));
    let attempts = rows(&database, "attempt, latency_ms, http_status, answer", "deliveries").await;
    assert_eq!(attempts, [["1", "12", "429", "slow down"]]);
}

#[tokio::test]
async fn a_finished_notice_says_how_it_ended_and_is_never_due_again() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1), firing("Slow", 2)]).await;
    let claimed = claim(&store, 10, LONG).await;
    let [down, slow] = &claimed[..] else { panic!("{claimed:?}") };
    let no_answer = Attempt { http_status: None, ..attempt(0, "connection refused") };
    let dead = Verdict::Dead { reason: "not delivered within 1 h".to_owned() };
    assert!(finish(&store, down, attempt(200, "ok"), Verdict::Delivered).await);
    assert!(finish(&store, slow, no_answer, dead).await);
    let ended = rows(&database, "status, reason, finished_at IS NOT NULL, lease_token IS NULL", "notifications").await;
    assert_eq!(ended, [["dead", "not delivered within 1 h", "t", "t"], ["delivered", "", "t", "t"]]);
    let attempts = rows(&database, "answer, coalesce(http_status::text, 'none')", "deliveries").await;
    assert_eq!(attempts, [["connection refused", "none"], ["ok", "200"]]);
    database.sql("UPDATE notifications SET next_attempt_at = now() - interval '1 d'").await.unwrap();
    nothing_is_due(&store).await;
}
