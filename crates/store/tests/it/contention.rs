//! Several workers on the same alerts and groups at once.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tocsin_shared::board::{Board, Loaded};
use tocsin_shared::{AlertSeverity, AlertStatus, Envelope};
use tocsin_testbed::{Database, poll};

use crate::stage::{delivery, policy, policy_of, route, store_on};

const DELIVERIES: i64 = 2_000;
const ALERTS: usize = 200;
const GROUPS: usize = 20;
const WORKERS: usize = 4;
/// The worker's own default is 128; smaller batches meet more often.
const BATCH: usize = 40;

/// A history of so many deliveries, always the same.
pub(crate) fn history_of(deliveries: i64) -> Vec<Envelope> {
    history(&mut StdRng::seed_from_u64(20_261_124), deliveries)
}

/// Deliveries of `ALERTS` alerts in `GROUPS` groups, in the order in which they happened.
fn history(rng: &mut StdRng, deliveries: i64) -> Vec<Envelope> {
    (0..deliveries)
        .map(|second| {
            let alert = rng.random_range(0..ALERTS);
            // Rather resolved than firing, so that groups fall silent now and then and incidents end.
            let status = if rng.random_bool(0.2) { AlertStatus::Firing } else { AlertStatus::Resolved };
            let mut told = delivery(&format!("group-{}", alert % GROUPS), &format!("pod-{alert}"), status, second);
            told.alerts[0].severity = AlertSeverity::ALL[rng.random_range(0..AlertSeverity::ALL.len())];
            told
        })
        .collect()
}

/// What each worker is handed: all of it taken together, in any order, 5 % of it twice, and as much of it to two workers.
fn shares(history: &[Envelope], rng: &mut StdRng) -> Vec<Vec<Envelope>> {
    let mut shares = vec![Vec::new(); WORKERS];
    for told in history {
        let worker = rng.random_range(0..WORKERS);
        shares[worker].push(told.clone());
        if rng.random_bool(0.05) {
            shares[worker].push(told.clone());
        }
        if rng.random_bool(0.05) {
            shares[(worker + 1) % WORKERS].push(told.clone());
        }
    }
    for share in &mut shares {
        share.shuffle(rng);
    }
    shares
}

