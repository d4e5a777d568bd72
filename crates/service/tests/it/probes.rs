//! `/health` and `/ready`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tocsin_service::health::{Dependency, Need, Readiness};
use tocsin_service::shutdown::Shutdown;
use tocsin_testbed::poll;

use crate::server::{DEADLINE, METRICS, Server};

/// A dependency that is there or not.
#[derive(Clone, Default)]
struct Switch(Arc<AtomicBool>);

impl Switch {
    fn set(&self, on: bool) {
        self.0.store(on, Ordering::SeqCst);
    }

    fn probe(&self) -> impl Fn() -> std::future::Ready<bool> + Send + 'static {
        let this = self.clone();
        move || std::future::ready(this.0.load(Ordering::SeqCst))
    }
}

async fn becomes(server: &Server, status: u16, body: &Value) {
    let what = format!("/ready to answer {status} {body}");
    poll::until(what, DEADLINE, async || {
        let response = server.get("/ready").await;
        let seen = (response.status().as_u16(), response.json::<Value>().await.unwrap());
        poll::expect(seen, |(code, seen)| *code == status && seen == body)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn health_is_well_whatever_is_missing() {
    let shutdown = Shutdown::default();
    let readiness =
        Readiness::builder(&shutdown).check(Dependency::Database, Need::Required, Switch::default().probe()).build();
    let server = Server::start_with(METRICS, readiness, shutdown).await;
    let response = server.get("/health").await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    assert_eq!(response.json::<Value>().await.unwrap(), json!({"status": "ok", "version": "1.2.3"}));
}

#[tokio::test]
async fn ready_follows_what_is_required_and_shows_what_is_not() {
    let (database, redis) = (Switch::default(), Switch::default());
    let shutdown = Shutdown::default();
    let readiness = Readiness::builder(&shutdown)
        .check(Dependency::Database, Need::Required, database.probe())
        .check(Dependency::Redis, Need::Optional, redis.probe())
        .build();
    let server = Server::start_with(METRICS, readiness, shutdown).await;
    becomes(&server, 503, &json!({"status": "not ready", "database": "error", "redis": "error"})).await;
    database.set(true);
    becomes(&server, 200, &json!({"status": "ready", "database": "ok", "redis": "error"})).await;
    redis.set(true);
    becomes(&server, 200, &json!({"status": "ready", "database": "ok", "redis": "ok"})).await;
    database.set(false);
    becomes(&server, 503, &json!({"status": "not ready", "database": "error", "redis": "ok"})).await;
}

#[tokio::test]
async fn one_of_several_alternatives_is_enough() {
    let (database, redis) = (Switch::default(), Switch::default());
    let shutdown = Shutdown::default();
    let readiness = Readiness::builder(&shutdown)
        .check(Dependency::Database, Need::Alternative, database.probe())
        .check(Dependency::Redis, Need::Alternative, redis.probe())
        .build();
    let server = Server::start_with(METRICS, readiness, shutdown).await;
    becomes(&server, 503, &json!({"status": "not ready", "database": "error", "redis": "error"})).await;
    redis.set(true);
    becomes(&server, 200, &json!({"status": "ready", "database": "error", "redis": "ok"})).await;
    database.set(true);
    redis.set(false);
    becomes(&server, 200, &json!({"status": "ready", "database": "ok", "redis": "error"})).await;
}

#[tokio::test]
async fn a_dependency_that_hangs_is_an_error_and_does_not_make_ready_hang() {
    let shutdown = Shutdown::default();
    let readiness =
        Readiness::builder(&shutdown).check(Dependency::Redis, Need::Required, std::future::pending::<bool>).build();
    let server = Server::start_with(METRICS, readiness, shutdown).await;
    let body = server.get("/ready").await.json::<Value>().await.unwrap();
    assert_eq!(body, json!({"status": "not ready", "redis": "error"}), "what a service does not have is left out");
}
