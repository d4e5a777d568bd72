//! Four workers at once, in any order, killed at random: each event acts once, and the newest wins.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use tocsin_shared::{AlertEvent, AlertSeverity, AlertStatus, Envelope, EventId, Fingerprint, Labels, TraceContext};
use tocsin_testbed::feed;
use tocsin_testbed::topology::Service;

use super::system::System;

const WORKERS: usize = 4;
const EVENTS: usize = 200_000;
const FINGERPRINTS: usize = 2_000;
const GROUPS: usize = 50;
/// Alerts in a delivery; none twice.
const ALERTS_PER_DELIVERY: usize = 100;
/// One delivery in so many comes twice: 5 %.
const REPEAT_EVERY: usize = 20;
/// Deliveries in a transaction.
const BATCH_SIZE: usize = 4;
/// Time between two kills, in milliseconds.
const KILL_AFTER_MS: std::ops::Range<u64> = 500..3_000;
/// How long the workers may take for what is left when nobody is killed any more.
const PATIENCE: Duration = Duration::from_mins(2);

/// What the newest event of an alert says, and how many there were.
#[derive(Debug, PartialEq, Eq)]
struct Expected {
    event_at: DateTime<Utc>,
    status: AlertStatus,
    severity: AlertSeverity,
    occurrences: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_workers_apply_each_event_once_whatever_the_order_and_whoever_is_killed() {
    // Set TOCSIN_TEST_SEED to repeat a run.
    let seed = std::env::var("TOCSIN_TEST_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("TOCSIN_TEST_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let system = System::start_alone(|builder| {
        builder
            .own_stores()
            .count(Service::Worker, WORKERS)
            .count(Service::Notifier, 0)
            .env_for(Service::Worker, "TOCSIN_WORKER_BATCH_SIZE", BATCH_SIZE.to_string())
            .env_for(Service::Worker, "TOCSIN_WORKER_HANDLER_TIMEOUT", "5s")
            .env_for(Service::Worker, "TOCSIN_WORKER_RECLAIM_IDLE", "6s")
    })
    .await;
    let deliveries = deliveries(&mut rng);
    let fed = in_any_order(&deliveries, &mut rng);
    feed::append(system.topology.tenant(), fed).await.unwrap();

    let kills = kill_until_drained(&system, &mut rng).await;
    println!("{kills} kills");
    system.topology.wait_until_drained(PATIENCE).await.unwrap();
    system.assert_consistent().await;
    assert_each_acted_once(&system, &deliveries).await;
    let log = std::fs::read_to_string(system.topology.process("postgres").unwrap().log_file()).unwrap();
    assert!(log.contains("database system is ready"), "this is Postgres' log: {log}");
    assert!(!log.contains("deadlock detected"), "workers ran into each other: {log}");
    system.topology.stop().await.unwrap();
}

/// Every event has a time of its own, so that there is a newest one of each alert.
fn deliveries(rng: &mut StdRng) -> Vec<Envelope> {
    let now = Utc::now();
    let fingerprints: Vec<usize> = (0..FINGERPRINTS).collect();
    (0..EVENTS / ALERTS_PER_DELIVERY)
        .map(|number| {
            let alerts = fingerprints.choose_multiple(rng, ALERTS_PER_DELIVERY).copied().collect::<Vec<_>>();
            let first = i64::try_from(number * ALERTS_PER_DELIVERY).unwrap();
            let times = (first..).map(|millisecond| now - TimeDelta::hours(1) + TimeDelta::milliseconds(millisecond));
            Envelope {
                id: EventId::of_delivery("default", &number.to_string()),
                received_at: now,
                source: "generic".to_owned(),
                integration: "default".to_owned(),
                trace: TraceContext::random(),
                alerts: alerts.into_iter().zip(times).map(|(alert, at)| event(alert, at, rng)).collect(),
                acknowledged: Vec::new(),
            }
        })
        .collect()
}

fn event(alert: usize, at: DateTime<Utc>, rng: &mut StdRng) -> AlertEvent {
    let labels = [("alertname", format!("Group {}", alert % GROUPS)), ("pod", format!("pod-{alert}"))];
    let labels: Labels = labels.map(|(name, value)| (name.to_owned(), value)).into();
    let status = *AlertStatus::ALL.choose(rng).unwrap();
    AlertEvent {
        fingerprint: Fingerprint::of_labels(&labels),
        external_id: None,
        status,
        severity: *AlertSeverity::ALL.choose(rng).unwrap(),
        title: format!("Alert {alert}"),
        description: None,
        labels,
        annotations: Labels::new(),
        source_url: None,
        started_at: Some(at),
        ended_at: (status == AlertStatus::Resolved).then_some(at),
        event_at: at,
        expires_at: None,
        expires: false,
        is_bare: false,
    }
    .bounded()
}

/// All of them and some twice, shuffled.
fn in_any_order<'a>(deliveries: &'a [Envelope], rng: &mut StdRng) -> Vec<&'a Envelope> {
    let mut fed: Vec<_> = deliveries.iter().chain(deliveries.iter().step_by(REPEAT_EVERY)).collect();
    fed.shuffle(rng);
    fed
}

/// Kills one worker after another, at random moments, until nothing is left to apply. Says how many.
async fn kill_until_drained(system: &System, rng: &mut StdRng) -> usize {
    let mut kills = 0;
    loop {
        // Not for anything to happen: a moment that nobody has chosen is the point.
        tokio::time::sleep(Duration::from_millis(rng.random_range(KILL_AFTER_MS))).await;
        if system.topology.unapplied().await.unwrap() == 0 {
            return kills;
        }
        let worker = system.topology.process(&format!("worker-{}", rng.random_range(1..=WORKERS))).unwrap();
        worker.kill().await.unwrap();
        worker.start().await.unwrap();
        kills += 1;
    }
}

async fn assert_each_acted_once(system: &System, deliveries: &[Envelope]) {
    let tenant = system.topology.tenant();
    let applied: HashSet<String> =
        tenant.sql("SELECT id FROM event_ids").await.unwrap().into_iter().flatten().collect();
    assert_eq!(applied, deliveries.iter().map(|delivery| delivery.id.to_string()).collect(), "what was applied");
    assert_eq!(system.count("SELECT count(*) FROM dead_letters").await, 0);

    let mut expected: BTreeMap<String, Expected> = BTreeMap::new();
    for event in deliveries.iter().flat_map(|delivery| &delivery.alerts) {
        let AlertEvent { event_at, status, severity, .. } = *event;
        let newest = Expected { event_at, status, severity, occurrences: 1 };
        expected
            .entry(event.fingerprint.to_string())
            .and_modify(|known| {
                known.occurrences += 1;
                if known.event_at < event_at {
                    *known = Expected { occurrences: known.occurrences, event_at, status, severity };
                }
            })
            .or_insert(newest);
    }
    let alerts = "SELECT fingerprint, status, severity, occurrences FROM alerts ORDER BY fingerprint COLLATE \"C\"";
    let found = tenant.sql(alerts).await.unwrap();
    let expected = expected.into_iter().map(|(fingerprint, Expected { status, severity, occurrences, .. })| {
        [fingerprint, status.to_string(), severity.to_string(), occurrences.to_string()].to_vec()
    });
    assert_eq!(found, expected.collect::<Vec<_>>(), "the newest event of each alert has won, and each is counted");
}
