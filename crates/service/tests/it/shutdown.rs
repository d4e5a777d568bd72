//! The end of a server.

use std::time::Duration;

use reqwest::header::CONNECTION;
use serde_json::{Value, json};
use tocsin_testbed::{Service, Topology, http, poll};

use crate::server::{DEADLINE, Server};

#[tokio::test]
async fn a_request_in_flight_is_answered_and_then_the_server_ends() {
    let server = Server::start().await;
    let request = tokio::spawn(server.client.get(server.url("/slow")).send());
    let arrived = tokio::time::timeout(DEADLINE, server.gate.arrived.acquire()).await;
    arrived.expect("the request to arrive").unwrap().forget();
    server.shutdown.begin();
    let health = server.url("/health");
    poll::until("new connections to be refused", DEADLINE, async || http::is_ok(&health).await.is_err()).await.unwrap();
    assert!(!server.serving.is_finished());

    server.gate.open.add_permits(1);
    let response = request.await.unwrap().unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()[CONNECTION]), (200, &"close".parse().unwrap()));
    assert_eq!(response.text().await.unwrap(), "late");
    tokio::time::timeout(DEADLINE, server.serving).await.expect("the server to end").unwrap().unwrap();
}

/// Between being told to stop and ceasing to accept lies the drain delay, which begins with a signal: so it takes a
/// process of its own.
#[tokio::test]
async fn a_draining_service_is_not_ready_but_answers_and_asks_clients_to_leave() {
    let topology = Topology::builder()
        .count(Service::Ingest, 0)
        .count(Service::Worker, 0)
        .count(Service::Notifier, 0)
        .env("TOCSIN_DRAIN_DELAY", "4s")
        .start()
        .await
        .unwrap();
    let url = topology.service_url("api-1").unwrap();
    let client = http::client().unwrap();
    let before = client.get(format!("{url}/ready")).send().await.unwrap();
    assert!(before.status() == 200 && before.headers().get(CONNECTION).is_none());

    let api = topology.process("api-1").unwrap();
    api.terminate().await.unwrap();
    let not_ready = poll::until("/ready to be 503", Duration::from_secs(2), async || {
        let response = client.get(format!("{url}/ready")).send().await.map_err(|error| error.to_string())?;
        poll::expect(response, |response| response.status() == 503)
    });
    let not_ready = not_ready.await.unwrap();
    let not_ready: Value = not_ready.json().await.unwrap();
    assert_eq!((&not_ready["status"], &not_ready["database"]), (&json!("not ready"), &json!("ok")));
    for (path, status) in [("/health", 200), ("/api/v1/incidents", 401), ("/api/v1/nowhere", 404)] {
        let response = client.get(format!("{url}{path}")).send().await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()[CONNECTION]), (status, &"close".parse().unwrap()));
    }
    assert!(api.wait_exit(DEADLINE).await.unwrap().success());
}
