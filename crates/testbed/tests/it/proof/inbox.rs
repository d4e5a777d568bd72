//! What waits in the Postgres inbox is applied once: wherever a worker is killed, and without Redis.

use tocsin_testbed::poll;
use tocsin_testbed::topology::{Service, TopologyBuilder};

use super::system::{PATIENCE, System};

const DELIVERIES: i64 = 2_000;
const ALERTS: i64 = 250;
const GROUPS: i64 = 25;
/// A worker is killed when so many are applied.
const KILLS: [i64; 3] = [300, 900, 1_500];

#[tokio::test]
async fn two_thousand_deliveries_from_the_inbox_act_once_though_the_workers_are_killed() {
    let system = System::start(|builder| {
        builder.count(Service::Worker, 2).env_for(Service::Worker, "TOCSIN_WORKER_BATCH_SIZE", "5")
    })
    .await;
    put_in(&system, DELIVERIES).await;
    for (kill, applied) in KILLS.into_iter().enumerate() {
        wait_until_applied(&system, applied).await;
        let worker = system.topology.process(["worker-1", "worker-2"][kill % 2]).unwrap();
        worker.kill().await.unwrap();
        worker.start().await.unwrap();
    }
    wait_until_drained(&system).await;
    assert_eq!(system.count("SELECT count(*) FROM event_ids").await, DELIVERIES);
    assert_eq!(system.count("SELECT sum(occurrences) FROM alerts").await, DELIVERIES, "each delivery counts once");
    assert_eq!(system.count("SELECT count(*) FROM alerts").await, ALERTS);
    assert_eq!(system.count("SELECT count(*) FROM dead_letters").await, 0);
    system.assert_consistent().await;
    system.assert_changes_have_notices().await;
    system.wait_until_everybody_is_told().await;
    system.topology.stop().await.unwrap();
}

#[tokio::test]
async fn the_inbox_is_drained_and_people_are_told_while_redis_is_away() {
    let system = System::start(TopologyBuilder::own_stores).await;
    system.topology.process("redis").unwrap().kill().await.unwrap();
    put_in(&system, ALERTS).await;
    wait_until_drained(&system).await;
    assert_eq!(system.get("/api/v1/alerts").await["total"], ALERTS);
    assert_eq!(system.count("SELECT count(*) FROM incidents").await, GROUPS);
    system.wait_until_everybody_is_told().await;
}

/// Puts deliveries in as ingest does: of `ALERTS` alerts in `GROUPS` groups, firing and resolved in turns.
async fn put_in(system: &System, deliveries: i64) {
    let insert = format!(
        "INSERT INTO inbox (v, id, received_at, source, integration, traceparent, body)
        SELECT '1', gen_random_uuid(), at, 'generic', 'default', '', json_build_object('alerts', json_build_array(
            json_build_object('fingerprint', lpad(to_hex(alert), 16, '0'), 'status', status, 'severity', 'critical',
                'title', 'Alert ' || alert, 'labels', json_build_object('alertname', 'Group ' || alert % {GROUPS}),
                'started_at', at, 'event_at', at)))
        FROM (
            SELECT n % {ALERTS} AS alert, '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 second' AS at,
                CASE WHEN n / {ALERTS} % 2 = 0 THEN 'firing' ELSE 'resolved' END AS status
            FROM generate_series(0, {deliveries} - 1) AS n) AS told"
    );
    system.topology.tenant().sql(&insert).await.unwrap();
}

async fn wait_until_applied(system: &System, wanted: i64) {
    poll::until(format!("{wanted} deliveries to be applied"), PATIENCE, async || {
        poll::expect(system.count("SELECT count(*) FROM event_ids").await, |applied| *applied >= wanted)
    })
    .await
    .unwrap();
}

async fn wait_until_drained(system: &System) {
    poll::until("the inbox to be empty", PATIENCE, async || {
        poll::expect(system.count("SELECT count(*) FROM inbox").await, |waiting| *waiting == 0)
    })
    .await
    .unwrap();
}
