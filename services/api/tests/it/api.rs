//! A running api, and what there is to read in it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tocsin_shared::{
    AlertEvent, AlertSeverity, AlertStatus, Envelope, EventId, Fingerprint, Labels, Policy, TraceContext,
};
use tocsin_store::{DeadLetter, Plans, Store, StoreConfig};
use tocsin_testbed::topology::TopologyBuilder;
use tocsin_testbed::{Process, Service, Topology, http};

/// What awaiting something may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// May read.
pub(crate) const READER: &str = "token-of-a-reader";
/// May act on incidents, and not read.
pub(crate) const RESPONDER: &str = "token-of-a-responder";
/// May do everything.
pub(crate) const ADMIN: &str = "token-of-an-admin";

/// A running api and its database.
pub(crate) struct Api {
    pub(crate) topology: Topology,
    pub(crate) client: reqwest::Client,
    pub(crate) store: Store,
}

impl Api {
    pub(crate) async fn start() -> Self {
        Self::start_as(|topology| topology).await
    }

    pub(crate) async fn start_as(change: impl FnOnce(TopologyBuilder) -> TopologyBuilder) -> Self {
        let nothing_else = [Service::Ingest, Service::Worker, Service::Notifier]
            .into_iter()
            .fold(Topology::builder(), |topology, service| topology.count(service, 0));
        let tokens = [(READER, "read"), (RESPONDER, "respond"), (ADMIN, "admin")];
        let topology = change(nothing_else.config_text(document(&tokens))).start().await.unwrap();
        let store = Store::new(&StoreConfig {
            url: topology.tenant().database_url().into(),
            connections: 2,
            timeout: Duration::from_secs(20),
            application: "tocsin-test",
            plans: Plans::Fresh,
        });
        Self { topology, client: http::client().unwrap(), store }
    }

    pub(crate) fn process(&self) -> &Process {
        self.topology.process("api-1").unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.topology.service_url("api-1").unwrap())
    }

    /// Puts alerts into the state, as a worker would.
    pub(crate) async fn apply(&self, deliveries: &[Envelope]) {
        self.store.batch_apply(deliveries, &[], &Policy::default()).await.unwrap();
    }

    /// Keeps a dead letter.
    pub(crate) async fn keep(&self, letter: &DeadLetter) {
        self.store.batch_apply(&[], std::slice::from_ref(letter), &Policy::default()).await.unwrap();
    }

    /// What a caller with this token is answered.
    pub(crate) async fn get_as(&self, token: &str, path: &str) -> reqwest::Response {
        self.client.get(self.url(path)).bearer_auth(token).send().await.unwrap()
    }

    /// What a reader sees.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let response = self.get_as(READER, path).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        response.json().await.unwrap()
    }
}

/// A `tocsin.yaml` with these tokens, each with one scope.
pub(crate) fn document(tokens: &[(&str, &str)]) -> String {
    let entry = |(token, scope): &(&str, &str)| {
        let sha256 = hex::encode(Sha256::digest(token));
        format!("    - {{name: {token}, scopes: [{scope}], sha256: \"{sha256}\"}}\n")
    };
    format!("api:\n  tokens:\n{}", tokens.iter().map(entry).collect::<String>())
}

/// The document of a refusal.
pub(crate) async fn problem(response: reqwest::Response, status: u16, code: &str) -> Value {
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    let document: Value = response.json().await.unwrap();
    assert_eq!((&document["code"], &document["error"]["code"]), (&code.into(), &code.into()), "{document}");
    document
}

/// The n-th second of the time that tests live in.
pub(crate) fn at(second: i64) -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(second)
}

/// A delivery that says of the alert `pod` in the group `group` that it fires or is resolved since `second`.
pub(crate) fn delivery(group: &str, pod: &str, status: AlertStatus, second: i64) -> Envelope {
    let pairs = [("alertname", group), ("pod", pod)];
    let labels: Labels = pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Envelope {
        id: EventId::of_delivery("default", &format!("{group}/{pod}/{status}/{second}")),
        received_at: at(second),
        source: "generic".to_owned(),
        integration: "default".to_owned(),
        trace: TraceContext::new(1, 1, 0),
        alerts: vec![AlertEvent {
            fingerprint: Fingerprint::of_labels(&labels),
            external_id: None,
            status,
            severity: AlertSeverity::Warning,
            title: format!("{group} on {pod}"),
            description: None,
            labels,
            annotations: Labels::new(),
            source_url: None,
            started_at: Some(at(second)),
            ended_at: (status == AlertStatus::Resolved).then(|| at(second)),
            event_at: at(second),
            expires_at: None,
            expires: false,
            is_bare: false,
        }],
        acknowledged: Vec::new(),
    }
}

/// Firing alerts, each alone in its group.
pub(crate) fn alone(count: usize) -> Vec<Envelope> {
    (1..=count).map(|n| delivery(&format!("group-{n:02}"), "one", AlertStatus::Firing, 1)).collect()
}
