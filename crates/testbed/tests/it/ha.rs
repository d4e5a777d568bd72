//! Two of each service on stores of which any one may fail.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tocsin_testbed::{Ha, http, poll};

/// What accepting, applying or coming back may take on a machine that has much else to do.
const DEADLINE: Duration = Duration::from_secs(30);

struct Sender {
    url: String,
    client: reqwest::Client,
}

impl Sender {
    async fn send(&self, name: &str) -> Result<(), String> {
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

#[tokio::test]
async fn what_was_accepted_is_applied_though_both_primaries_are_killed() {
    let began = Instant::now();
    let ha = Ha::builder().start().await.unwrap();
    println!("up after {:?}", began.elapsed());
    let client = http::client().unwrap();
    let sender = Sender { url: ha.url(), client: client.clone() };
    sender.send("before").await.unwrap();
    wait_until_applied(&ha, &client, 1).await;

    let old = ha.redis_primary().await.unwrap();
    ha.kill(&old).await.unwrap();
    // The inbox takes it, or the new primary.
    sender.send("without Redis").await.unwrap();
    wait_until_applied(&ha, &client, 2).await;
    let elected = poll::until("another Redis to lead", DEADLINE, async || {
        poll::expect(ha.redis_primary().await.unwrap_or_default(), |name| !name.is_empty() && *name != old)
    })
    .await
    .unwrap();
    ha.start_node(&old).await.unwrap();

    let old = ha.postgres_primary().await.unwrap();
    let killed = Instant::now();
    ha.kill_postmaster(&old).await.unwrap();
    sender.send("without Postgres").await.unwrap();
    wait_until_applied(&ha, &client, 3).await;
    println!("{elected} leads Redis; applied {:?} after Postgres was killed", killed.elapsed());
    assert_ne!(ha.postgres_primary().await.unwrap(), "");
    ha.stop().await.unwrap();
}
