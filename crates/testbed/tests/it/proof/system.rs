//! The system under proof, and how a sender, a script and an operator see it.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tocsin_testbed::doubles::Recorder;
use tocsin_testbed::topology::TopologyBuilder;
use tocsin_testbed::{Topology, http, poll};

use crate::turn::Turn;

/// Time within which anything that should happen has happened, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A configuration that tells one Slack receiver of everything, and lets a test send, and be told, as fast as can be.
pub(crate) const CONFIG: &str = "
route: {receiver: ops, group_by: [alertname], group_interval: 1s}
receivers: [{name: ops, slack: {webhook_url_env: TOCSIN_SLACK_WEBHOOK_URL, per_second: 10000}}]
webhooks: {limit: {per_minute: 1000000}}
api: {tokens: [{name: test, scopes: [read, respond], sha256_env: TOCSIN_DEMO_TOKEN_SHA256}]}
";

/// A running system with a Slack that records.
pub(crate) struct System {
    pub(crate) topology: Topology,
    pub(crate) slack: Recorder,
    pub(crate) client: Client,
    _turn: Turn,
}

impl System {
    /// Starts one, changed by `adjust`.
    pub(crate) async fn start(adjust: impl FnOnce(TopologyBuilder) -> TopologyBuilder) -> Self {
        Self::start_in_turn(Turn::shared().await, adjust).await
    }

    /// As [`System::start`], with no other system on the machine for as long as it lives.
    pub(crate) async fn start_alone(adjust: impl FnOnce(TopologyBuilder) -> TopologyBuilder) -> Self {
        Self::start_in_turn(Turn::alone().await, adjust).await
    }

    async fn start_in_turn(turn: Turn, adjust: impl FnOnce(TopologyBuilder) -> TopologyBuilder) -> Self {
        let slack = Recorder::start().unwrap();
        let builder = Topology::builder().config_text(CONFIG).slack_webhook_url(slack.slack_webhook_url());
        let topology = adjust(builder).start().await.unwrap();
        Self { topology, slack, client: http::client().unwrap(), _turn: turn }
    }

    /// What a script reads from the API.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.topology.url());
        let response = self.client.get(url).bearer_auth(self.topology.token()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    /// Sends an alert as the generic source takes it, under a delivery id; gives the status and the answer's `event_id`.
    pub(crate) async fn send(&self, alert: &Value, delivery_id: &str) -> reqwest::Result<(StatusCode, Value)> {
        let url = format!("{}/api/v1/webhooks/generic", self.topology.url());
        let response = self.client.post(url).header("Idempotency-Key", delivery_id).json(alert).send().await?;
        Ok((response.status(), response.json().await?))
    }

    /// Waits until the only incident is in this state, and gives its detail.
    pub(crate) async fn only_incident(&self, status: &str) -> Value {
        let number = poll::until(format!("one incident that is {status}"), PATIENCE, async || {
            let list = self.get("/api/v1/incidents").await;
            match list["data"].as_array().unwrap().as_slice() {
                [incident] if incident["status"] == status => Ok(incident["incident_number"].clone()),
                _ => Err(list.to_string()),
            }
        })
        .await
        .unwrap();
        self.get(&format!("/api/v1/incidents/{number}")).await
    }

    /// The one number that a query counts.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.topology.tenant().sql(sql).await.unwrap()[0][0].parse().unwrap()
    }

    /// Waits until every accepted delivery is applied and acknowledged, and finds the state as it must be.
    pub(crate) async fn wait_until_drained(&self) {
        self.topology.wait_until_drained(PATIENCE).await.unwrap();
        self.assert_consistent().await;
    }

    /// Every invariant of the state holds, as `tocsin-worker verify` knows them.
    pub(crate) async fn assert_consistent(&self) {
        self.topology.verify().await.unwrap();
    }

    /// Where a receiver is told of everything, the ledger has a notice of each opening and each resolution.
    pub(crate) async fn assert_changes_have_notices(&self) {
        let without = |status: &str, kind: &str| {
            format!(
                "SELECT count(*) FROM incidents WHERE {status} AND NOT EXISTS \
                (SELECT FROM notifications WHERE incident_id = incidents.id AND kind = '{kind}')"
            )
        };
        assert_eq!(self.count(&without("true", "triggered")).await, 0, "incidents without a notice of their opening");
        assert_eq!(self.count(&without("status = 'resolved'", "resolved")).await, 0, "resolutions without a notice");
    }

    /// Waits until the ledger is finished: each notice is delivered, or a newer one said what it would have said. The receiver
    /// has each of the former exactly once.
    pub(crate) async fn wait_until_everybody_is_told(&self) {
        poll::until("every notice to be delivered", PATIENCE, async || {
            let open = self.count("SELECT count(*) FROM notifications WHERE status IN ('pending', 'sending')").await;
            poll::expect(open, |open| *open == 0)
        })
        .await
        .unwrap();
        assert_eq!(self.count("SELECT count(*) FROM notifications WHERE status = 'dead'").await, 0);
        let told = self.count("SELECT count(*) FROM notifications WHERE status = 'delivered'").await;
        assert_eq!(i64::try_from(self.slack.count()).unwrap(), told, "each notice is received once");
    }
}

/// An alert of the generic source.
pub(crate) fn alert(name: &str, status: &str) -> Value {
    json!({"title": name, "external_id": name, "status": status, "severity": "critical", "labels": {"alertname": name}})
}
