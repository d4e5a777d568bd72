//! The system under proof, and how a sender, a script and an operator see it.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tocsin_testbed::doubles::Recorder;
use tocsin_testbed::topology::TopologyBuilder;
use tocsin_testbed::{Topology, http, poll};

/// Time within which anything that should happen has happened, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A configuration that tells one Slack receiver of everything.
pub(crate) const CONFIG: &str = "
route: {receiver: ops, group_by: [alertname]}
receivers: [{name: ops, slack: {webhook_url_env: TOCSIN_SLACK_WEBHOOK_URL}}]
api: {tokens: [{name: test, scopes: [read], sha256_env: TOCSIN_DEMO_TOKEN_SHA256}]}
";

/// A running system with a Slack that records.
pub(crate) struct System {
    pub(crate) topology: Topology,
    pub(crate) slack: Recorder,
    pub(crate) client: Client,
}

impl System {
    /// Starts one, changed by `adjust`.
    pub(crate) async fn start(adjust: impl FnOnce(TopologyBuilder) -> TopologyBuilder) -> Self {
        let slack = Recorder::start().unwrap();
        let builder = Topology::builder().config_text(CONFIG).slack_webhook_url(slack.slack_webhook_url());
        let topology = adjust(builder).start().await.unwrap();
        Self { topology, slack, client: http::client().unwrap() }
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

    /// The one number that a query counts.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.topology.tenant().sql(sql).await.unwrap()[0][0].parse().unwrap()
    }

    /// Waits until every accepted entry is applied and acknowledged: the stream is empty and nothing is pending.
    pub(crate) async fn wait_until_drained(&self) {
        let key = format!("{}:v1:{{0}}:events", self.topology.tenant().redis_prefix());
        poll::until("the events stream to be empty", PATIENCE, async || {
            let redis = |command: &'static [&'static str]| {
                let args: Vec<String> = command.iter().map(|arg| arg.replace("KEY", &key)).collect();
                async move { self.topology.tenant().redis(args).await.unwrap() }
            };
            let length = redis(&["XLEN", "KEY"]).await;
            let pending = redis(&["XPENDING", "KEY", "worker"]).await;
            let pending = pending.lines().next().unwrap_or_default().to_owned();
            poll::expect((length.trim().to_owned(), pending), |(length, pending)| length == "0" && pending == "0")
        })
        .await
        .unwrap();
    }

    /// Waits until every ledger row is delivered, and the receiver has each exactly once.
    pub(crate) async fn wait_until_everybody_is_told(&self) {
        poll::until("every notice to be delivered", PATIENCE, async || {
            let open = self.count("SELECT count(*) FROM notifications WHERE status <> 'delivered'").await;
            poll::expect(open, |open| *open == 0)
        })
        .await
        .unwrap();
        let rows = self.count("SELECT count(*) FROM notifications").await;
        assert_eq!(i64::try_from(self.slack.count()).unwrap(), rows, "each notice is received once");
    }
}

/// An alert of the generic source.
pub(crate) fn alert(name: &str, status: &str) -> Value {
    json!({"title": name, "external_id": name, "status": status, "severity": "critical", "labels": {"alertname": name}})
}
