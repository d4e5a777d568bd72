//! Each service is restarted under load, and nobody notices.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::StatusCode;
use tocsin_testbed::topology::Service;

use super::system::{PATIENCE, System, alert};

/// Time between two webhooks, and between two reads.
const INTERVAL: Duration = Duration::from_millis(5);

#[tokio::test]
async fn every_service_is_restarted_under_load_and_no_request_is_lost() {
    let system =
        System::start(|builder| Service::ALL.into_iter().fold(builder, |builder, service| builder.count(service, 2)))
            .await;
    let rolled = AtomicBool::new(false);
    let accepted = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());

    let sending = async {
        let mut ticks = tokio::time::interval(INTERVAL);
        let mut number = 0;
        while !rolled.load(Ordering::Relaxed) {
            ticks.tick().await;
            number += 1;
            // Every request is a new connection: each is sent to whichever server the proxy believes healthy.
            match system.send(&alert(&format!("Alert {}", number % 40), "firing"), &format!("roll-{number}")).await {
                Ok((StatusCode::OK, _)) => {
                    accepted.fetch_add(1, Ordering::Relaxed);
                }
                other => failures.lock().unwrap().push(format!("webhook {number}: {other:?}")),
            }
        }
    };
    let reading = async {
        let mut ticks = tokio::time::interval(INTERVAL);
        let url = format!("{}/api/v1/incidents?limit=5", system.topology.url());
        while !rolled.load(Ordering::Relaxed) {
            ticks.tick().await;
            match system.client.get(&url).bearer_auth(system.topology.token()).send().await {
                Ok(response) if response.status() == StatusCode::OK => {}
                other => failures.lock().unwrap().push(format!("read: {other:?}")),
            }
        }
    };
    let rolling = async {
        for name in ["ingest-1", "ingest-2", "api-1", "api-2", "worker-1", "worker-2", "notifier-1", "notifier-2"] {
            let process = system.topology.process(name).unwrap();
            let stopped = process.stop().await.unwrap();
            assert!(stopped.is_clean(), "{name}: {stopped}\n{}", process.log_tail(20));
            process.start().await.unwrap();
            system.topology.wait_ready(name).await.unwrap();
            if name.starts_with("ingest") || name.starts_with("api") {
                system.topology.front_door().wait_until_server_is(name, true, PATIENCE).await.unwrap();
            }
        }
        rolled.store(true, Ordering::Relaxed);
    };
    tokio::join!(sending, reading, rolling);

    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} requests failed: {:#?}", failures.len(), &failures[..failures.len().min(10)]);
    system.wait_until_drained().await;
    let accepted = i64::try_from(accepted.into_inner()).unwrap();
    assert!(accepted > 500, "there was load: {accepted}");
    assert_eq!(system.count("SELECT count(*) FROM event_ids").await, accepted, "nothing accepted is missing");
    assert_eq!(system.count("SELECT sum(occurrences) FROM alerts").await, accepted);
    system.assert_changes_have_notices().await;
    system.wait_until_everybody_is_told().await;
    system.topology.stop().await.unwrap();
}
