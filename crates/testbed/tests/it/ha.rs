//! Two of each service on stores of which any one may fail.

use std::time::Duration;

use serde_json::{Value, json};
use tocsin_testbed::{Ha, TestbedError, http, poll};

use crate::turn::Turn;

/// One receiver behind whom there is nobody, and a token to read with.
const CONFIG: &str = "
route: {receiver: nobody}
receivers: [{name: nobody, silent: true}]
api: {tokens: [{name: test, scopes: [read], sha256_env: TOCSIN_DEMO_TOKEN_SHA256}]}
";
/// What accepting, applying or coming back may take on a machine that has much else to do.
const DEADLINE: Duration = Duration::from_mins(1);

struct Sender {
    url: String,
    client: reqwest::Client,
}

impl Sender {
    /// Sends an alert as senders do: again until it is accepted.
    async fn send(&self, name: &str) {
        poll::until("an alert to be accepted", DEADLINE, async || self.try_to_send(name).await).await.unwrap();
    }

    async fn try_to_send(&self, name: &str) -> Result<(), String> {
        let alert = json!({"title": name, "severity": "critical", "status": "firing", "labels": {"alertname": name}});
        let request = self.client.post(format!("{}/api/v1/webhooks/generic", self.url)).json(&alert);
        let response = request.send().await.map_err(|error| error.to_string())?;
        if response.status().is_success() { Ok(()) } else { Err(response.status().to_string()) }
    }
}

async fn applied(ha: &Ha, client: &reqwest::Client) -> Result<u64, String> {
    let request = client.get(format!("{}/api/v1/alerts?limit=1", ha.url())).bearer_auth(ha.token());
    let response = request.send().await.map_err(|error| error.to_string())?;
    let page: Value = response.json().await.map_err(|error| error.to_string())?;
    page["total"].as_u64().ok_or_else(|| page.to_string())
}

async fn wait_until_applied(ha: &Ha, client: &reqwest::Client, wanted: u64) {
    poll::until("everything to be applied", DEADLINE, async || {
        poll::expect(applied(ha, client).await?, |applied| *applied == wanted).map(drop)
    })
    .await
    .unwrap();
}

/// The Redis that leads is left with the services on its side, and without its replicas.
async fn partition(ha: &Ha, sender: &Sender) {
    let old = ha.redis_primary().await.unwrap();
    if !ha.has_networks() {
        let error = ha.cut_off_from_stores(&old).await.unwrap_err();
        assert!(matches!(error, TestbedError::NoNetwork { .. }), "{error:?}");
        sender.send("without a partition").await;
        return;
    }
    ha.cut_off_from_stores(&old).await.unwrap();
    sender.send("in a partition").await;
    another_redis_leads(ha, &old).await;
    let state = ha.state().await;
    assert!(state.iter().any(|node| node.name == old && node.is_cut_off && node.pid.is_some()), "{state:?}");
    ha.heal(&old).await.unwrap();
}

async fn another_redis_leads(ha: &Ha, old: &str) {
    poll::until("another Redis to lead", DEADLINE, async || {
        poll::expect(ha.redis_primary().await.unwrap_or_default(), |name| !name.is_empty() && name != old)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_was_accepted_is_applied_though_both_primaries_are_killed() {
    // Twenty processes, and failovers with deadlines of their own.
    let _turn = Turn::alone().await;
    let ha = Ha::builder().config_text(CONFIG).start().await.unwrap();
    let client = http::client().unwrap();
    let sender = Sender { url: ha.url(), client: client.clone() };
    sender.send("before").await;
    wait_until_applied(&ha, &client, 1).await;

    let old = ha.redis_primary().await.unwrap();
    ha.kill(&old).await.unwrap();
    // The inbox takes it, or the new primary.
    sender.send("without Redis").await;
    wait_until_applied(&ha, &client, 2).await;
    another_redis_leads(&ha, &old).await;
    ha.start_node(&old).await.unwrap();

    let old = ha.postgres_primary().await.unwrap();
    ha.kill_postmaster(&old).await.unwrap();
    sender.send("without Postgres").await;
    wait_until_applied(&ha, &client, 3).await;

    partition(&ha, &sender).await;
    wait_until_applied(&ha, &client, 4).await;
    ha.reload_haproxy().await.unwrap();
    sender.send("with a new HAProxy").await;
    wait_until_applied(&ha, &client, 5).await;
    ha.stop().await.unwrap();
}
