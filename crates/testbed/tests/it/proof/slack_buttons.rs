//! A click on a button in Slack: from its signature to the incident, the ledger and the answer to whoever clicked.

use std::time::{Duration, Instant, SystemTime};

use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tocsin_testbed::doubles::Recorder;
use tocsin_testbed::poll;

use super::system::{CONFIG, PATIENCE, System, alert};

const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
/// Slack shows a warning after so long.
const SLACKS_PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// RFC 2104, written out here so that nothing of ours proves itself.
fn hmac_sha256(key: &[u8], message: &[u8]) -> String {
    let padded = |pad: u8| (0..BLOCK).map(|index| key.get(index).unwrap_or(&0) ^ pad).collect::<Vec<_>>();
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    hex::encode(Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize())
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
}

/// A system with a Slack app, and where Slack takes answers to clicks.
struct Slack {
    system: System,
    answers: Recorder,
}

impl Slack {
    async fn start() -> Self {
        Self::start_with("").await
    }

    async fn start_with(more: &str) -> Self {
        let answers = Recorder::start().unwrap();
        let slack = format!("slack: {{signing_secret: {SECRET}, response_url_prefix: '{}/'}}", answers.url());
        let config = format!("{CONFIG}{slack}\n{more}");
        let own_stores = more.contains("own stores");
        let system = System::start(|builder| {
            let builder = builder.config_text(config);
            if own_stores { builder.own_stores() } else { builder }
        })
        .await;
        Self { system, answers }
    }

    /// What Slack sends for a click by ada.
    fn click(&self, button: &str, incident: &str, trigger_id: &str) -> String {
        let payload = json!({
            "type": "block_actions", "user": {"id": "U123", "username": "ada"}, "trigger_id": trigger_id,
            "response_url": format!("{}/answer", self.answers.url()),
            "actions": [{"type": "button", "action_id": button, "value": incident, "action_ts": "1548426417.840180"}],
        });
        format!("payload={}", encoded(&payload.to_string()))
    }

