//! Routes, groups, inhibition and silences mean what they mean in Alertmanager: the same file, imported, gives every
//! alert the same receivers and the same company.

mod alertmanager;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::{TimeDelta, Utc};
use serde_json::Value;
use tempfile::TempDir;
use tocsin_shared::{Labels, MatchOp, Matcher, Matchers, Silence, SilenceId};
use tocsin_testbed::{poll, programs};
use tokio::process::Command;

use super::system::PATIENCE;
use alertmanager::Alertmanager;

/// The receiver of the file that has nobody behind it.
const NOBODY: &str = "blackhole";

/// Alerts beside those that [`alerts`] makes of all values of some labels.
const PARTICULAR: &[&[(&str, &str)]] = &[
    &[("alertname", "NodeDown"), ("cluster", "a"), ("team", "web")],
    &[("alertname", "NodeFull"), ("cluster", "a"), ("team", "web")],
    &[("alertname", "NodeFull"), ("cluster", "b"), ("team", "web")],
    &[("alertname", "NodeSlow"), ("team", "web")],
    &[("alertname", "ClusterDown"), ("team", "web")],
    &[("alertname", "ClusterSlow"), ("team", "web"), ("cluster", "")],
    &[("alertname", "Host"), ("team", "web"), ("instance", "db-01.example")],
    &[("alertname", "Host"), ("team", "web"), ("instance", "db-01xexample")],
    &[("alertname", "Host"), ("team", "web"), ("instance", "db-٠١")],
    &[("alertname", "Host"), ("team", "web"), ("instance", "dé-01")],
    &[("alertname", "Host"), ("team", "web"), ("instance", "db-01"), ("path", "/health")],
    &[("alertname", "Host"), ("team", "web"), ("instance", "db-01"), ("path", "/healthy")],
    &[("alertname", "Host"), ("team", "web"), ("instance", "db-01"), ("maintenance", "yes")],
    &[("alertname", "Host"), ("team", "web"), ("instance", "db-01"), ("maintenance", "no")],
    &[("alertname", "Note"), ("team", "web"), ("note", "IT'S \"quoted\", with a comma")],
    &[("alertname", "Note"), ("team", "web"), ("note", "it's \"quoted\", with a comma\n")],
    &[("alertname", "Note"), ("team", "web"), ("note", "\\{a=\"b\"}, c")],
    &[("alertname", "Version"), ("team", "web"), ("version", "1x2")],
    &[("alertname", "Version"), ("team", "web"), ("version", "2.7")],
    &[("alertname", "Version"), ("team", "web"), ("version", "2x7")],
    &[("alertname", "Störung"), ("team", "café"), ("env", "prod"), ("severity", "critical")],
    &[("alertname", "Orphan"), ("env", "prod")],
    &[("team", "database")],
    &[("severity", "criticality"), ("team", "web")],
];

/// All of them: every combination of these values, absence among them, and those that are particular.
fn alerts() -> Vec<Labels> {
    let mut alerts: Vec<Labels> = PARTICULAR.iter().map(|&pairs| labels(pairs)).collect();
    for severity in ["critical", "warning", "info", ""] {
        for team in ["db", "store", "web", "ops", ""] {
            for env in ["prod", "dev", ""] {
                let pairs = [("alertname", "Latency"), ("severity", severity), ("team", team), ("env", env)];
                alerts.push(labels(&pairs));
            }
        }
    }
    alerts
}

