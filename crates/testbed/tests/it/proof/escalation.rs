//! What nobody takes is told to further receivers, step by step, whatever becomes of the workers.

use std::collections::BTreeMap;
use std::time::Duration;

use tocsin_testbed::doubles::Recorder;
use tocsin_testbed::poll;

use super::system::{PATIENCE, System, alert};

/// How often the worker is killed while the second step is waited for.
const KILLS: usize = 4;
/// Time between two kills of the worker: long enough to start, and all of them less than the time between the two steps.
const PAUSE: Duration = Duration::from_millis(700);
const CONFIG: &str = "
route:
  receiver: ops
  repeat_interval: 2s
  escalation: [{after: 1s, receivers: [lead]}, {after: 4s, receivers: [cto, ops]}, {after: 1h, receivers: [board]}]
receivers:
  - {name: ops, slack: {webhook_url_env: TOCSIN_SLACK_WEBHOOK_URL}}
  - {name: lead, slack: {webhook_url_env: LEAD_URL}}
  - {name: cto, slack: {webhook_url_env: CTO_URL}}
  - {name: board, slack: {webhook_url_env: BOARD_URL}}
api: {tokens: [{name: test, scopes: [read, respond], sha256_env: TOCSIN_DEMO_TOKEN_SHA256}]}
";

impl System {
    async fn notices(&self, kind: &str) -> Vec<String> {
        let rows = format!("SELECT receiver FROM notifications WHERE kind = '{kind}' ORDER BY revision, receiver");
        self.topology.tenant().sql(&rows).await.unwrap().concat()
    }
}

#[tokio::test]
async fn each_step_is_told_once_though_workers_are_killed_between_them_and_it_stops_when_somebody_takes_it() {
    let others = Recorder::start().unwrap();
    let url = |name: &str| format!("{}/{name}", others.url());
    let (lead, cto, board) = (url("lead"), url("cto"), url("board"));
    let system = System::start(|builder| {
        builder.config_text(CONFIG).env("LEAD_URL", lead).env("CTO_URL", cto).env("BOARD_URL", board)
    })
    .await;
    system.send(&alert("Down", "firing"), "one").await.unwrap();
    let worker = system.topology.process("worker-1").unwrap();
    poll::until("the first step", PATIENCE, async || {
        poll::expect(system.notices("escalated").await, |told| !told.is_empty())
    })
    .await
    .unwrap();
    for _ in 0..KILLS {
        worker.kill().await.unwrap();
        worker.start().await.unwrap();
        // A time in which it may or may not get to its duties.
        tokio::time::sleep(PAUSE).await;
    }
    poll::until("the second step", PATIENCE, async || {
        poll::expect(system.notices("escalated").await, |told| told.len() == 3)
    })
    .await
    .unwrap();
    system.topology.wait_ready("worker-1").await.unwrap();
    assert_eq!(system.notices("escalated").await, ["lead", "cto", "ops"]);

    let url = format!("{}/api/v1/incidents/1/acknowledge", system.topology.url());
    let answer = system.client.post(url).bearer_auth(system.topology.token()).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    let incident = system.only_incident("acknowledged").await;
    assert_eq!(system.notices("acknowledged").await, ["cto", "lead", "ops"], "whoever was told, once each");
    let timeline = incident["timeline"].as_array().unwrap();
    let told =
        |entry: &serde_json::Value| entry["content"].as_str().unwrap().rsplit("; told ").next().unwrap().to_owned();
    let steps: Vec<_> = timeline.iter().filter(|entry| entry["type"] == "incident_escalated").map(told).collect();
    assert_eq!(steps, ["lead", "cto, ops"]);
    let reminded = system.notices("reminder").await;
    assert!(!reminded.is_empty() && reminded.iter().all(|receiver| receiver == "ops"), "{reminded:?}");
    let reminders = timeline.iter().filter(|entry| entry["type"] == "incident_reminded").count();
    assert_eq!(reminders, reminded.len(), "each is in the timeline");
    let waits = "SELECT count(*) FROM incidents WHERE escalate_at IS NOT NULL OR remind_at IS NOT NULL";
    assert_eq!(system.count(waits).await, 0, "nothing is waited for any more");

    system.send(&alert("Down", "resolved"), "two").await.unwrap();
    system.wait_until_drained().await;
    poll::until("every notice to be delivered", PATIENCE, async || {
        let open = system.count("SELECT count(*) FROM notifications WHERE status IN ('pending', 'sending')").await;
        poll::expect(open, |open| *open == 0)
    })
    .await
    .unwrap();
    assert_eq!(system.notices("reminder").await, reminded, "none after somebody took it");
    let mut received: BTreeMap<String, usize> = BTreeMap::new();
    for request in others.requests() {
        *received.entry(request.path).or_default() += 1;
    }
    let expected = BTreeMap::from([("/cto".to_owned(), 3), ("/lead".to_owned(), 3)]);
    assert_eq!(received, expected, "escalated, acknowledged and resolved; and nobody of the board");
    system.topology.stop().await.unwrap();
}
