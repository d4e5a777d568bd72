//! A crash between any two durable steps of the worker loses nothing and doubles nothing.

use std::collections::HashSet;

use nix::sys::signal::Signal;
use tocsin_testbed::process::ended_by;
use tocsin_testbed::topology::Service;

use super::system::{PATIENCE, System, alert};

/// Where the worker dies; see `crates/store/src/abort_point.rs`.
const POINTS: [&str; 6] = ["read", "begin", "write", "commit", "wake", "ack"];
/// Of so many batches the second is the one at which it dies: one is done by then, and some are left.
const BATCHES: usize = 4;
const BATCH_SIZE: usize = 5;

#[tokio::test]
async fn wherever_the_worker_dies_nothing_is_lost_or_doubled() {
    let system = System::start(|builder| {
        builder
            .env_for(Service::Worker, "TOCSIN_WORKER_BATCH_SIZE", BATCH_SIZE.to_string())
            .env_for(Service::Worker, "TOCSIN_WORKER_HANDLER_TIMEOUT", "1s")
            .env_for(Service::Worker, "TOCSIN_WORKER_RECLAIM_IDLE", "1500ms")
    })
    .await;
    let worker = system.topology.process("worker-1").unwrap();
    let mut event_ids = HashSet::new();
    for point in POINTS {
        worker.stop().await.unwrap();
        for number in 0..BATCHES * BATCH_SIZE {
            // Every other delivery ends what the one before it began.
            let status = if number % 2 == 0 { "firing" } else { "resolved" };
            let alert = alert(&format!("{point} {}", number / 2), status);
            let (status, answer) = system.send(&alert, &format!("{point}-{number}")).await.unwrap();
            assert_eq!(status, 200, "{answer}");
            event_ids.insert(answer["event_id"].as_str().unwrap().to_owned());
        }
        let abort_at = format!("{point}:2");
        worker.start_with([("TOCSIN_WORKER_ABORT_AT", abort_at.as_str())]).await.unwrap();
        let ended = worker.wait_exit(PATIENCE).await.unwrap();
        assert!(ended_by(ended, Signal::SIGABRT), "the worker reaches `{point}` a second time: {ended}");
        assert!(system.topology.unapplied().await.unwrap() > 0, "it dies with work left to do");
        system.assert_consistent().await;
        worker.start().await.unwrap();
        system.wait_until_drained().await;
        assert_applied_once(&system, &event_ids).await;
    }
    system.assert_changes_have_notices().await;
    system.wait_until_everybody_is_told().await;
    system.topology.stop().await.unwrap();
}

/// Each delivery is of one alert, and each alert of an incident of its own.
async fn assert_applied_once(system: &System, event_ids: &HashSet<String>) {
    let applied = system.topology.tenant().sql("SELECT id FROM event_ids").await.unwrap();
    assert_eq!(&applied.into_iter().flatten().collect::<HashSet<_>>(), event_ids);
    let deliveries = i64::try_from(event_ids.len()).unwrap();
    assert_eq!(system.count("SELECT sum(occurrences) FROM alerts").await, deliveries);
    assert_eq!(system.count("SELECT count(*) FROM incidents WHERE status = 'resolved'").await, deliveries / 2);
    let changes = "incident_triggered', 'incident_resolved";
    let told = format!("SELECT count(*) FROM timeline WHERE kind IN ('{changes}')");
    assert_eq!(system.count(&told).await, deliveries, "each change is told once");
    assert_eq!(system.count("SELECT count(*) FROM dead_letters").await, 0);
}
