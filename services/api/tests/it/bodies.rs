//! The bodies, field by field. A change of a snapshot is a change of the contract.

use std::collections::HashMap;

use serde_json::{Value, json};
use tocsin_shared::{AlertSeverity, AlertStatus, Envelope, EventId};
use tocsin_store::DeadLetter;

use crate::api::{ADMIN, Api, READER, at, delivery, problem};
use crate::worker::Worker;

/// A resolved incident of two alerts, and an open one whose alert has everything that an alert can have.
pub(crate) fn history() -> [Envelope; 5] {
    let mut full = delivery("Slow", "web-1", AlertStatus::Firing, 50);
    "prometheus".clone_into(&mut full.source);
    let event = &mut full.alerts[0];
    event.external_id = Some("check-7".to_owned());
    event.severity = AlertSeverity::Critical;
    event.description = Some("Half of all requests take longer than 2 s.".to_owned());
    event.annotations = [("runbook".to_owned(), "https://wiki.example/slow".to_owned())].into();
    event.source_url = Some("https://prometheus.example/graph".to_owned());
    [
        delivery("DiskFull", "db-1", AlertStatus::Firing, 10),
        delivery("DiskFull", "db-2", AlertStatus::Firing, 20),
        delivery("DiskFull", "db-1", AlertStatus::Resolved, 30),
        delivery("DiskFull", "db-2", AlertStatus::Resolved, 40),
        full,
    ]
}

async fn api_with_history() -> Api {
    let api = Api::start().await;
    for told in history() {
        api.apply(&[told]).await;
    }
    api
}

/// Replaces what differs from run to run: ids by their order of appearance, so that equal ones stay equal, and the time at
/// which the database made a row.
pub(crate) fn stable(mut body: Value) -> Value {
    let mut ids = HashMap::new();
    stabilise(&mut body, &mut ids);
    body
}

fn stabilise(value: &mut Value, ids: &mut HashMap<String, usize>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if name == "created_at" {
                    let text = field.as_str().expect("a time");
                    assert!(text.parse::<chrono::DateTime<chrono::Utc>>().is_ok() && text.ends_with('Z'), "{text}");
                    *field = "[when the row was made]".into();
                }
                stabilise(field, ids);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| stabilise(item, ids)),
        Value::String(text) if uuid(text) => {
            let next = ids.len() + 1;
            let number = *ids.entry(text.clone()).or_insert(next);
            *text = format!("[id {number}]");
        }
        _ => {}
    }
}

fn uuid(text: &str) -> bool {
    text.parse::<tocsin_shared::AlertId>().is_ok()
}

#[tokio::test]
async fn an_incident_list_is_as_documented() {
    let api = api_with_history().await;
    insta::assert_json_snapshot!(stable(api.read("/api/v1/incidents").await));
}

#[tokio::test]
async fn an_incident_is_shown_with_its_alerts_and_its_timeline() {
    let api = api_with_history().await;
    let by_number = api.read("/api/v1/incidents/1").await;
    let id = by_number["id"].as_str().unwrap();
    assert_eq!(api.read(&format!("/api/v1/incidents/{id}")).await, by_number, "by id as by number");
    insta::assert_json_snapshot!(stable(by_number));
}

#[tokio::test]
async fn the_alerts_and_the_timeline_of_an_incident_are_lists_of_what_it_is_shown_with() {
    let api = api_with_history().await;
    let incident = api.read("/api/v1/incidents/1").await;
    for part in ["alerts", "timeline"] {
        let list = api.read(&format!("/api/v1/incidents/1/{part}")).await;
        assert_eq!(list["data"], incident[part]);
        insta::assert_json_snapshot!(format!("the_{part}_of_an_incident"), stable(list));
    }
}

/// One in force, and one that is over.
const SILENCES: &str = r#"
INSERT INTO silences (id, matchers, starts_at, ends_at, recurrence, author, comment, created_at) VALUES
    ('01990a3e-0000-7000-8000-000000000001', '["alertname=\"DiskFull\"", "host=~\"db-.*\""]', '2026-01-01T00:00:00Z',
        '2100-01-01T00:00:00Z', NULL, 'Ann via ops', 'moving the data', '2026-01-01T00:00:00Z'),
    ('01990a3e-0000-7000-8000-000000000002', '["team=\"web\""]', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z',
        '{"days": ["sat"], "from": "22:00", "to": "06:00", "zone": "Europe/Berlin"}', 'ops', '', '2026-01-01T00:00:00Z')"#;

#[tokio::test]
async fn a_silence_list_is_as_documented() {
    let api = Api::start().await;
    api.topology.tenant().sql(SILENCES).await.unwrap();
    let list = api.read("/api/v1/silences?include_expired=true").await;
    for listed in list["data"].as_array().unwrap() {
        let shown = api.read(&format!("/api/v1/silences/{}", listed["id"].as_str().unwrap())).await;
        assert_eq!(&shown, listed);
    }
    assert_eq!(api.read("/api/v1/silences").await["total"], 1, "what is over is left out");
    insta::assert_json_snapshot!(stable(list));
}