    async fn send(&self, body: String, timestamp: u64, signature: Option<&str>) -> (StatusCode, Value) {
        let url = format!("{}/api/v1/slack/interactions", self.system.topology.url());
        let mut request = self
            .system
            .client
            .post(url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("X-Slack-Request-Timestamp", timestamp.to_string());
        if let Some(signature) = signature {
            request = request.header("X-Slack-Signature", signature);
        }
        let response = request.body(body).send().await.unwrap();
        (response.status(), response.json().await.unwrap_or_default())
    }

    async fn send_signed(&self, body: String) -> StatusCode {
        let timestamp = now();
        let proof = format!("v0={}", hmac_sha256(SECRET.as_bytes(), format!("v0:{timestamp}:{body}").as_bytes()));
        self.send(body, timestamp, Some(&proof)).await.0
    }

    /// The texts that whoever clicked was answered, when there are so many.
    async fn answered(&self, count: usize) -> Vec<String> {
        let requests = self.answers.wait_for(count, PATIENCE).await.unwrap();
        let bodies = requests.into_iter().map(|request| request.json().unwrap());
        bodies
            .map(|body| {
                assert_eq!((&body["response_type"], &body["replace_original"]), (&"ephemeral".into(), &false.into()));
                body["text"].as_str().unwrap().to_owned()
            })
            .collect()
    }

    /// The id of the only incident.
    async fn incident(&self) -> String {
        self.system.send(&alert("Down", "firing"), "one").await.unwrap();
        self.system.only_incident("triggered").await["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_click_acknowledges_once_and_is_told_as_what_the_user_did() {
    let slack = Slack::start().await;
    let incident = slack.incident().await;
    for _repeat in 0..3 {
        let begun = Instant::now();
        assert_eq!(slack.send_signed(slack.click("tocsin_acknowledge", &incident, "t1")).await, 200);
        assert!(begun.elapsed() < SLACKS_PATIENCE, "{:?}", begun.elapsed());
    }
    let detail = slack.system.only_incident("acknowledged").await;
    assert_eq!(detail["acknowledged_by"], "ada");
    let last = detail["timeline"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["actor_type"], &last["actor_id"], &last["actor_name"]),
        (&"slack".into(), &"U123".into(), &"ada".into())
    );
    poll::until("the commands to be done", PATIENCE, async || {
        let key = format!("{}:v1:{{0}}:commands", slack.system.topology.tenant().redis_prefix());
        let left = slack.system.topology.tenant().redis(["XLEN", &key]).await.unwrap();
        poll::expect(left, |left| left == "0")
    })
    .await
    .unwrap();
    assert_eq!(slack.system.count("SELECT count(*) FROM commands").await, 1, "a repeat is the same command");
    let told = "SELECT count(*) FROM notifications WHERE kind = 'acknowledged' AND status = 'delivered'";
    poll::until("the notice", PATIENCE, async || poll::expect(slack.system.count(told).await, |count| *count == 1))
        .await
        .unwrap();

    // Another click finds it acknowledged, and only whoever clicked is told so. That is also the proof that the first were
    // not answered beside the message.
    assert_eq!(slack.send_signed(slack.click("tocsin_acknowledge", &incident, "t2")).await, 200);
    assert_eq!(slack.answered(1).await, ["It is acknowledged already."]);
    slack.system.topology.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_not_slacks_own_is_refused_and_does_nothing() {
    let slack = Slack::start().await;
    let incident = slack.incident().await;
    let body = || slack.click("tocsin_resolve", &incident, "t1");
    let proof = |secret: &str, timestamp: u64| {
        format!("v0={}", hmac_sha256(secret.as_bytes(), format!("v0:{timestamp}:{}", body()).as_bytes()))
    };
    let (fresh, old) = (now(), now() - 400);
    for (timestamp, signature) in
        [(fresh, Some(proof("another", fresh))), (old, Some(proof(SECRET, old))), (fresh, None)]
    {
        let (status, problem) = slack.send(body(), timestamp, signature.as_deref()).await;
        assert_eq!((status.as_u16(), &problem["code"]), (401, &"invalid_signature".into()), "{problem}");
    }
    for (body, code) in [("token=1".to_owned(), 400), (slack.click("tocsin_resolve", "12", "t1"), 400)] {
        assert_eq!(slack.send_signed(body).await, code);
    }
    assert_eq!(slack.send_signed(slack.click("another_button", &incident, "t1")).await, 200, "authentic, and not ours");
    slack.system.only_incident("triggered").await;
    assert_eq!(slack.system.count("SELECT count(*) FROM commands").await, 0);
    slack.system.topology.stop().await.unwrap();
}

#[tokio::test]
async fn whoever_clicks_in_vain_is_told_why() {
    let slack = Slack::start().await;
    let incident = slack.incident().await;
    let unknown = "01990a3e-0000-7000-8000-000000000001";
    assert_eq!(slack.send_signed(slack.click("tocsin_acknowledge", unknown, "t1")).await, 200);
    assert_eq!(slack.answered(1).await, ["That is not possible: there is no such incident."]);
    assert_eq!(slack.send_signed(slack.click("tocsin_resolve", &incident, "t2")).await, 200);
    slack.system.only_incident("resolved").await;
    assert_eq!(slack.send_signed(slack.click("tocsin_acknowledge", &incident, "t3")).await, 200);
    assert_eq!(slack.answered(2).await[1], "That is not possible: it is resolved; reopen it first.");
    slack.system.topology.stop().await.unwrap();
}

#[tokio::test]
async fn a_click_silences_the_incident_for_an_hour_and_the_incident_says_so() {
    let slack = Slack::start().await;
    let incident = slack.incident().await;
    assert_eq!(slack.send_signed(slack.click("tocsin_silence_1h", &incident, "t1")).await, 200);
    assert!(slack.answered(1).await[0].starts_with("Silenced for 1 h"));
    let silences = slack.system.get("/api/v1/silences").await;
    assert_eq!((&silences["total"], &silences["data"][0]["author"]), (&1.into(), &"ada".into()), "{silences}");
    let detail = slack.system.only_incident("triggered").await;
    assert_eq!(detail["timeline"].as_array().unwrap().last().unwrap()["content"], "Silenced for 1 h by ada");
    let told = "SELECT count(*) FROM notifications WHERE kind = 'updated' AND status = 'delivered'";
    poll::until("the message to be edited", PATIENCE, async || {
        poll::expect(slack.system.count(told).await, |count| *count == 1)
    })
    .await
    .unwrap();
    slack.system.assert_consistent().await;
    slack.system.topology.stop().await.unwrap();
}

#[tokio::test]
async fn while_redis_is_away_slack_is_told_so_within_its_patience() {
    let slack = Slack::start_with("# own stores").await;
    let incident = slack.incident().await;
    slack.system.topology.stores().unwrap().redis().process().stop().await.unwrap();
    let begun = Instant::now();
    let status = slack.send_signed(slack.click("tocsin_acknowledge", &incident, "t1")).await;
    assert_eq!(status, 503);
    assert!(begun.elapsed() < SLACKS_PATIENCE, "{:?}", begun.elapsed());
    slack.system.topology.stop().await.unwrap();
}

#[tokio::test]
async fn without_a_slack_app_there_is_nothing_to_click() {
    let system = System::start(|builder| builder).await;
    let url = format!("{}/api/v1/slack/interactions", system.topology.url());
    let response = system.client.post(url).body("payload=%7B%7D").send().await.unwrap();
    assert_eq!(response.status(), 404);
    system.topology.stop().await.unwrap();
}
