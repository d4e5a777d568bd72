//! The contract with clients, spelled out by itself: what every answer must hold, whatever our own types and description say.
//! More fields may be added, by adding them here.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};
use tocsin_shared::{AlertStatus, Envelope, ErrorCode, EventId, IncidentId};

use crate::api::{ADMIN, Api, READER, RESPONDER, at, delivery};
use crate::bodies::history;
use crate::worker::Worker;

/// What a field holds.
#[derive(Debug, Clone, Copy)]
enum Is {
    Uuid,
    Count,
    Text,
    /// RFC 3339, in UTC.
    Time,
    /// Texts by name.
    Labels,
    Flag,
    Word(&'static [&'static str]),
    /// A list of such.
    List(Shape),
    Object(Shape),
    /// One of these, or `null`.
    OrNull(&'static Is),
}

/// The fields of an object: all of them, and no others.
type Shape = &'static [(&'static str, Is)];

use Is::{Count, Flag, Labels, List, Object, OrNull, Text, Time, Uuid, Word};

const SOME_TEXT: Is = OrNull(&Text);
const SOME_TIME: Is = OrNull(&Time);

const INCIDENT_STATUS: &[&str] = &["triggered", "acknowledged", "resolved", "canceled"];
const INCIDENT_SEVERITY: &[&str] = &["critical", "high", "medium", "low"];
const ALERT_STATUS: &[&str] = &["firing", "resolved"];
const ALERT_SEVERITY: &[&str] = &["critical", "warning", "info"];

const INCIDENT: Shape = &[
    ("id", Uuid),
    ("incident_number", Count),
    ("title", Text),
    ("status", Word(INCIDENT_STATUS)),
    ("severity", Word(INCIDENT_SEVERITY)),
    ("summary", SOME_TEXT),
    ("group_key", Text),
    ("labels", Labels),
    ("alert_count", Count),
    ("firing_count", Count),
    ("created_at", Time),
    ("triggered_at", Time),
    ("acknowledged_at", SOME_TIME),
    ("acknowledged_by", SOME_TEXT),
    ("resolved_at", SOME_TIME),
    ("updated_at", Time),
    ("version", Count),
];

/// Beyond [`INCIDENT`].
const DETAIL: Shape = &[("alerts", List(ALERT)), ("timeline", List(TIMELINE))];

const TIMELINE: Shape = &[
    ("id", Count),
    ("timestamp", Time),
    ("type", Text),
    ("actor_type", Text),
    ("actor_id", SOME_TEXT),
    ("actor_name", SOME_TEXT),
    ("content", Text),
];

const ALERT: Shape = &[
    ("id", Uuid),
    ("external_id", SOME_TEXT),
    ("source", Text),
    ("fingerprint", Text),
    ("status", Word(ALERT_STATUS)),
    ("severity", Word(ALERT_SEVERITY)),
    ("title", Text),
    ("description", SOME_TEXT),
    ("labels", Labels),
    ("annotations", Labels),
    ("incident_id", OrNull(&Uuid)),
    ("started_at", Time),
    ("ended_at", SOME_TIME),
    ("received_at", Time),
    ("last_seen_at", Time),
    ("occurrences", Count),
];

/// Of a list, beside its `data`.
const WINDOW: Shape =
    &[("total", Count), ("total_is_exact", Flag), ("limit", Count), ("offset", Count), ("next_cursor", SOME_TEXT)];

/// A refusal with a `detail`.
const PROBLEM: Shape = &[
    ("type", Text),
    ("title", Text),
    ("status", Count),
    ("detail", Text),
    ("code", Text),
    ("request_id", Text),
    ("error", Object(&[("code", Text), ("message", Text), ("details", SOME_TEXT), ("request_id", Text)])),
];

const HEALTH: Shape = &[("status", Word(&["ok"])), ("version", Text)];
const READY: Shape = &[
    ("status", Word(&["ready", "not ready"])),
    ("database", Word(&["ok", "error"])),
    ("redis", Word(&["ok", "error"])),
];