/// Without those that are empty, as Alertmanager keeps them.
fn labels(pairs: &[(&str, &str)]) -> Labels {
    let full = pairs.iter().filter(|(_, value)| !value.is_empty());
    full.map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Labels as both command lines take them.
fn written(labels: &Labels) -> Vec<String> {
    let equal = |(name, value): (&String, &String)| Matcher::new(name, MatchOp::Equal, value).unwrap().to_string();
    labels.iter().map(equal).collect()
}

/// Tocsin with the imported file, as an operator sees it.
struct Tocsin {
    config: PathBuf,
}

impl Tocsin {
    /// Imports the file.
    async fn import(folder: &Path) -> Self {
        let config = folder.join("tocsin.yaml");
        let (input, output) = (alertmanager::config(), format!("--output={}", config.display()));
        worker(&["import-alertmanager", &input.display().to_string(), &output]).await;
        worker(&["check-config", &config.display().to_string()]).await;
        Self { config }
    }

    /// What `route-test` says of an alert.
    async fn verdict(&self, labels: &Labels) -> Value {
        let config = format!("--config={}", self.config.display());
        let labels = written(labels);
        let args: Vec<_> =
            ["route-test", "--json", &config].into_iter().chain(labels.iter().map(String::as_str)).collect();
        serde_json::from_str(&worker(&args).await).unwrap()
    }

    async fn verdicts(&self, alerts: &[Labels]) -> Vec<Value> {
        let mut verdicts = Vec::new();
        for labels in alerts {
            verdicts.push(self.verdict(labels).await);
        }
        verdicts
    }
}

async fn worker(args: &[&str]) -> String {
    let output = Command::new(programs::own("tocsin-worker").unwrap()).args(args).output().await.unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn receiver(route: &Value) -> String {
    route["receiver"].as_str().unwrap_or(NOBODY).to_owned()
}

#[tokio::test]
async fn every_alert_goes_to_the_receivers_that_alertmanagers_own_tool_names() {
    let folder = TempDir::new().unwrap();
    let tocsin = Tocsin::import(folder.path()).await;
    let mut seen = BTreeSet::new();
    for labels in alerts() {
        let verdict = tocsin.verdict(&labels).await;
        let ours: Vec<_> = verdict["routes"].as_array().unwrap().iter().map(receiver).collect();
        assert_eq!(ours, alertmanager::receivers(&labels).await, "{labels:?}");
        seen.extend(ours);
    }
    assert_eq!(seen.len(), 11, "some route is never taken: {seen:?}");
}

#[tokio::test]
async fn alerts_have_the_same_company_in_the_same_groups() {
    let (folder, alerts) = (TempDir::new().unwrap(), alerts());
    let tocsin = Tocsin::import(folder.path()).await;
    let peer = Alertmanager::start(folder.path()).await;
    peer.post_alerts(&alerts).await;

    let mut groups: BTreeMap<(String, String), Vec<Labels>> = BTreeMap::new();
    for (labels, verdict) in alerts.iter().zip(tocsin.verdicts(&alerts).await) {
        for route in verdict["routes"].as_array().unwrap() {
            let key = (receiver(route), route["group_key"].as_str().unwrap().to_owned());
            groups.entry(key).or_default().push(labels.clone());
        }
    }
    let sorted = |mut alerts: Vec<Labels>| {
        alerts.sort();
        alerts
    };
    let mut ours: Vec<_> = groups.into_iter().map(|((receiver, _), alerts)| (receiver, sorted(alerts))).collect();
    ours.sort();
    assert!(ours.len() > 20 && ours.iter().any(|(_, alerts)| alerts.len() > 3), "{ours:?}");
    poll::until("the same groups", PATIENCE, async || poll::expect(peer.groups().await, |theirs| *theirs == ours))
        .await
        .unwrap();
    peer.stop().await;
}

#[tokio::test]
async fn the_same_alerts_are_inhibited() {
    let (folder, alerts) = (TempDir::new().unwrap(), alerts());
    let tocsin = Tocsin::import(folder.path()).await;
    let peer = Alertmanager::start(folder.path()).await;
    peer.post_alerts(&alerts).await;

    let verdicts = tocsin.verdicts(&alerts).await;
    let lists = verdicts.iter().flat_map(|verdict| verdict["inhibits"].as_object().unwrap().values());
    let offered: BTreeSet<_> = lists.flat_map(|keys| keys.as_array().unwrap()).map(Value::to_string).collect();
    let is_inhibited = |verdict: &Value| {
        verdict["inhibited_by"].as_object().unwrap().values().any(|key| offered.contains(&key.to_string()))
    };
    let ours: BTreeMap<_, _> = alerts.iter().cloned().zip(verdicts.iter().map(is_inhibited)).collect();
    let count = ours.values().filter(|&&is_inhibited| is_inhibited).count();
    assert!(count > 10 && count < ours.len() - 10, "{ours:?}");
    poll::until("the same alerts to be inhibited", PATIENCE, async || {
        let states = peer.states().await.into_iter();
        let theirs: BTreeMap<_, _> = states.map(|(labels, (inhibiting, _))| (labels, inhibiting > 0)).collect();
        poll::expect(theirs, |theirs| *theirs == ours)
    })
    .await
    .unwrap();
    peer.stop().await;
}

#[tokio::test]
async fn the_same_alerts_are_silenced() {
    let (folder, alerts) = (TempDir::new().unwrap(), alerts());
    let peer = Alertmanager::start(folder.path()).await;
    peer.post_alerts(&alerts).await;
    let mut silences = Vec::new();
    for text in [
        r#"team="db""#,
        r#"team=~"db|store",severity!="critical""#,
        r#"alertname="Latency",env="""#,
        r#"alertname=~".+",team!~"web|ops""#,
        r#"instance=~"[a-z]+-\d\d.*""#,
        r#"note=~"(?s)it's .*""#,
        r#"severity=~"crit.*",team=~"caf.""#,
    ] {
        let matchers: Matchers = text.parse().unwrap();
        silences.push((peer.post_silence(&matchers).await, silence(matchers)));
    }

    let at = Utc::now();
    let muting = |labels: &Labels| {
        let muting = silences.iter().filter(|(_, silence)| silence.mutes(labels, at));
        let mut ids: Vec<_> = muting.map(|(id, _)| id.clone()).collect();
        ids.sort();
        ids
    };
    let ours: BTreeMap<_, _> = alerts.iter().map(|labels| (labels.clone(), muting(labels))).collect();
    for (id, silence) in &silences {
        assert!(ours.values().any(|ids| ids.contains(id)), "{} mutes nothing", silence.matchers);
    }
    poll::until("the same alerts to be silenced", PATIENCE, async || {
        let states = peer.states().await.into_iter();
        let theirs: BTreeMap<_, _> = states.map(|(labels, (_, silences))| (labels, silences)).collect();
        poll::expect(theirs, |theirs| *theirs == ours)
    })
    .await
    .unwrap();
    peer.stop().await;
}

/// In force for an hour around now.
fn silence(matchers: Matchers) -> Silence {
    let (created_at, half) = (Utc::now(), TimeDelta::minutes(30));
    let silence = Silence {
        id: SilenceId::generate(),
        matchers,
        starts_at: created_at - half,
        ends_at: created_at + half,
        recurrence: None,
        author: "proof".to_owned(),
        comment: String::new(),
        created_at,
    };
    assert_eq!(silence.check(), Ok(()));
    silence
}