/// The rows of a query that finds what must not be.
async fn violations(database: &Database, query: &str) -> Vec<Vec<String>> {
    database.sql(query).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_meet_on_the_same_alerts_apply_each_event_exactly_once() {
    let database = Database::shared().await.unwrap();
    let mut rng = StdRng::seed_from_u64(20_261_123);
    let history = history(&mut rng, DELIVERIES);
    let workers: Vec<_> = shares(&history, &mut rng)
        .into_iter()
        .map(|share| {
            let store = store_on(&database);
            tokio::spawn(async move {
                let mut fresh = 0;
                for batch in share.chunks(BATCH) {
                    fresh += store.batch_apply(batch, &[], &policy()).await.unwrap().fresh;
                }
                fresh
            })
        })
        .collect();
    let mut applied = 0;
    for worker in workers {
        applied += worker.await.unwrap();
    }
    assert_eq!(applied, history.len(), "each delivery was applied by one worker");

    assert_no_deadlock(&database).await;
    assert_consistent(&database, &history).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_end_and_reopen_the_same_incidents_leave_them_as_they_must_be() {
    let database = Database::shared().await.unwrap();
    // As prod is: incidents come back, and flap. Storms of a group fire and resolve as a whole.
    let policy = policy_of(route());
    let waves = (0..60).flat_map(|wave| (0..ALERTS).map(move |alert| (wave, alert)));
    let history: Vec<Envelope> = waves
        .map(|(wave, alert)| {
            let status = if wave % 4 == 3 { AlertStatus::Resolved } else { AlertStatus::Firing };
            delivery(&format!("group-{}", alert % GROUPS), &format!("pod-{alert}"), status, wave)
        })
        .collect();
    let batches = tokio::sync::Mutex::new(history.chunks(BATCH));
    let lanes = (0..WORKERS).map(|_| async {
        let store = store_on(&database);
        loop {
            let Some(batch) = batches.lock().await.next() else { return };
            store.batch_apply(batch, &[], &policy).await.unwrap();
        }
    });
    futures_util::future::join_all(lanes).await;
    let violations = tocsin_store::verify(&database.url().into()).await.unwrap();
    assert!(violations.is_empty(), "{violations:?}");
    assert_eq!(database.sql("SELECT count(*) FROM alerts WHERE status = 'firing'").await.unwrap(), [["0"]]);
}

/// The state is what one worker had made of the same history in order.
pub(crate) async fn assert_consistent(database: &Database, history: &[Envelope]) {
    let counts = "SELECT (SELECT count(*) FROM event_ids), (SELECT sum(occurrences) FROM alerts)";
    let all = history.len().to_string();
    assert_eq!(database.sql(counts).await.unwrap(), [[all.as_str(), all.as_str()]]);
    assert_eq!(fates(database).await, expected_fates(history));
    assert_invariants(database).await;
}

/// Postgres would have broken a deadlock, and the store have repeated its work; but a second late.
pub(crate) async fn assert_no_deadlock(database: &Database) {
    // A session's figures are certain to be counted once it is closed.
    let sessions =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    poll::until("the workers' sessions to be closed", Duration::from_secs(10), async || {
        poll::expect(database.sql(sessions).await.unwrap(), |count| *count == [["0"]])
    })
    .await
    .unwrap();
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(database.sql(deadlocks).await.unwrap(), [["0"]]);
}

type Fates = BTreeMap<String, [String; 4]>;

/// Per alert: status, severity, the newest event and how often it was seen.
async fn fates(database: &Database) -> Fates {
    let rows = database.sql("SELECT fingerprint, status, severity, event_id, occurrences FROM alerts").await.unwrap();
    let fate = |row: Vec<String>| {
        let [fingerprint, fate @ ..] = <[String; 5]>::try_from(row).unwrap();
        (fingerprint, fate)
    };
    rows.into_iter().map(fate).collect()
}

/// The same, had one worker applied everything in order.
fn expected_fates(history: &[Envelope]) -> Fates {
    let policy = policy();
    let mut board = Board::new(&policy, &[], Loaded::default());
    for told in history {
        board.apply(told);
    }
    let alerts = board.into_changes().alerts.into_iter();
    alerts
        .map(|alert| {
            let (status, severity) = (alert.newest.status.to_string(), alert.newest.severity.to_string());
            let fate = [status, severity, alert.newest_id.to_string(), alert.occurrences.to_string()];
            (alert.key.fingerprint.to_string(), fate)
        })
        .collect()
}

async fn assert_invariants(database: &Database) {
    for (what, query) in [
        (
            "two open incidents of one group",
            "SELECT group_key FROM incidents WHERE status IN ('triggered', 'acknowledged')
             GROUP BY group_key HAVING count(*) > 1",
        ),
        (
            "an alert_count that is not the number of members",
            "SELECT id FROM incidents
             WHERE alert_count <> (SELECT count(*) FROM incident_alerts WHERE incident_id = incidents.id)",
        ),
        (
            "firing counts that are not the alerts'",
            "SELECT i.id, firing_critical, firing_warning, firing_info FROM incidents i LEFT JOIN LATERAL (
                 SELECT count(*) FILTER (WHERE a.severity = 'critical') AS critical,
                     count(*) FILTER (WHERE a.severity = 'warning') AS warning,
                     count(*) FILTER (WHERE a.severity = 'info') AS info
                 FROM alerts a WHERE a.incident_id = i.id AND a.status = 'firing') seen ON true
             WHERE (firing_critical, firing_warning, firing_info) <> (seen.critical, seen.warning, seen.info)",
        ),
        (
            "an incident that is open without a firing alert, or closed with one",
            "SELECT id FROM incidents
             WHERE (status IN ('triggered', 'acknowledged')) <> (firing_critical + firing_warning + firing_info > 0)",
        ),
        (
            "a firing alert outside of an open incident of its group",
            "SELECT a.id FROM alerts a LEFT JOIN incidents i ON i.id = a.incident_id
                 AND i.status IN ('triggered', 'acknowledged') AND i.labels->>'alertname' = a.labels->>'alertname'
             WHERE a.status = 'firing' AND i.id IS NULL",
        ),
        (
            "an alert that does not belong to the incident that it names",
            "SELECT a.id FROM alerts a WHERE a.incident_id IS NOT NULL AND NOT EXISTS (
                 SELECT FROM incident_alerts m WHERE m.alert_id = a.id AND m.incident_id = a.incident_id)",
        ),
        (
            "an incident whose opening, or end, nobody is told of, or told of twice",
            "SELECT i.id, i.status FROM incidents i
             WHERE (SELECT count(*) FROM notifications n WHERE n.incident_id = i.id AND n.kind = 'triggered') <> 1
             OR (SELECT count(*) FROM notifications n WHERE n.incident_id = i.id AND n.kind = 'resolved')
                 <> (i.status = 'resolved')::int",
        ),
    ] {
        assert_eq!(violations(database, query).await, Vec::<Vec<String>>::new(), "there is {what}");
    }
}