/// Every route, with the parameters that it takes.
const ROUTES: &[(&str, &str, &[&str])] = &[
    (
        "get",
        "/api/v1/incidents",
        &["status", "severity", "label", "q", "created_after", "created_before", "limit", "page", "cursor"],
    ),
    ("post", "/api/v1/incidents", &[]),
    ("get", "/api/v1/incidents/{id}", &["id"]),
    ("patch", "/api/v1/incidents/{id}", &["id"]),
    ("get", "/api/v1/incidents/{id}/timeline", &["id"]),
    ("get", "/api/v1/incidents/{id}/alerts", &["id"]),
    ("get", "/api/v1/incidents/{id}/notifications", &["id"]),
    ("post", "/api/v1/incidents/{id}/acknowledge", &["id"]),
    ("post", "/api/v1/incidents/{id}/resolve", &["id"]),
    ("post", "/api/v1/incidents/{id}/reopen", &["id"]),
    ("post", "/api/v1/incidents/{id}/notes", &["id"]),
    ("get", "/api/v1/alerts", &["source", "status", "severity", "label", "q", "limit", "page", "cursor"]),
    ("get", "/api/v1/alerts/{id}", &["id"]),
    ("get", "/api/v1/alerts/{id}/explain", &["id"]),
    ("get", "/api/v1/silences", &[]),
    ("post", "/api/v1/silences", &[]),
    ("delete", "/api/v1/silences/{id}", &["id"]),
    ("get", "/api/v1/events", &["Last-Event-ID"]),
    ("get", "/api/v1/dead-letters", &[]),
    ("post", "/api/v1/dead-letters/{id}/redrive", &["id"]),
    ("get", "/openapi.json", &[]),
    ("get", "/health", &[]),
    ("get", "/ready", &[]),
    ("get", "/metrics", &[]),
];

/// What was compared, and which fields that may be `null` were seen with and without a value.
#[derive(Default)]
struct Seen(BTreeMap<String, BTreeSet<bool>>);

impl Seen {
    fn object(&mut self, what: &str, value: &Value, shapes: &[Shape]) {
        let fields = value.as_object().unwrap_or_else(|| panic!("{what}: {value}"));
        let expected: BTreeMap<&str, Is> = shapes.iter().flat_map(|shape| shape.iter().copied()).collect();
        let names: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
        assert_eq!(names, expected.keys().copied().collect(), "{what}");
        for (name, is) in expected {
            self.value(&format!("{what}.{name}"), &fields[name], is);
        }
    }

    fn value(&mut self, what: &str, value: &Value, is: Is) {
        let text = value.as_str();
        let holds = match is {
            Uuid => text.is_some_and(|text| text.parse::<IncidentId>().is_ok() && text.len() == 36),
            Count => value.as_u64().is_some(),
            Text => text.is_some(),
            Flag => value.is_boolean(),
            Time => text.is_some_and(|text| text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok()),
            Labels => value.as_object().is_some_and(|labels| labels.values().all(Value::is_string)),
            Word(words) => text.is_some_and(|text| words.contains(&text)),
            Object(shape) => {
                self.object(what, value, &[shape]);
                true
            }
            List(shape) => {
                let items = value.as_array().unwrap_or_else(|| panic!("{what}: {value}"));
                let name = what.rsplit('.').next().unwrap();
                for item in items {
                    self.object(name, item, &[shape]);
                }
                true
            }
            OrNull(is) => {
                self.0.entry(what.to_owned()).or_default().insert(value.is_null());
                if !value.is_null() {
                    self.value(what, value, *is);
                }
                true
            }
        };
        assert!(holds, "{what} is {value}, and should be {is:?}");
    }

    /// The items of a list.
    fn list(&mut self, what: &str, mut list: Value, shape: Shape) -> Vec<Value> {
        let data = list.as_object_mut().and_then(|fields| fields.remove("data")).expect("data");
        self.object("list", &list, &[WINDOW]);
        let items = data.as_array().expect("a list").clone();
        for item in &items {
            self.object(what, item, &[shape]);
        }
        items
    }
}

/// Incidents in each state but `canceled`, alerts with and without what an alert may have, and one that is in no incident.
async fn api_with_all_kinds() -> Api {
    let api = Api::start().await;
    for told in history() {
        api.apply(&[told]).await;
    }
    let acknowledged = Envelope {
        id: EventId::of_delivery("default", "acknowledged"),
        received_at: at(60),
        alerts: Vec::new(),
        acknowledged: history()[4].alerts.iter().map(|event| event.fingerprint.clone()).collect(),
        ..history()[4].clone()
    };
    api.apply(&[acknowledged, delivery("Down", "one", AlertStatus::Firing, 70)]).await;
    api.apply(&[delivery("Over", "one", AlertStatus::Resolved, 80)]).await;
    api
}

