//! A real Prometheus evaluates a rule, a real Alertmanager sends what fires.

use std::path::Path;

use serde_json::Value;
use tocsin_shared::{Fingerprint, Labels};
use tocsin_testbed::doubles::Recorder;
use tocsin_testbed::process::Spec;
use tocsin_testbed::{Port, Process, poll, programs};

use super::system::{PATIENCE, System};

const RULES: &str = "
groups:
  - name: queues
    interval: 1s
    rules:
      - alert: QueueTooDeep
        expr: queue_depth > 50
        labels: {severity: critical, team: payments}
        annotations:
          summary: 'Queue {{ $labels.queue }} holds {{ $value }} messages'
          description: 'Nobody takes messages from the queue.'
";

/// Prometheus and Alertmanager, watching `target` and telling `webhook`.
struct Monitoring {
    _prometheus: Process,
    _alertmanager: Process,
    _ports: [Port; 2],
}

impl Monitoring {
    async fn start(folder: &Path, target: &str, webhook: &str) -> Self {
        let ports = [Port::free().unwrap(), Port::free().unwrap()];
        let [prometheus_address, alertmanager_address] =
            ports.each_ref().map(|port| format!("127.0.0.1:{}", port.number()));
        let alertmanager_config = format!(
            "route: {{receiver: tocsin, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}}\n\
             receivers: [{{name: tocsin, webhook_configs: [{{url: '{webhook}', send_resolved: true}}]}}]\n"
        );
        let prometheus_config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: [rules.yml]\n\
             scrape_configs: [{{job_name: queues, static_configs: [{{targets: ['{target}']}}]}}]\n\
             alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{alertmanager_address}']}}]}}]}}\n"
        );
        for (name, text) in
            [("alertmanager.yml", &*alertmanager_config), ("prometheus.yml", &*prometheus_config), ("rules.yml", RULES)]
        {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let at = |name: &str| folder.join(name).display().to_string();
        let alertmanager = programs::system("prometheus-alertmanager", "prometheus-alertmanager").unwrap();
        let alertmanager = Spec::new("alertmanager", alertmanager, folder).args([
            format!("--config.file={}", at("alertmanager.yml")),
            format!("--storage.path={}", at("alertmanager-data")),
            format!("--web.listen-address={alertmanager_address}"),
            "--cluster.listen-address=".to_owned(),
        ]);
        let prometheus = programs::system("prometheus", "prometheus").unwrap();
        let prometheus = Spec::new("prometheus", prometheus, folder).args([
            format!("--config.file={}", at("prometheus.yml")),
            format!("--storage.tsdb.path={}", at("prometheus-data")),
            format!("--web.listen-address={prometheus_address}"),
        ]);
        let (alertmanager, prometheus) = (Process::new(alertmanager), Process::new(prometheus));
        alertmanager.start().await.unwrap();
        prometheus.start().await.unwrap();
        Self { _prometheus: prometheus, _alertmanager: alertmanager, _ports: ports }
    }
}

#[tokio::test]
async fn a_rule_that_fires_opens_an_incident_that_resolves_by_itself() {
    let system = System::start(|builder| builder).await;
    let target = Recorder::start().unwrap();
    target.set_page("/metrics", "queue_depth{queue=\"invoices\"} 80\n");
    let folder = tempfile::tempdir().unwrap();
    let webhook = format!("{}/api/v1/webhooks/prometheus", system.topology.url());
    let _monitoring = Monitoring::start(folder.path(), target.url().trim_start_matches("http://"), &webhook).await;

    let incident = system.incident_in_state("triggered").await;
    assert_eq!(incident["title"], "Queue invoices holds 80 messages");
    assert_eq!(incident["severity"], "critical");
    assert_eq!(incident["labels"]["team"], "payments");
    assert_eq!(incident["firing_count"], 1);
    let alert = &incident["alerts"][0];
    assert_eq!((&alert["status"], &alert["source"]), (&"firing".into(), &"prometheus".into()));
    assert_eq!(alert["description"], "Nobody takes messages from the queue.");
    // Our own rule for fingerprints is Alertmanager's: what it sent is what we would have computed.
    let labels: Labels = serde_json::from_value(alert["labels"].clone()).unwrap();
    assert_eq!(alert["fingerprint"], Fingerprint::of_labels(&labels).as_str());
    system
        .slack
        .wait_for_request("the notice of the incident", PATIENCE, |message| {
            message.text().contains("Triggered") && message.text().contains("Queue invoices holds 80 messages")
        })
        .await
        .unwrap();

    target.set_page("/metrics", "queue_depth{queue=\"invoices\"} 3\n");
    let incident = system.incident_in_state("resolved").await;
    assert_eq!((&incident["firing_count"], &incident["alerts"][0]["status"]), (&0.into(), &"resolved".into()));
    assert!(incident["resolved_at"].is_string());
    system
        .slack
        .wait_for_request("the notice of its end", PATIENCE, |message| message.text().contains("Resolved"))
        .await
        .unwrap();
    system.wait_until_everybody_is_told().await;
    assert_eq!(system.slack.count(), 2, "one message when it opened, one when it resolved");
    system.topology.stop().await.unwrap();
}

impl System {
    /// Waits until the only incident is in this state, and gives its detail.
    async fn incident_in_state(&self, status: &str) -> Value {
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
}
