//! How soon what was accepted can be read.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use reqwest::Client;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::bench::{BenchError, applied, keys};
use crate::load::open_loop;
use crate::topology::{Service, random_token};
use crate::{Topology, http};

/// Time between two looks at the list. It counts as part of the delay, as does the time that the list takes.
const LOOK_INTERVAL: Duration = Duration::from_millis(3);
/// How long after the last webhook its alert may take to appear.
const PATIENCE: Duration = Duration::from_secs(20);
/// The newest alerts: more than come between two looks.
const LIST: &str = "/api/v1/alerts?limit=250";
/// Names of alerts, each of which becomes an incident.
const NAMES: u32 = 50;

/// How webhooks come.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Webhooks in a second.
    pub per_second: u32,
    /// For how long.
    pub during: Duration,
}

#[derive(Deserialize)]
struct List {
    data: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    external_id: String,
}

/// Sends webhooks to a system of its own, each of a new alert, and looks at the list of alerts meanwhile. Gives the time from
/// each 2xx until the alert was in the list.
pub(super) async fn measure(pace: Pace, folder: &Path) -> Result<Vec<Duration>, BenchError> {
    let key = random_token();
    let topology = Topology::builder()
        .own_stores()
        .folder(folder)
        .config_text(format!(
            "{}api: {{tokens: [{{name: bench, scopes: [read], sha256_env: TOCSIN_DEMO_TOKEN_SHA256}}]}}\n",
            keys::config(&key)
        ))
        .count(Service::Notifier, 0)
        .start()
        .await?;
    let seconds = u32::try_from(pace.during.as_secs()).unwrap_or(u32::MAX);
    let count = pace.per_second * seconds;
    let client = http::client()?;
    let url = format!("{}/api/v1/webhooks/generic", topology.url());
    let load = open_loop(count, pace.during, |number| {
        let request = client.post(&url).bearer_auth(&key).json(&alert(number));
        async move {
            let accepted = request.send().await.is_ok_and(|response| response.status().is_success());
            accepted.then(|| (number, Instant::now()))
        }
    });
    let (answers, appeared) = tokio::join!(load, watch(&topology, &client, count, pace.during + PATIENCE));
    let appeared = appeared?;
    let mut delays = Vec::with_capacity(answers.len());
    for answer in answers {
        let refused = BenchError::Refused { subject: "visible", refused: 1, socket_errors: 0 };
        let (number, accepted) = answer.value.ok_or(refused)?;
        let appeared = appeared.get(&number.to_string());
        let appeared = appeared.ok_or(BenchError::Broken { what: "an accepted alert did not appear in the list" })?;
        // An alert may be in the list before its sender has the answer.
        delays.push(appeared.saturating_duration_since(accepted));
    }
    applied::check(&topology, "visible").await?;
    topology.stop().await?;
    Ok(delays)
}

/// When each alert was in the list for the first time, by its external id.
async fn watch(
    topology: &Topology,
    client: &Client,
    count: u32,
    at_most: Duration,
) -> Result<HashMap<String, Instant>, BenchError> {
    let url = format!("{}{LIST}", topology.url());
    let (begun, mut appeared) = (Instant::now(), HashMap::new());
    while appeared.len() < count as usize && begun.elapsed() < at_most {
        let response = client.get(&url).bearer_auth(topology.token()).send().await?.error_for_status()?;
        let list: List = response.json().await?;
        let now = Instant::now();
        for Listed { external_id } in list.data {
            appeared.entry(external_id).or_insert(now);
        }
        sleep(LOOK_INTERVAL).await;
    }
    Ok(appeared)
}

fn alert(number: u32) -> serde_json::Value {
    let name = format!("HighRequestLatency {}", number % NAMES);
    json!({
        "title": format!("Pod {number} answers slowly"),
        "external_id": number.to_string(),
        "status": "firing",
        "severity": "critical",
        "description": "The 99th percentile of its latency has been above 500 ms for ten minutes.",
        "labels": {"alertname": name, "service": "checkout", "namespace": "shop", "pod": format!("pod-{number}")},
    })
}
