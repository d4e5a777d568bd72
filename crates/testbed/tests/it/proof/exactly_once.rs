//! Every accepted delivery acts once, whatever is repeated and wherever the worker is killed.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::json;
use tocsin_testbed::poll;
use tocsin_testbed::topology::Service;

use super::system::{PATIENCE, System};

const WEBHOOKS: usize = 2_000;
const SENDERS: usize = 16;
const ALERTS: usize = 250;
const GROUPS: usize = 25;
/// Every so many webhooks, one is sent twice.
const REPEAT_EVERY: usize = 10;
/// The worker is killed when so many are accepted.
const KILLS: [usize; 3] = [500, 1_000, 1_500];

#[tokio::test]
async fn two_thousand_webhooks_act_once_though_the_worker_is_killed_three_times() {
    let system = System::start(|builder| {
        builder
            // Small batches and a short takeover, so that the kills meet many half-done batches and the test is short.
            .env_for(Service::Worker, "TOCSIN_WORKER_BATCH_SIZE", "20")
            .env_for(Service::Worker, "TOCSIN_WORKER_HANDLER_TIMEOUT", "2s")
            .env_for(Service::Worker, "TOCSIN_WORKER_RECLAIM_IDLE", "3s")
    })
    .await;
    let accepted = AtomicUsize::new(0);
    let event_ids = Mutex::new(HashSet::new());
    let next = AtomicUsize::new(0);

    let send_all = async {
        join_all((0..SENDERS).map(|_| async {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= WEBHOOKS {
                    return;
                }
                let repeats = if number.is_multiple_of(REPEAT_EVERY) { 2 } else { 1 };
                for _ in 0..repeats {
                    send_one(&system, number, &event_ids).await;
                }
                accepted.fetch_add(1, Ordering::Relaxed);
            }
        }))
        .await;
    };
    let kill_the_worker = async {
        let worker = system.topology.process("worker-1").unwrap();
        for after in KILLS {
            poll::until(format!("{after} webhooks to be accepted"), PATIENCE, async || {
                poll::expect(accepted.load(Ordering::Relaxed), |accepted| *accepted >= after)
            })
            .await
            .unwrap();
            worker.kill().await.unwrap();
            worker.start().await.unwrap();
        }
    };
    tokio::join!(send_all, kill_the_worker);

    system.wait_until_drained().await;
    let event_ids = event_ids.into_inner().unwrap();
    assert_eq!(event_ids.len(), WEBHOOKS, "a repeated delivery has the event id of the first");
    let applied: HashSet<String> =
        system.topology.tenant().sql("SELECT id FROM event_ids").await.unwrap().into_iter().flatten().collect();
    assert_eq!(applied, event_ids, "what was applied is what was accepted");
    let webhooks = i64::try_from(WEBHOOKS).unwrap();
    assert_eq!(system.count("SELECT sum(occurrences) FROM alerts").await, webhooks, "each event counts once");
    assert_eq!(system.count("SELECT count(*) FROM alerts").await, i64::try_from(ALERTS).unwrap());
    assert_eq!(system.count("SELECT count(*) FROM dead_letters").await, 0);
    system.assert_changes_have_notices().await;
    system.wait_until_everybody_is_told().await;
    system.topology.stop().await.unwrap();
}

async fn send_one(system: &System, number: usize, event_ids: &Mutex<HashSet<String>>) {
    let alert = number % ALERTS;
    let alert = json!({
        "title": format!("Alert {alert}"),
        "external_id": format!("alert-{alert}"),
        // Four rounds of firing and resolved per alert.
        "status": if (number / ALERTS).is_multiple_of(2) { "firing" } else { "resolved" },
        "labels": {"alertname": format!("Group {}", alert % GROUPS)},
    });
    let (status, answer) = system.send(&alert, &format!("delivery-{number}")).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    event_ids.lock().unwrap().insert(answer["event_id"].as_str().unwrap().to_owned());
}
