//! The bodies, field by field. A change of a snapshot is a change of the contract.

use std::collections::HashMap;

use serde_json::{Value, json};
use tocsin_shared::{AlertSeverity, AlertStatus, Envelope, EventId};
use tocsin_store::DeadLetter;

use crate::api::{Api, at, delivery, problem};

/// A resolved incident of two alerts, and an open one whose alert has everything that an alert can have.
fn history() -> [Envelope; 5] {
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
fn stable(mut body: Value) -> Value {
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
        problem(api.get_as(crate::api::READER, &path).await, 404, "not_found").await;
    }
}
