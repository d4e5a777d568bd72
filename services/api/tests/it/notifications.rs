//! The ledger, as scripts and operators see it, and another try for what is dead.

use reqwest::Method;
use serde_json::{Value, json};
use tocsin_shared::ledger::{DeadNotices, MAX_DEAD_NOTICES};
use tocsin_shared::{Action, CommandOutcome, NotificationId};

use crate::api::{ADMIN, Api, READER, RESPONDER, alone, problem};
use crate::worker::Worker;

/// A dead notice to `ops` and a delivered one to `mail`, of the incident with the number 1.
const NOTICES: &str = "\
INSERT INTO notifications (id, incident_id, receiver, revision, kind, status, reason, trace, attempts, created_at, finished_at, \
    instead_of, because) \
SELECT x.id::uuid, incidents.id, receiver, 1, kind, x.status, reason, '', 3, '2026-01-01T00:00:01Z', '2026-01-01T00:01:00Z', \
    instead_of, because \
FROM incidents, (VALUES \
    ('01990a3e-0000-7000-8000-000000000001', 'ops', 'triggered', 'dead', 'no such channel', '', NULL), \
    ('01990a3e-0000-7000-8000-000000000002', 'mail', 'undelivered', 'delivered', NULL, 'ops', 'no such channel')) \
    AS x (id, receiver, kind, status, reason, instead_of, because) \
WHERE number = 1";
const ATTEMPTS: &str = "\
INSERT INTO deliveries (notification_id, attempt, at, latency_ms, http_status, answer) VALUES \
    ('01990a3e-0000-7000-8000-000000000001', 1, '2026-01-01T00:00:02Z', 12, NULL, 'connection refused'), \
    ('01990a3e-0000-7000-8000-000000000001', 2, '2026-01-01T00:00:05Z', 15, 404, 'channel_not_found')";
const DEAD: &str = "01990a3e-0000-7000-8000-000000000001";

async fn with_notices() -> Api {
    let api = Api::start().await;
    api.apply(&alone(2)).await;
    for statement in [NOTICES, ATTEMPTS] {
        api.topology.tenant().sql(statement).await.unwrap();
    }
    api
}

async fn receivers(api: &Api, path: &str) -> Vec<String> {
    let list = api.read(path).await;
    list["data"].as_array().unwrap().iter().map(|notice| notice["receiver"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_ledger_is_listed_by_fate_receiver_and_incident() {
    let api = with_notices().await;
    for (query, expected) in [
        ("", vec!["mail", "ops"]),
        ("?status=dead", vec!["ops"]),
        ("?receiver=mail", vec!["mail"]),
        ("?incident=1", vec!["mail", "ops"]),
        ("?incident=2", vec![]),
        ("?status=pending", vec![]),
        ("?limit=1", vec!["mail"]),
    ] {
        assert_eq!(receivers(&api, &format!("/api/v1/notifications{query}")).await, expected, "{query}");
    }
    assert_eq!(receivers(&api, "/api/v1/incidents/1/notifications?status=dead").await, ["ops"]);
    assert_eq!(receivers(&api, "/api/v1/incidents/2/notifications").await, Vec::<String>::new());
    let mut list = api.read("/api/v1/notifications?limit=1").await;
    let next = list["next_cursor"].as_str().unwrap();
    assert_eq!(receivers(&api, &format!("/api/v1/notifications?cursor={next}")).await, ["ops"]);
    list["data"][0]["incident_id"] = "[id]".into();
    insta::assert_json_snapshot!(list);
    for path in ["/api/v1/notifications?status=lost", "/api/v1/notifications?colour=red"] {
        problem(api.get_as(READER, path).await, 400, "invalid_parameter").await;
    }
    for path in ["/api/v1/notifications?incident=9", "/api/v1/incidents/9/notifications", "/api/v1/notifications/9"] {
        problem(api.get_as(READER, path).await, 404, "not_found").await;
    }
}

#[tokio::test]
async fn a_notice_is_shown_with_each_attempt() {
    let api = with_notices().await;
    let mut detail = api.read(&format!("/api/v1/notifications/{DEAD}")).await;
    detail["incident_id"] = "[id]".into();
    insta::assert_json_snapshot!(detail);
}

#[tokio::test]
async fn what_is_dead_is_driven_again_one_by_one_or_by_a_filter() {
    let api = with_notices().await;
    let worker =
        Worker::start(&api, |_| CommandOutcome::Done { incident: None, silence: None, changed: true, count: Some(2) });
    let post = async |token: &str, path: &str, body: &Value| api.act_as(token, Method::POST, path, Some(body)).await;
    let one = format!("/api/v1/notifications/{DEAD}/redrive");
    let many = "/api/v1/notifications/redrive";
    for path in [one.as_str(), many] {
        problem(post(RESPONDER, path, &json!({})).await, 403, "insufficient_scope").await;
    }
    let unknown = format!("/api/v1/notifications/{}/redrive", NotificationId::generate());
    problem(post(ADMIN, &unknown, &json!({})).await, 404, "not_found").await;
    for body in
        [json!({"limit": 0}), json!({"limit": MAX_DEAD_NOTICES + 1}), json!({"receiver": ""}), json!({"who": "x"})]
    {
        problem(post(ADMIN, many, &body).await, 400, "invalid_payload").await;
    }
    assert_eq!(worker.take_seen(), [], "nothing was asked for");

    let matching = |receiver: Option<&str>, since: Option<&str>, limit| DeadNotices::Matching {
        receiver: receiver.map(str::to_owned),
        since: since.map(|since| since.parse().unwrap()),
        limit,
    };
    let since = "2026-01-01T00:00:00Z";
    for (path, body, notices) in [
        (one.as_str(), json!({}), DeadNotices::These(vec![DEAD.parse().unwrap()])),
        (many, json!({}), matching(None, None, MAX_DEAD_NOTICES)),
        (many, json!({"receiver": "ops", "since": since, "limit": 5}), matching(Some("ops"), Some(since), 5)),
    ] {
        let response = post(ADMIN, path, &body).await;
        assert_eq!(response.status(), 200);
        let answer: Value = response.json().await.unwrap();
        let command = worker.take_seen().remove(0);
        assert_eq!(command.action, Action::RedriveNotices { notices });
        assert_eq!(answer, json!({"command_id": command.id, "status": "done", "changed": true, "count": 2}));
    }
}

#[tokio::test]
async fn an_incident_is_silenced_for_a_time() {
    let api = with_notices().await;
    let worker = Worker::doing(&api, None);
    let incident = api.read("/api/v1/incidents/1").await["id"].as_str().unwrap().parse().unwrap();
    let path = "/api/v1/incidents/1/silence";
    let response = api.post(path, &json!({"duration": "1h30m"})).await;
    assert_eq!(response.status(), 201);
    assert_eq!(worker.take_seen().remove(0).action, Action::SilenceIncident { incident, duration_s: 5_400 });
    for body in [json!({}), json!({"duration": "soon"}), json!({"duration": "1s"}), json!({"duration": "31d"})] {
        problem(api.post(path, &body).await, 400, "invalid_payload").await;
    }
    problem(api.post("/api/v1/incidents/9/silence", &json!({"duration": "1h"})).await, 404, "not_found").await;
    problem(api.act_as(READER, Method::POST, path, None).await, 403, "insufficient_scope").await;
}
