//! A real Alertmanager, and its own tool.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use reqwest::Client;
use serde_json::{Value, json};
use tocsin_shared::{Labels, MatchOp, Matchers};
use tocsin_testbed::process::Spec;
use tocsin_testbed::{Port, Process, http, programs};
use tokio::process::Command;

const NAME: &str = "prometheus-alertmanager";
const READY_DEADLINE: Duration = Duration::from_secs(20);

/// The file whose meaning is under proof.
pub(super) fn config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/proof/peer_routing/alertmanager.yml")
}

/// The receivers that `amtool` says an alert with these labels goes to.
pub(super) async fn receivers(labels: &Labels) -> Vec<String> {
    let amtool = programs::system("amtool", NAME).unwrap();
    let file = format!("--config.file={}", config().display());
    let output = Command::new(amtool)
        .args(["config", "routes", "test", &file])
        .args(super::written(labels))
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{labels:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().split(',').map(str::to_owned).collect()
}

/// A running one.
pub(super) struct Alertmanager {
    url: String,
    client: Client,
    process: Process,
}

impl Alertmanager {
    pub(super) async fn start(folder: &Path) -> Self {
        let port = Port::free().unwrap();
        let spec = Spec::new(NAME, programs::system(NAME, NAME).unwrap(), folder).args([
            format!("--config.file={}", config().display()),
            format!("--storage.path={}", folder.display()),
            format!("--web.listen-address=127.0.0.1:{}", port.number()),
            // No peers.
            "--cluster.listen-address=".to_owned(),
        ]);
        let url = format!("http://127.0.0.1:{}", port.number());
        let process = Process::new(spec);
        process.start().await.unwrap();
        let ready = format!("{url}/-/ready");
        process.await_ready(READY_DEADLINE, "200", async || http::is_ok(&ready).await).await.unwrap();
        Self { url, client: http::client().unwrap(), process }
    }

    pub(super) async fn stop(self) {
        self.process.stop().await.unwrap();
    }

    pub(super) async fn post_alerts(&self, alerts: &[Labels]) {
        let alerts: Vec<_> = alerts.iter().map(|labels| json!({"labels": labels})).collect();
        self.post("alerts", &json!(alerts)).await;
    }

    /// Silences what these matchers match, from now on, and gives the silence's id.
    pub(super) async fn post_silence(&self, matchers: &Matchers) -> String {
        let matchers: Vec<_> = matchers
            .iter()
            .map(|matcher| {
                let is_regex = matches!(matcher.op(), MatchOp::Regex | MatchOp::NotRegex);
                let is_equal = matches!(matcher.op(), MatchOp::Equal | MatchOp::Regex);
                json!({"name": matcher.name(), "value": matcher.value(), "isRegex": is_regex, "isEqual": is_equal})
            })
            .collect();
        let (now, end) = (Utc::now(), Utc::now() + TimeDelta::hours(1));
        let silence =
            json!({"matchers": matchers, "startsAt": now, "endsAt": end, "createdBy": "proof", "comment": "proof"});
        let answer = self.post("silences", &silence).await;
        serde_json::from_str::<Value>(&answer).unwrap()["silenceID"].as_str().unwrap().to_owned()
    }

    /// Each group, as its receiver and the labels of its alerts, in order.
    pub(super) async fn groups(&self) -> Vec<(String, Vec<Labels>)> {
        let groups = self.get("alerts/groups").await;
        let group = |group: &Value| {
            let mut alerts: Vec<_> = group["alerts"].as_array().unwrap().iter().map(labels).collect();
            alerts.sort();
            (group["receiver"]["name"].as_str().unwrap().to_owned(), alerts)
        };
        let mut groups: Vec<_> = groups.as_array().unwrap().iter().map(group).collect();
        groups.sort();
        groups
    }

    /// Of each alert: how many others inhibit it, and which silences mute it.
    pub(super) async fn states(&self) -> BTreeMap<Labels, (usize, Vec<String>)> {
        let alerts = self.get("alerts").await;
        let texts = |list: &Value| {
            let mut texts: Vec<_> =
                list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
            texts.sort();
            texts
        };
        let state = |alert: &Value| {
            let status = &alert["status"];
            (labels(alert), (texts(&status["inhibitedBy"]).len(), texts(&status["silencedBy"])))
        };
        alerts.as_array().unwrap().iter().map(state).collect()
    }

    async fn get(&self, path: &str) -> Value {
        let response = self.client.get(format!("{}/api/v2/{path}", self.url)).send().await.unwrap();
        response.error_for_status().unwrap().json().await.unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> String {
        let response = self.client.post(format!("{}/api/v2/{path}", self.url)).json(body).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{text}");
        text
    }
}

fn labels(alert: &Value) -> Labels {
    serde_json::from_value(alert["labels"].clone()).unwrap()
}
