//! What responders do, as it reaches the worker and as they are answered.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tocsin_bus::{Consumer, Stream};
use tocsin_shared::{
    Action, ActorKind, Command, CommandOutcome, ErrorCode, IncidentId, IncidentSeverity, IncidentStatus,
};
use tocsin_testbed::poll;
use tocsin_testbed::topology::TopologyBuilder;

use crate::api::{ADMIN, Api, DEADLINE, READER, RESPONDER, alone, problem};
use crate::worker::{Worker, bus};

/// How long the api waits for an outcome.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(2);

impl Api {
    /// What a caller with this token is answered; no body unless it is given.
    pub(crate) async fn act_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> reqwest::Response {
        let request = self.client.request(method, self.url(path)).bearer_auth(token);
        body.into_iter().fold(request, reqwest::RequestBuilder::json).send().await.unwrap()
    }

    /// What a responder is answered.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        self.act_as(RESPONDER, Method::POST, path, Some(body)).await
    }

    /// An api with one open incident, of the number 1.
    async fn with_incident() -> (Self, IncidentId) {
        let api = Self::start().await;
        api.apply(&alone(1)).await;
        let id = api.read("/api/v1/incidents/1").await["id"].as_str().unwrap().parse().unwrap();
        (api, id)
    }
}

async fn json_of(response: reqwest::Response, status: u16) -> Value {
    let seen = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    assert_eq!(seen, status, "{body}");
    body
}

#[tokio::test]
async fn each_action_reaches_the_worker_and_is_answered_with_the_incident() {
    let (api, incident) = Api::with_incident().await;
    let worker = Worker::doing(&api, Some(incident));
    let (create, change) = (Method::POST, Method::PATCH);
    let note = Some("it was the disk".to_owned());
    for (method, suffix, body, expected) in [
        (&create, "/acknowledge", None, Action::Acknowledge { incident }),
        (&create, "/acknowledge", Some(json!({})), Action::Acknowledge { incident }),
        (&create, "/resolve", None, Action::Resolve { incident, note: None }),
        (&create, "/resolve", Some(json!({"note": note})), Action::Resolve { incident, note: note.clone() }),
        (&create, "/cancel", Some(json!({"note": note})), Action::Cancel { incident, note: note.clone() }),
        (&create, "/reopen", None, Action::Reopen { incident }),
        (&create, "/notes", Some(json!({"text": "ü"})), Action::Note { incident, text: "ü".to_owned() }),
        (&change, "", Some(json!({"status": "acknowledged"})), Action::Acknowledge { incident }),
        (&change, "", Some(json!({"status": "resolved"})), Action::Resolve { incident, note: None }),
        (&change, "", Some(json!({"status": "canceled"})), Action::Cancel { incident, note: None }),
        (&change, "", Some(json!({"status": "triggered"})), Action::Reopen { incident }),
        (
            &change,
            "",
            Some(json!({"severity": "high"})),
            Action::SetSeverity { incident, severity: IncidentSeverity::High },
        ),
    ] {
        for name in ["1", &incident.to_string()] {
            let path = format!("/api/v1/incidents/{name}{suffix}");
            let answer = json_of(api.act_as(RESPONDER, method.clone(), &path, body.as_ref()).await, 200).await;
            assert_eq!((&answer["incident_number"], &answer["id"]), (&1.into(), &json!(incident)), "{path}");
            let actions: Vec<Action> = worker.take_seen().into_iter().map(|command| command.action).collect();
            assert_eq!(actions, std::slice::from_ref(&expected), "{path}");
        }
    }
}

#[tokio::test]
async fn the_answer_shows_what_the_worker_has_made_of_the_incident() {
    let (api, incident) = Api::with_incident().await;
    let before = api.read("/api/v1/incidents/1").await;
    let sql = "UPDATE incidents SET status = 'acknowledged', acknowledged_by = 'Ann', version = version + 1";
    let done = CommandOutcome::Done { incident: Some(incident), silence: None, changed: true, count: None };
    let _worker = Worker::start_after(&api, sql, move |_| done.clone());
    let answer = json_of(api.post("/api/v1/incidents/1/acknowledge", &json!({})).await, 200).await;
    assert_eq!((&before["status"], &answer["status"]), (&"triggered".into(), &"acknowledged".into()));
    assert_eq!(answer["acknowledged_by"], "Ann");
    assert!(answer["version"].as_i64() > before["version"].as_i64());
}

#[tokio::test]
async fn a_change_of_both_status_and_severity_is_two_actions_in_the_order_in_which_both_are_possible() {
    let (api, incident) = Api::with_incident().await;
    let worker = Worker::doing(&api, Some(incident));
    for (status, severity_first) in [
        (IncidentStatus::Resolved, true),
        (IncidentStatus::Canceled, true),
        (IncidentStatus::Triggered, false),
        (IncidentStatus::Acknowledged, false),
    ] {
        let body = json!({"status": status, "severity": "low"});
        json_of(api.act_as(RESPONDER, Method::PATCH, "/api/v1/incidents/1", Some(&body)).await, 200).await;
        let seen = worker.take_seen();
        assert_eq!(seen.len(), 2, "{status}");
        let is_severity = |command: &Command| matches!(command.action, Action::SetSeverity { .. });
        assert_eq!((is_severity(&seen[0]), is_severity(&seen[1])), (severity_first, !severity_first), "{status}");
    }
}

