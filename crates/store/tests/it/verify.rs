//! The invariants: they hold of what a worker writes, and each finds what it is there for.

use std::collections::BTreeSet;

use tocsin_shared::AlertStatus::{Firing, Resolved};
use tocsin_store::{INVARIANTS, Violation};
use tocsin_testbed::{Database, Service, Tenant};

use crate::stage::{apply, delivery, fresh};

/// What breaks an invariant, in a database with one open incident of three alerts and one that is over.
const BREAKS: &[(&str, &str)] = &[
    (
        "one-open-incident-per-group",
        "DROP INDEX incidents_one_open_per_group; \
         UPDATE incidents SET group_key = (SELECT group_key FROM incidents WHERE status = 'triggered'), \
         status = 'triggered', resolved_at = NULL WHERE status = 'resolved'",
    ),
    ("firing-alert-in-open-incident", "UPDATE alerts SET incident_id = NULL WHERE status = 'firing'"),
    ("alert-is-member", "DELETE FROM incident_alerts"),
    ("firing-counts", "UPDATE incidents SET firing_info = firing_info + 1"),
    ("alert-count", "UPDATE incidents SET alert_count = alert_count - 1"),
    (
        "open-incident-fires",
        "UPDATE incidents SET firing_critical = 0, firing_warning = 0, firing_info = 0 WHERE status = 'triggered'",
    ),
    ("closed-incident-is-quiet", "UPDATE incidents SET firing_info = 1 WHERE status = 'resolved'"),
    ("quiet-while-firing", "UPDATE alerts SET silenced_by = gen_random_uuid() WHERE status = 'resolved'"),
    ("severity-is-worst-firing", "UPDATE incidents SET severity = 'low' WHERE status = 'triggered'"),
    ("closed-has-time", "UPDATE incidents SET resolved_at = now() WHERE status = 'triggered'"),
    (
        "acknowledged-has-time",
        "UPDATE incidents SET status = 'acknowledged', remind_at = NULL WHERE status = 'triggered'",
    ),
    ("waits-for-responder", "UPDATE incidents SET escalate_at = now() WHERE status = 'resolved'"),
    ("version-from-one", "UPDATE incidents SET version = 0 WHERE status = 'triggered'"),
    ("notice-of-known-version", "UPDATE notifications SET revision = revision + 1000"),
    (
        "one-notice-waits",
        "UPDATE notifications SET status = 'pending', next_attempt_at = now() + interval '1 minute'; \
         INSERT INTO notifications (id, incident_id, receiver, revision, kind, trace, created_at, next_attempt_at) \
         SELECT gen_random_uuid(), incident_id, receiver, revision + 1000, kind, trace, now(), next_attempt_at \
         FROM notifications",
    ),
    ("finished-notice-has-time", "UPDATE notifications SET status = 'delivered'"),
    ("lease-while-sending", "UPDATE notifications SET lease_token = gen_random_uuid()"),
    (
        "attempt-of-known-notice",
        "INSERT INTO deliveries (notification_id, attempt, latency_ms, answer) VALUES (gen_random_uuid(), 1, 0, '')",
    ),
    ("alert-was-told-of", "UPDATE alerts SET occurrences = 0"),
    ("event-is-known", "UPDATE alerts SET received_at = now(); DELETE FROM event_ids"),
    ("tallies-are-right", "UPDATE tallies SET count = count + 1 WHERE of = 'alerts'"),
    ("alert-can-be-found", "UPDATE alert_terms SET title = 'another'"),
    ("incident-can-be-found", "UPDATE incident_terms SET seconds = 0"),
];

/// A database with one open incident of three alerts and one that is over.
async fn with_two_incidents() -> Database {
    let (store, database) = fresh().await;
    let told = [
        delivery("Down", "one", Firing, 1),
        delivery("Down", "two", Firing, 2),
        delivery("Down", "three", Firing, 3),
        delivery("Down", "three", Resolved, 4),
        delivery("Over", "one", Firing, 5),
        delivery("Over", "one", Resolved, 6),
    ];
    apply(&store, &told).await;
    database
}

async fn verify(database: &Database) -> Vec<Violation> {
    tocsin_store::verify(&database.url().into()).await.unwrap()
}

#[tokio::test]
async fn what_a_worker_writes_breaks_nothing() {
    assert_eq!(verify(&with_two_incidents().await).await, []);
    let (_store, empty) = fresh().await;
    assert_eq!(verify(&empty).await, []);
}

#[tokio::test]
async fn each_invariant_finds_what_breaks_it() {
    for (name, breaks) in BREAKS {
        let database = with_two_incidents().await;
        database.sql(breaks).await.unwrap();
        let found: Vec<_> = verify(&database).await.iter().map(|violation| violation.invariant.name).collect();
        assert!(found.contains(name), "{name} is not among {found:?}");
    }
    let tried: BTreeSet<_> = BREAKS.iter().map(|(name, _)| *name).collect();
    assert_eq!(tried, INVARIANTS.iter().map(|invariant| invariant.name).collect(), "each is tried");
}

#[tokio::test]
async fn a_violation_tells_how_many_and_names_the_first_twenty() {
    let (store, database) = fresh().await;
    let told: Vec<_> = (0..30).map(|second| delivery("Down", &format!("pod-{second}"), Firing, second)).collect();
    apply(&store, &told).await;
    database.sql("UPDATE alerts SET occurrences = 0").await.unwrap();
    let violations = verify(&database).await;
    let [violation] = violations.as_slice() else { panic!("{violations:?}") };
    assert_eq!((violation.count, violation.examples.len()), (30, 20));
    let first = database.sql("SELECT id FROM alerts ORDER BY id::text LIMIT 1").await.unwrap();
    assert_eq!(violation.examples[0], first[0][0]);
}

#[tokio::test]
async fn the_role_of_the_worker_may_ask() {
    let tenant = Tenant::shared().await.unwrap();
    assert_eq!(tocsin_store::verify(&tenant.database_url_for(Service::Worker).into()).await.unwrap(), []);
}
