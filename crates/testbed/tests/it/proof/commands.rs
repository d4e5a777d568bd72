//! What a responder asks for reaches the worker and comes back, on a way of its own.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tocsin_testbed::{http, poll};

use super::system::{PATIENCE, System, alert};

/// How long the api waits for the worker.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(2);

/// Deliveries that wait: more than a worker applies while a command is under way.
const BACKLOG: usize = 30_000;
/// Appends `ARGV[1]` deliveries of the alerts in `ARGV[2]`.
const FILL: &str = "for i = 1, tonumber(ARGV[1]) do redis.call('XADD', KEYS[1], '*', 'v', '1', \
    'id', string.format('%08x-0000-7000-8000-000000000000', i), 'received_at', '2026-01-01T00:00:00Z', \
    'source', 'generic', 'integration', 'default', 'body', ARGV[2]) end";

impl System {
    /// Sends an action on the incident with the number 1; gives the status and the answer.
    async fn act(&self, action: &str) -> (StatusCode, Value) {
        let url = format!("{}/api/v1/incidents/1/{action}", self.topology.url());
        let response = self.client.post(url).bearer_auth(self.topology.token()).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// The key of a stream.
    fn key(&self, stream: &str) -> String {
        format!("{}:v1:{{0}}:{stream}", self.topology.tenant().redis_prefix())
    }

    /// How many entries there are on a stream that are not acknowledged.
    async fn left(&self, stream: &str) -> usize {
        let length = self.topology.tenant().redis(["XLEN", &self.key(stream)]).await;
        length.unwrap().parse().unwrap()
    }
}

#[tokio::test]
async fn the_worker_answers_a_responder_and_not_the_clock() {
    let system = System::start(|builder| builder).await;
    system.send(&alert("Down", "firing"), "one").await.unwrap();
    system.only_incident("triggered").await;
    let begun = Instant::now();
    let (status, answer) = system.act("acknowledge").await;
    assert!(status != StatusCode::ACCEPTED && !status.is_server_error(), "{status}: {answer}");
    assert!(begun.elapsed() < OUTCOME_TIMEOUT, "{:?}", begun.elapsed());
    poll::until("the command to be acknowledged", PATIENCE, async || {
        poll::expect(system.left("commands").await, |left| *left == 0)
    })
    .await
    .unwrap();
    let metrics = http::client().unwrap().get(format!("{}/metrics", system.topology.service_url("worker-1").unwrap()));
    let page = metrics.send().await.unwrap().text().await.unwrap();
    assert!(page.contains(r#"tocsin_worker_commands_total{action="acknowledge""#), "{page}");
    system.topology.stop().await.unwrap();
}

#[tokio::test]
async fn a_command_that_was_accepted_while_no_worker_ran_is_settled_by_the_next_one() {
    let system = System::start(|builder| builder).await;
    system.send(&alert("Down", "firing"), "one").await.unwrap();
    system.only_incident("triggered").await;
    system.topology.process("worker-1").unwrap().kill().await.unwrap();
    let (status, answer) = system.act("acknowledge").await;
    assert_eq!((status, &answer["status"]), (StatusCode::ACCEPTED, &"accepted".into()));
    assert_eq!(system.left("commands").await, 1);
    system.topology.process("worker-1").unwrap().start().await.unwrap();
    poll::until("the command to be acknowledged", PATIENCE, async || {
        poll::expect(system.left("commands").await, |left| *left == 0)
    })
    .await
    .unwrap();
    system.topology.stop().await.unwrap();
}

#[tokio::test]
async fn a_command_that_cannot_be_read_is_kept_with_its_reason_and_stops_nothing() {
    let system = System::start(|builder| builder).await;
    system.send(&alert("Down", "firing"), "one").await.unwrap();
    system.only_incident("triggered").await;
    let tenant = system.topology.tenant();
    let key = system.key("commands");
    let id = |last: u8| format!("01890000-0000-7000-8000-0000000000{last:02}");
    let actor = json!({"kind": "token", "id": "t", "name": "t"}).to_string();
    for (version, last, action) in [("99", 1, "{}"), ("1", 2, r#"{"do":"explode"}"#), ("1", 3, "not JSON")] {
        let (at, id) = ("2026-01-01T00:00:00Z", id(last));
        let fields = ["v", version, "id", &id, "at", at, "actor", &actor, "action", action];
        tenant.redis(["XADD", &key, "*"].into_iter().chain(fields)).await.unwrap();
    }
    let (status, answer) = system.act("acknowledge").await;
    assert!(status != StatusCode::ACCEPTED && !status.is_server_error(), "{status}: {answer}");
    let sql = "SELECT fields->>'id', stream, reason FROM dead_letters ORDER BY 1";
    let letters = poll::until("the dead letters", PATIENCE, async || {
        poll::expect(tenant.sql(sql).await.unwrap(), |letters| letters.len() == 3)
    });
    let letters = letters.await.unwrap();
    for (letter, (last, reason)) in letters.iter().zip([(1, "version \"99\""), (2, "explode"), (3, "`action`")]) {
        assert_eq!((letter[0].as_str(), letter[1].as_str()), (id(last).as_str(), "commands"));
        assert!(letter[2].contains(reason), "{letter:?}");
    }
    system.topology.stop().await.unwrap();
}

#[tokio::test]
async fn a_command_overtakes_the_alerts_that_wait() {
    let system = System::start_alone(|builder| builder).await;
    system.send(&alert("Down", "firing"), "one").await.unwrap();
    system.only_incident("triggered").await;
    let worker = system.topology.process("worker-1").unwrap();
    worker.stop().await.unwrap();
    let body = json!({"alerts": [{
        "fingerprint": "0123456789abcdef", "status": "firing", "severity": "critical", "title": "Storm",
        "labels": {"alertname": "Storm"}, "started_at": "2026-01-01T00:00:00Z", "event_at": "2026-01-01T00:00:00Z",
    }]});
    let (count, body) = (BACKLOG.to_string(), body.to_string());
    let fill = ["EVAL", FILL, "1", &system.key("events"), &count, &body];
    system.topology.tenant().redis(fill).await.unwrap();
    worker.start().await.unwrap();
    poll::until("the worker to work off what waits", PATIENCE, async || {
        poll::expect(system.left("events").await, |left| *left < BACKLOG)
    })
    .await
    .unwrap();

    let (status, answer) = system.act("acknowledge").await;
    assert!(status != StatusCode::ACCEPTED && !status.is_server_error(), "{status}: {answer}");
    let left = system.left("events").await;
    assert!(left > BACKLOG / 4, "only {left} still wait, which proves nothing");
    system.wait_until_drained().await;
    system.topology.stop().await.unwrap();
}