#[tokio::test]
async fn an_incident_is_declared_by_hand() {
    let (api, incident) = Api::with_incident().await;
    let worker = Worker::doing(&api, Some(incident));
    let body = json!({"title": "The site is down", "severity": "critical", "labels": {"team": "web"}});
    let answer = json_of(api.post("/api/v1/incidents", &body).await, 201).await;
    assert_eq!(answer["id"], json!(incident), "the incident that the worker names");
    let Action::Declare { title, summary, severity, labels } = worker.take_seen().remove(0).action else {
        panic!("another action");
    };
    assert_eq!((title.as_str(), summary, severity), ("The site is down", None, IncidentSeverity::Critical));
    assert_eq!(labels["team"], "web");
}

#[tokio::test]
async fn what_the_worker_rejects_is_told_in_its_words() {
    let (api, _incident) = Api::with_incident().await;
    let detail = "incident 1 is resolved; reopen it first";
    let worker = Worker::rejecting(&api, ErrorCode::InvalidTransition, detail);
    let response = api.post("/api/v1/incidents/1/acknowledge", &json!({})).await;
    assert_eq!(problem(response, 409, "invalid_transition").await["detail"], detail);
    let both = json!({"status": "acknowledged", "severity": "low"});
    let response = api.act_as(RESPONDER, Method::PATCH, "/api/v1/incidents/1", Some(&both)).await;
    problem(response, 409, "invalid_transition").await;
    assert_eq!(worker.take_seen().len(), 2, "after a rejection nothing more is asked for");
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_before_anything_is_asked_for() {
    let (api, incident) = Api::with_incident().await;
    let worker = Worker::doing(&api, Some(incident));
    let nobody = IncidentId::generate();
    for path in [
        "/api/v1/incidents/2/acknowledge".to_owned(),
        "/api/v1/incidents/one/reopen".to_owned(),
        format!("/api/v1/incidents/{nobody}/resolve"),
        format!("/api/v1/silences/{nobody}/end"),
        "/api/v1/silences/1/end".to_owned(),
    ] {
        problem(api.act_as(RESPONDER, Method::POST, &path, None).await, 404, "not_found").await;
    }
    let silence = format!("/api/v1/silences/{nobody}");
    problem(api.act_as(RESPONDER, Method::DELETE, &silence, None).await, 404, "not_found").await;
    problem(api.get_as(READER, &silence).await, 404, "not_found").await;
    let body = json!({"status": "resolved"});
    let response = api.act_as(RESPONDER, Method::PATCH, "/api/v1/incidents/2", Some(&body)).await;
    problem(response, 404, "not_found").await;
    problem(api.act_as(ADMIN, Method::POST, "/api/v1/dead-letters/one/redrive", None).await, 404, "not_found").await;
    assert_eq!(worker.take_seen(), []);
}

#[tokio::test]
async fn without_a_worker_a_command_is_accepted_after_a_while_and_waits_for_one() {
    let (api, incident) = Api::with_incident().await;
    let begun = Instant::now();
    let answer = json_of(api.post("/api/v1/incidents/1/acknowledge", &json!({})).await, 202).await;
    let took = begun.elapsed();
    assert!(took >= OUTCOME_TIMEOUT && took < OUTCOME_TIMEOUT + DEADLINE / 2, "{took:?}");
    assert_eq!(answer["status"], "accepted");

    let consumer = Consumer::new(&bus(&api), Stream::Commands, "worker", "late").unwrap();
    let read = poll::until("the command", DEADLINE, async || {
        let batch = consumer.read(10, Duration::from_millis(100)).await.unwrap();
        batch.entries().first().map(|entry| Command::from_fields(&entry.fields).unwrap())
    });
    let command = read.await.unwrap();
    assert_eq!((json!(command.id), command.action), (answer["command_id"].clone(), Action::Acknowledge { incident }));
}

#[tokio::test]
async fn while_redis_is_stopped_acting_is_unavailable_and_reading_goes_on() {
    let api = Api::start_as(TopologyBuilder::own_stores).await;
    api.apply(&alone(1)).await;
    let redis = api.topology.stores().unwrap().redis();
    redis.process().stop().await.unwrap();
    let begun = Instant::now();
    let response = api.post("/api/v1/incidents/1/acknowledge", &json!({})).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(response.headers()["retry-after"], "1");
    let document = problem(response, 503, "redis_unavailable").await;
    assert!(document.get("detail").is_none(), "no internals: {document}");
    assert_eq!(api.read("/api/v1/incidents").await["total"], 1);

    redis.process().start().await.unwrap();
    redis.wait_ready().await.unwrap();
    let _worker = Worker::rejecting(&api, ErrorCode::InvalidTransition, "as it is");
    poll::until("acting to be possible again", DEADLINE, async || {
        let response = api.post("/api/v1/incidents/1/acknowledge", &json!({})).await;
        poll::expect(response.status().as_u16(), |status| *status == 409)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_repeat_under_the_same_key_is_the_same_command_and_is_answered_the_same() {
    let (api, incident) = Api::with_incident().await;
    let worker = Worker::doing(&api, Some(incident));
    let act = async |token: &str, path: &str, key: &str| {
        let request = api.client.post(api.url(path)).bearer_auth(token).header("Idempotency-Key", key);
        let answer = json_of(request.send().await.unwrap(), 200).await;
        (worker.take_seen().remove(0).id, answer)
    };
    let acknowledge = "/api/v1/incidents/1/acknowledge";
    let first = act(RESPONDER, acknowledge, "k1").await;
    assert_eq!(act(RESPONDER, acknowledge, "k1").await, first);
    for (token, path, key) in
        [(RESPONDER, acknowledge, "k2"), (ADMIN, acknowledge, "k1"), (RESPONDER, "/api/v1/incidents/1/reopen", "k1")]
    {
        assert_ne!(act(token, path, key).await.0, first.0, "{token} {path} {key}");
    }
    let long = "x".repeat(256);
    let request = api.client.post(api.url(acknowledge)).bearer_auth(RESPONDER).header("Idempotency-Key", long);
    let document = problem(request.send().await.unwrap(), 400, "bad_request").await;
    assert!(document["detail"].as_str().unwrap().contains("idempotency-key"), "{document}");
}

#[tokio::test]
async fn who_acts_and_in_which_trace_goes_along() {
    let (api, incident) = Api::with_incident().await;
    let worker = Worker::doing(&api, Some(incident));
    let path = api.url("/api/v1/incidents/1/acknowledge");
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = api.client.post(&path).bearer_auth(RESPONDER).header("traceparent", trace);
    assert_eq!(request.header("X-Tocsin-Actor", "Jürgen").send().await.unwrap().status(), 200);
    json_of(api.post("/api/v1/incidents/1/acknowledge", &json!({})).await, 200).await;
    let [named, unnamed] = worker.take_seen().try_into().unwrap();
    assert_eq!((named.actor.kind, named.actor.id.as_str()), (ActorKind::Token, RESPONDER));
    assert_eq!(named.actor.name, format!("Jürgen via {RESPONDER}"));
    assert_eq!(named.trace.trace_id(), trace.parse::<tocsin_shared::TraceContext>().unwrap().trace_id());
    assert_eq!((unnamed.actor.id.as_str(), unnamed.actor.name.as_str()), (RESPONDER, RESPONDER));

    let request = api.client.post(&path).bearer_auth(RESPONDER).header("X-Tocsin-Actor", "x".repeat(101));
    let document = problem(request.send().await.unwrap(), 400, "bad_request").await;
    assert!(document["detail"].as_str().unwrap().contains("x-tocsin-actor"), "{document}");
}

#[tokio::test]
async fn acting_takes_the_scope_to_respond_and_driving_dead_letters_again_takes_all() {
    let (api, incident) = Api::with_incident().await;
    let worker = Worker::doing(&api, Some(incident));
    let declaration = json!({"title": "t", "severity": "low"});
    let silence = json!({"matchers": ["a=b"], "ends_at": "2100-01-01T00:00:00Z"});
    for (method, path, body) in [
        (Method::POST, "/api/v1/incidents", Some(&declaration)),
        (Method::PATCH, "/api/v1/incidents/1", Some(&declaration)),
        (Method::POST, "/api/v1/incidents/1/acknowledge", None),
        (Method::POST, "/api/v1/incidents/1/resolve", None),
        (Method::POST, "/api/v1/incidents/1/cancel", None),
        (Method::POST, "/api/v1/incidents/1/reopen", None),
        (Method::POST, "/api/v1/incidents/1/notes", None),
        (Method::POST, "/api/v1/silences", Some(&silence)),
        (Method::POST, "/api/v1/silences/1/end", None),
        (Method::DELETE, "/api/v1/silences/1", None),
        (Method::POST, "/api/v1/dead-letters/1/redrive", None),
    ] {
        problem(api.act_as(READER, method.clone(), path, body).await, 403, "insufficient_scope").await;
        problem(api.act_as("token-of-nobody", method.clone(), path, body).await, 401, "invalid_token").await;
        let bare = api.client.request(method, api.url(path)).send().await.unwrap();
        problem(bare, 401, "missing_token").await;
    }
    let redrive = "/api/v1/dead-letters/7/redrive";
    problem(api.act_as(RESPONDER, Method::POST, redrive, None).await, 403, "insufficient_scope").await;
    assert_eq!(worker.take_seen(), [], "nobody was allowed anything");

    let answer = json_of(api.act_as(ADMIN, Method::POST, redrive, None).await, 200).await;
    let command = worker.take_seen().remove(0);
    assert_eq!(command.action, Action::Redrive { dead_letters: vec![7] });
    assert_eq!(answer, json!({"command_id": command.id, "status": "done", "changed": true}));
    problem(api.get_as(RESPONDER, "/api/v1/silences").await, 403, "insufficient_scope").await;
}