#[tokio::test]
async fn what_is_read_has_every_field_of_the_contract_and_in_its_form() {
    let api = api_with_all_kinds().await;
    let mut seen = Seen::default();
    let incidents = seen.list("incidents", api.read("/api/v1/incidents").await, INCIDENT);
    assert!(incidents.len() >= 3);
    seen.list("incidents", api.read("/api/v1/incidents?limit=1").await, INCIDENT);
    for incident in &incidents {
        let number = &incident["incident_number"];
        let detail = api.read(&format!("/api/v1/incidents/{}", incident["id"].as_str().unwrap())).await;
        assert_eq!(detail, api.read(&format!("/api/v1/incidents/{number}")).await, "by UUID as by number");
        seen.object("incidents", &detail, &[INCIDENT, DETAIL]);
        seen.list("alerts", api.read(&format!("/api/v1/incidents/{number}/alerts")).await, ALERT);
        let timeline = api.read(&format!("/api/v1/incidents/{number}/timeline")).await;
        seen.list("timeline", timeline, TIMELINE);
    }
    for alert in seen.list("alerts", api.read("/api/v1/alerts").await, ALERT) {
        let shown = api.read(&format!("/api/v1/alerts/{}", alert["id"].as_str().unwrap())).await;
        seen.object("alerts", &shown, &[ALERT]);
    }
    let half_seen: Vec<_> = seen.0.iter().filter(|(_, values)| values.len() < 2).collect();
    assert!(half_seen.is_empty(), "always null, or never: {half_seen:?}");

    for (path, shape) in [("/health", HEALTH), ("/ready", READY)] {
        let response = api.client.get(api.url(path)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        seen.object(path, &response.json().await.unwrap(), &[shape]);
    }
    let metrics = api.client.get(api.url("/metrics")).send().await.unwrap();
    assert!(metrics.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
}

#[tokio::test]
async fn lists_have_50_items_by_default_and_250_at_most() {
    let api = Api::start().await;
    for path in ["/api/v1/incidents", "/api/v1/alerts"] {
        assert_eq!(api.read(path).await["limit"], 50);
        assert_eq!(api.read(&format!("{path}?limit=250")).await["limit"], 250);
        assert_eq!(api.get_as(READER, &format!("{path}?limit=251")).await.status(), 400);
    }
}

#[tokio::test]
async fn a_refusal_has_every_field_of_the_contract_twice() {
    let api = api_with_all_kinds().await;
    let mut seen = Seen::default();
    let _worker = Worker::rejecting(&api, ErrorCode::InvalidTransition, "incident 1 is resolved; reopen it first");
    let ask = |method: Method, path: &str, token: &'static str| {
        api.client.request(method, api.url(path)).bearer_auth(token).send()
    };
    for (method, path, token, status) in [
        (Method::GET, "/api/v1/incidents?limit=0", READER, 400),
        (Method::GET, "/api/v1/incidents/4711", READER, 404),
        (Method::GET, "/api/v1/incidents", "nobody", 401),
        (Method::GET, "/api/v1/incidents", RESPONDER, 403),
        (Method::POST, "/api/v1/incidents/1/acknowledge", RESPONDER, 409),
    ] {
        let response = ask(method, path, token).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let mut problem: Value = response.json().await.unwrap();
        let fields = problem.as_object_mut().unwrap();
        fields.entry("detail").or_insert_with(|| json!(""));
        seen.object("problem", &problem, &[PROBLEM]);
        assert_eq!((&problem["request_id"], &problem["status"]), (&json!(id), &json!(status)));
        assert_eq!((&problem["error"]["code"], &problem["error"]["request_id"]), (&problem["code"], &json!(id)));
    }
}

#[tokio::test]
async fn every_route_and_parameter_and_word_of_the_contract_is_there() {
    let api = Api::start().await;
    let document: Value = api.get_as(READER, "/openapi.json").await.json().await.unwrap();
    for (method, path, parameters) in ROUTES {
        let operation = &document["paths"][path][method];
        assert!(operation.is_object(), "{method} {path}");
        let given = operation["parameters"].as_array().into_iter().flatten();
        let given: Vec<&str> = given.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        for parameter in *parameters {
            assert!(given.contains(parameter), "{method} {path}: {parameter}");
        }
    }
    for (list, parameter, name, words) in [
        ("incidents", "status", "IncidentStatus", INCIDENT_STATUS),
        ("incidents", "severity", "IncidentSeverity", INCIDENT_SEVERITY),
        ("alerts", "status", "AlertStatus", ALERT_STATUS),
        ("alerts", "severity", "AlertSeverity", ALERT_SEVERITY),
    ] {
        let told = document["components"]["schemas"][name]["enum"].as_array().unwrap();
        let told: BTreeSet<&str> = told.iter().map(|word| word.as_str().unwrap()).collect();
        assert_eq!(told, words.iter().copied().collect(), "{name}");
        for word in words {
            api.read(&format!("/api/v1/{list}?{parameter}={word}")).await;
        }
    }
    // Scopes: `admin` is all of them.
    for scope in ["read", "respond", "admin"] {
        assert!(document.to_string().contains(&format!("\"bearer\":[\"{scope}\"]")), "{scope}");
    }
    assert_eq!(api.get_as(ADMIN, "/api/v1/incidents").await.status(), 200);
}
