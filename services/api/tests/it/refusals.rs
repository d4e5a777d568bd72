//! Bodies of actions that cannot be meant, and lists beside incidents.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tocsin_shared::{Action, AlertStatus, CommandOutcome, SilenceId};

use crate::api::{Api, READER, RESPONDER, delivery, problem};
use crate::worker::Worker;

#[tokio::test]
async fn a_body_that_cannot_be_meant_is_refused_by_its_field_and_nothing_is_asked_for() {
    let api = Api::start().await;
    api.apply(&[delivery("Down", "one", AlertStatus::Firing, 1)]).await;
    let worker = Worker::doing(&api, None);
    let (incidents, incident, silences) = ("/api/v1/incidents", "/api/v1/incidents/1", "/api/v1/silences");
    let of = |action: &str| format!("{incident}/{action}");
    let silence = |field: &str, value: Value| {
        let mut body = json!({"matchers": ["a=b"], "ends_at": "2100-01-01T00:00:00Z", "comment": "c"});
        body[field] = value;
        body
    };
    let long = "x".repeat(16_385);
    for (path, body, told) in [
        (of("acknowledge"), json!({"note": "x"}), "`note`"),
        (of("resolve"), json!({"reason": "x"}), "`reason`"),
        (of("resolve"), json!({"note": long}), "note: is longer than 16384 characters"),
        (of("notes"), json!({"text": " "}), "text: is empty"),
        (of("notes"), json!({"text": "a\u{0}b"}), "text: holds a NUL"),
        (of("notes"), json!({"text": 1}), "text: "),
        (of("notes"), json!({}), "missing field `text`"),
        (incidents.to_owned(), json!({"title": "t", "severity": "loud"}), "severity: unknown variant `loud`"),
        (incidents.to_owned(), json!({"title": "x".repeat(1_025), "severity": "low"}), "title: is longer than 1024"),
        (incidents.to_owned(), json!({"title": "t", "severity": "low", "labels": {"": "x"}}), "labels: is empty"),
        (incidents.to_owned(), json!({"title": "t"}), "missing field `severity`"),
        (silences.to_owned(), silence("author", json!("me")), "`author`"),
        (silences.to_owned(), silence("matchers", json!(["a~b"])), "matchers"),
        (silences.to_owned(), silence("matchers", json!(["a=~\"(\""])), "matchers"),
        (silences.to_owned(), silence("matchers", json!([])), "matchers: at least one"),
        (silences.to_owned(), silence("ends_at", json!("2000-01-01T00:00:00Z")), "ends_at: it must end after"),
        (silences.to_owned(), silence("ends_at", json!("tomorrow")), "ends_at: "),
        (silences.to_owned(), silence("comment", json!("x".repeat(4_097))), "comment: is longer than 4096"),
    ] {
        let document = problem(api.post(&path, &body).await, 400, "invalid_payload").await;
        let detail = document["detail"].as_str().unwrap();
        assert!(detail.contains(told), "{path}: {detail}");
    }
    for body in [json!({}), json!({"status": "open"}), json!({"severity": "warning"}), json!({"title": "x"})] {
        let response = api.act_as(RESPONDER, Method::PATCH, incident, Some(&body)).await;
        problem(response, 400, "invalid_payload").await;
    }
    assert_eq!(worker.take_seen(), []);
}

#[tokio::test]
async fn what_is_no_json_is_refused_and_what_is_missing_is_said_to_be() {
    let api = Api::start().await;
    let send = async |content_type: &str, body: &'static str| {
        let request = api.client.post(api.url("/api/v1/incidents")).bearer_auth(RESPONDER);
        request.header(CONTENT_TYPE, content_type).body(body).send().await.unwrap()
    };
    problem(send("application/json", "{").await, 400, "invalid_json").await;
    problem(send("text/plain", "{}").await, 415, "unsupported_media_type").await;
    problem(send("application/json; charset=utf-8", "").await, 400, "empty_body").await;
}

#[tokio::test]
async fn a_silence_is_asked_for_as_it_was_given() {
    let api = Api::start().await;
    let worker = Worker::start(&api, |command| CommandOutcome::Done {
        incident: None,
        silence: Some(SilenceId::from_uuid(command.id.as_uuid())),
        changed: true,
        count: None,
    });
    let body = json!({
        "matchers": ["alertname=\"DiskFull\"", "pod=~\"db-.*\""],
        "starts_at": "2100-01-01T00:00:00Z",
        "ends_at": "2100-01-02T00:00:00.123456789Z",
        "comment": "moving the data",
    });
    let response = api.post("/api/v1/silences", &body).await;
    assert_eq!(response.status(), 201);
    let Action::Silence { silence } = worker.take_seen().remove(0).action else { panic!("another action") };
    assert_eq!(json!(silence.matchers), body["matchers"]);
    assert_eq!(json!(silence.starts_at), body["starts_at"]);
    assert_eq!(json!(silence.ends_at), "2100-01-02T00:00:00.123456Z", "to the microsecond, as it is stored");
    assert_eq!(silence.comment, "moving the data");
}

#[tokio::test]
async fn silences_are_a_list_also_when_there_are_none() {
    let api = Api::start().await;
    let expected =
        json!({"data": [], "total": 0, "total_is_exact": true, "limit": 50, "offset": 0, "next_cursor": null});
    assert_eq!(api.read("/api/v1/silences").await, expected);
    assert_eq!(api.read("/api/v1/silences?include_expired=true").await, expected);
    problem(api.get_as(READER, "/api/v1/silences?include_expired=1").await, 400, "invalid_parameter").await;
}

#[tokio::test]
async fn an_incidents_alerts_and_timeline_are_lists_with_windows() {
    let api = Api::start().await;
    for (pod, second) in [("a", 1), ("b", 2), ("c", 3)] {
        api.apply(&[delivery("Down", pod, AlertStatus::Firing, second)]).await;
    }
    let detail = api.read("/api/v1/incidents/1").await;
    for name in ["alerts", "timeline"] {
        let path = format!("/api/v1/incidents/1/{name}");
        let whole = api.read(&path).await;
        assert_eq!((&whole["data"], &whole["next_cursor"]), (&detail[name], &Value::Null), "{name}");
        assert_eq!(whole["total"], whole["data"].as_array().unwrap().len());
        let first = api.read(&format!("{path}?limit=2")).await;
        assert_eq!(first["data"].as_array().unwrap().as_slice(), &whole["data"].as_array().unwrap()[..2]);
        let cursor = first["next_cursor"].as_str().unwrap();
        let rest = api.read(&format!("{path}?limit=2&cursor={cursor}")).await;
        assert_eq!(rest["data"].as_array().unwrap().as_slice(), &whole["data"].as_array().unwrap()[2..]);
        assert_eq!(rest["data"], api.read(&format!("{path}?limit=2&page=2")).await["data"]);
        problem(api.get_as(READER, &format!("/api/v1/incidents/2/{name}")).await, 404, "not_found").await;
        problem(api.get_as(READER, &format!("{path}?status=firing")).await, 400, "invalid_parameter").await;
    }
}