#[tokio::test]
async fn what_is_done_or_accepted_or_refused_is_told_as_documented() {
    let api = api_with_history().await;
    let redrive = || api.client.post(api.url("/api/v1/dead-letters/1/redrive")).bearer_auth(ADMIN).send();
    let accepted = redrive().await.unwrap();
    assert_eq!(accepted.status(), 202, "there is no worker");
    let accepted: Value = accepted.json().await.unwrap();
    let done: Value = {
        let _worker = Worker::doing(&api, None);
        redrive().await.unwrap().json().await.unwrap()
    };
    let mut refused = problem(api.get_as(READER, "/api/v1/incidents?limit=0").await, 400, "invalid_parameter").await;
    refused["request_id"] = json!("00000000-0000-7000-8000-000000000000");
    refused["error"]["request_id"] = refused["request_id"].clone();
    let told = json!({"accepted": accepted, "done": done, "refused": refused});
    insta::assert_json_snapshot!(stable(told));
}

#[tokio::test]
async fn an_alert_list_is_as_documented() {
    let api = api_with_history().await;
    insta::assert_json_snapshot!(stable(api.read("/api/v1/alerts").await));
}

#[tokio::test]
async fn an_alert_is_shown_as_in_the_list() {
    let api = api_with_history().await;
    let list = api.read("/api/v1/alerts").await;
    for listed in list["data"].as_array().unwrap() {
        let shown = api.read(&format!("/api/v1/alerts/{}", listed["id"].as_str().unwrap())).await;
        assert_eq!(&shown, listed);
    }
    insta::assert_json_snapshot!(stable(list["data"][0].clone()));
}

#[tokio::test]
async fn an_acknowledged_incident_is_shown_with_who_took_it_and_when() {
    let api = Api::start().await;
    let fired = delivery("Down", "one", AlertStatus::Firing, 1);
    let acknowledged = Envelope {
        id: EventId::of_delivery("default", "acknowledged"),
        received_at: at(2),
        alerts: Vec::new(),
        acknowledged: fired.alerts.iter().map(|event| event.fingerprint.clone()).collect(),
        ..fired.clone()
    };
    api.apply(&[fired, acknowledged]).await;
    let incident = api.read("/api/v1/incidents/1").await;
    assert_eq!(incident["status"], "acknowledged");
    assert_eq!((&incident["acknowledged_at"], &incident["acknowledged_by"]), (&json!(at(2)), &json!("default")));
    assert_eq!(incident["timeline"][1]["type"], "incident_acknowledged");
}

#[tokio::test]
async fn a_dead_letter_is_listed_with_its_reason() {
    let api = Api::start().await;
    let fields = [("v".to_owned(), "9".to_owned())].into();
    let reason = "envelope version \"9\" is not supported".to_owned();
    api.keep(&DeadLetter { stream: "events", entry_id: "7-0".to_owned(), fields, reason }).await;
    let mut list = api.read("/api/v1/dead-letters").await;
    let id = &list["data"][0]["id"];
    assert_eq!(api.read(&format!("/api/v1/dead-letters/{id}")).await, list["data"][0]);
    for other in ["0", "-1", "4711", "one", "99999999999999999999"] {
        problem(api.get_as(READER, &format!("/api/v1/dead-letters/{other}")).await, 404, "not_found").await;
    }
    list["data"][0]["created_at"] = json!("[now]");
    insta::assert_json_snapshot!(list);
}

#[tokio::test]
async fn an_alert_and_an_incident_are_explained_decision_by_decision() {
    let api = api_with_history().await;
    let incident = api.read("/api/v1/incidents/2").await;
    let alert = incident["alerts"][0]["id"].as_str().unwrap();
    let mut explained = api.read(&format!("/api/v1/alerts/{alert}/explain")).await;
    assert_eq!(api.read("/api/v1/incidents/2/explain").await["data"], explained["data"]);
    assert_eq!(explained["data"][0]["event"]["title"], incident["title"]);
    explained["data"][0]["applied_at"] = json!("[now]");
    insta::assert_json_snapshot!(stable(explained));
}

#[tokio::test]
async fn an_empty_list_is_a_list() {
    let api = Api::start().await;
    for path in ["/api/v1/incidents", "/api/v1/alerts", "/api/v1/silences", "/api/v1/dead-letters"] {
        let expected =
            json!({"data": [], "total": 0, "total_is_exact": true, "limit": 50, "offset": 0, "next_cursor": null});
        assert_eq!(api.read(path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let api = api_with_history().await;
    let nobody = "00000000-0000-7000-8000-000000000000";
    for path in [
        format!("/api/v1/incidents/{nobody}"),
        "/api/v1/incidents/3".to_owned(),
        "/api/v1/incidents/-1".to_owned(),
        "/api/v1/incidents/99999999999999999999".to_owned(),
        "/api/v1/incidents/one".to_owned(),
        format!("/api/v1/alerts/{nobody}"),
        "/api/v1/alerts/1".to_owned(),
        "/api/v1/nothing".to_owned(),
    ] {
        problem(api.get_as(READER, &path).await, 404, "not_found").await;
    }
}
