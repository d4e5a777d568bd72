//! Two of each service on stores of which any one may fail.

mod ordinary_user;

use std::time::Duration;

use serde_json::{Value, json};
use tocsin_testbed::{Ha, TestbedError, http, poll};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::turn::Turn;

/// One receiver behind whom there is nobody, and a token to read with.
const CONFIG: &str = "
route: {receiver: nobody}
receivers: [{name: nobody, silent: true}]
api: {tokens: [{name: test, scopes: [read], sha256_env: TOCSIN_DEMO_TOKEN_SHA256}]}
";
/// What accepting, applying or coming back may take on a machine that has much else to do.
const DEADLINE: Duration = Duration::from_mins(1);

/// For how long nothing must happen: many times what it takes otherwise.
const CALM: Duration = Duration::from_secs(3);

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

/// What is cut off gets nothing and sends nothing, and loses no connection: it goes on where it was.
async fn services_cut_off(ha: &Ha, client: &reqwest::Client, sender: &Sender, applied_before: u64) {
    let of_ingest = ha.service_urls().into_iter().find_map(|(name, url)| (name == "ingest-1").then_some(url)).unwrap();
    let mut open = TcpStream::connect(of_ingest.trim_start_matches("http://")).await.unwrap();
    open.write_all(b"GET /health HTTP/1.1\r\n").await.unwrap();
    ha.cut_off("ingest-1").await.unwrap();
    open.write_all(b"Host: x\r\nConnection: close\r\n\r\n").await.unwrap();
    sender.send("with one ingest").await;
    wait_until_applied(ha, client, applied_before + 1).await;
    ha.front_door().wait_until_server_is("ingest-1", false, DEADLINE).await.unwrap();
    let state = ha.state().await;
    assert!(state.iter().any(|node| node.name == "ingest-1" && node.is_cut_off && !node.is_ready), "{state:?}");
    assert!(state.iter().any(|node| node.name == "ingest-2" && !node.is_cut_off && node.is_ready), "{state:?}");
    let mut answer = Vec::new();
    let early = timeout(CALM, open.read_to_end(&mut answer)).await;
    assert!(early.is_err(), "nothing comes out of a partition: {}", String::from_utf8_lossy(&answer));
    ha.heal("ingest-1").await.unwrap();
    // It answers, or closes what took too long.
    let late = timeout(DEADLINE, open.read_to_end(&mut answer)).await;
    assert!(late.is_ok(), "what is healed goes on");
    ha.front_door().wait_until_server_is("ingest-1", true, DEADLINE).await.unwrap();

    // What they have open to the stores is as dead as what they would open.
    for worker in ["worker-1", "worker-2"] {
        ha.cut_off(worker).await.unwrap();
    }
    sender.send("without a worker").await;
    let more = poll::until("nothing to be applied", CALM, async || {
        poll::expect(applied(ha, client).await?, |applied| *applied > applied_before + 1).map(drop)
    });
    assert!(more.await.is_err(), "a worker that is cut off applies nothing");
    for worker in ["worker-1", "worker-2"] {
        ha.heal(worker).await.unwrap();
    }
    wait_until_applied(ha, client, applied_before + 2).await;

    ha.cut_off("haproxy").await.unwrap();
    assert!(http::is_ok(&format!("{}/health", ha.url())).await.is_err(), "the front door is shut");
    ha.heal("haproxy").await.unwrap();
    sender.send("through the front door again").await;
    wait_until_applied(ha, client, applied_before + 3).await;
    for (name, _) in ha.service_urls() {
        ha.wait_ready(&name).await.unwrap();
    }
    let error = ha.cut_off_from_stores("api-1").await.unwrap_err();
    assert!(matches!(error, TestbedError::NoNetwork { .. }), "{error:?}");
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
    services_cut_off(&ha, &client, &sender, 5).await;
    ha.stop().await.unwrap();
}
