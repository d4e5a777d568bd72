//! A real Prometheus evaluates a rule, a real Alertmanager sends what fires.

use std::path::Path;

use tocsin_shared::{Fingerprint, Labels};
use tocsin_testbed::doubles::{Recorded, Recorder};
use tocsin_testbed::process::Spec;
use tocsin_testbed::{Port, Process, programs};

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

/// A monitoring program, and the port that it listens on.
struct Program {
    address: String,
    _process: Process,
    _port: Port,
}

impl Program {
    /// Starts Debian's package `name` with these files in `folder`, the first of which is its configuration.
    async fn start(folder: &Path, name: &'static str, files: &[(&str, &str)], args: &[&str]) -> Self {
        for (file, text) in files {
            std::fs::write(folder.join(file), text).unwrap();
        }
        let port = Port::free().unwrap();
        let address = format!("127.0.0.1:{}", port.number());
        let spec = Spec::new(name, programs::system(name, name).unwrap(), folder)
            .args([
                format!("--config.file={}", folder.join(files[0].0).display()),
                format!("--web.listen-address={address}"),
            ])
            .args(args);
        let process = Process::new(spec);
        process.start().await.unwrap();
        Self { address, _process: process, _port: port }
    }

    /// Alertmanager, telling `webhook`.
    async fn alertmanager(folder: &Path, webhook: &str) -> Self {
        let config = format!(
            "route: {{receiver: tocsin, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}}\n\
             receivers: [{{name: tocsin, webhook_configs: [{{url: '{webhook}', send_resolved: true}}]}}]\n"
        );
        let data = format!("--storage.path={}", folder.join("alertmanager-data").display());
        let files = [("alertmanager.yml", config.as_str())];
        Self::start(folder, "prometheus-alertmanager", &files, &[&data, "--cluster.listen-address="]).await
    }

    /// Prometheus, watching `target` and telling the Alertmanager at `alerting`.
    async fn prometheus(folder: &Path, target: &str, alerting: &str) -> Self {
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: [rules.yml]\n\
             scrape_configs: [{{job_name: queues, static_configs: [{{targets: ['{target}']}}]}}]\n\
             alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{alerting}']}}]}}]}}\n"
        );
        let data = format!("--storage.tsdb.path={}", folder.join("prometheus-data").display());
        Self::start(folder, "prometheus", &[("prometheus.yml", &config), ("rules.yml", RULES)], &[&data]).await
    }
}

#[tokio::test]
async fn a_rule_that_fires_opens_an_incident_that_resolves_by_itself() {
    let system = System::start(|builder| builder).await;
    let folder = tempfile::tempdir().unwrap();
    let webhook = format!("{}/api/v1/webhooks/prometheus", system.topology.url());
    let alertmanager = Program::alertmanager(folder.path(), &webhook).await;
    system.follow_a_rule(folder.path(), &alertmanager.address).await;
}

#[tokio::test]
async fn prometheus_may_point_straight_at_the_front_door() {
    let system = System::start(|builder| builder).await;
    let folder = tempfile::tempdir().unwrap();
    let front_door = system.topology.url().trim_start_matches("http://").to_owned();
    system.follow_a_rule(folder.path(), &front_door).await;
}

impl System {
    /// Has a Prometheus that tells `alerting` evaluate a rule that fires and later stops firing, and follows its alert to
    /// the read API and to Slack.
    async fn follow_a_rule(&self, folder: &Path, alerting: &str) {
        let target = Recorder::start().unwrap();
        target.set_page("/metrics", "queue_depth{queue=\"invoices\"} 80\n");
        let _prometheus = Program::prometheus(folder, target.url().trim_start_matches("http://"), alerting).await;

        let incident = self.only_incident("triggered").await;
        assert_eq!(incident["title"], "Queue invoices holds 80 messages");
        assert_eq!(incident["severity"], "critical");
        assert_eq!(incident["labels"]["team"], "payments");
        assert_eq!(incident["firing_count"], 1);
        let alert = &incident["alerts"][0];
        assert_eq!((&alert["status"], &alert["source"]), (&"firing".into(), &"prometheus".into()));
        assert_eq!(alert["description"], "Nobody takes messages from the queue.");
        // Our own rule for fingerprints is Alertmanager's: what it sends is what we would have computed.
        let labels: Labels = serde_json::from_value(alert["labels"].clone()).unwrap();
        assert_eq!(alert["fingerprint"], Fingerprint::of_labels(&labels).as_str());
        let told = |what: &'static str| move |message: &Recorded| message.text().contains(what);
        let opened = told("Queue invoices holds 80 messages");
        self.slack.wait_for_request("the notice of the incident", PATIENCE, opened).await.unwrap();

        target.set_page("/metrics", "queue_depth{queue=\"invoices\"} 3\n");
        let incident = self.only_incident("resolved").await;
        assert_eq!((&incident["firing_count"], &incident["alerts"][0]["status"]), (&0.into(), &"resolved".into()));
        assert!(incident["resolved_at"].is_string());
        self.slack.wait_for_request("the notice of its end", PATIENCE, told("Resolved")).await.unwrap();
        self.wait_until_everybody_is_told().await;
        assert_eq!(self.slack.count(), 2, "one message when it opened, one when it resolved");
        self.topology.stop().await.unwrap();
    }
}
