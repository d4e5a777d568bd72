//! Tests of the resources.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use tocsin_shared::{AlertEvent, AlertStatus};

use super::*;
use crate::sources::tests::{fixture, received_at};

const RESOURCES: [&str; 4] = ["event_alert", "metric_alert", "issue", "installation"];

fn with_headers(body: &[u8], headers: &[(&'static str, &'static str)]) -> Result<Parsed, SourceError> {
    let header = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    let headers: HeaderMap = headers.iter().map(header).collect();
    super::parse(&Request { headers: &headers, body, received_at: received_at() })
}

fn parse(body: &[u8]) -> Result<Vec<AlertEvent>, SourceError> {
    with_headers(body, &[]).map(|parsed| parsed.alerts)
}

#[test]
fn an_issue_alert_is_understood() {
    insta::assert_json_snapshot!(parse(&fixture("sentry/event_alert.json")).unwrap());
}

#[test]
fn a_metric_alert_is_understood() {
    insta::assert_json_snapshot!(parse(&fixture("sentry/metric_alert_critical.json")).unwrap());
}

#[test]
fn the_resolution_of_a_metric_alert_finds_it() {
    let critical = parse(&fixture("sentry/metric_alert_critical.json")).unwrap();
    let resolved = parse(&fixture("sentry/metric_alert_resolved.json")).unwrap();
    assert_eq!(resolved[0].fingerprint, critical[0].fingerprint);
    insta::assert_json_snapshot!(resolved);
}

#[test]
fn a_new_issue_is_understood() {
    insta::assert_json_snapshot!(parse(&fixture("sentry/issue_created.json")).unwrap());
}

#[test]
fn resolving_an_issue_resolves_what_its_events_have_raised() {
    let alert = parse(&fixture("sentry/event_alert.json")).unwrap();
    let resolved = parse(&fixture("sentry/issue_resolved.json")).unwrap();
    assert_eq!(resolved[0].fingerprint, alert[0].fingerprint);
    assert_eq!(resolved[0].status, AlertStatus::Resolved);
    insta::assert_json_snapshot!(resolved);
}

#[test]
fn what_happens_to_an_issue_gives_its_status() {
    let status = |action: &str| {
        let body = format!(r#"{{"action":"{action}","data":{{"issue":{{"id":7}}}}}}"#);
        parse(body.as_bytes()).unwrap().first().map(|alert| alert.status)
    };
    for action in ["created", "unresolved"] {
        assert_eq!(status(action), Some(AlertStatus::Firing), "{action}");
    }
    for action in ["resolved", "archived", "ignored"] {
        assert_eq!(status(action), Some(AlertStatus::Resolved), "{action}");
    }
    assert_eq!(status("assigned"), None);
}

#[test]
fn what_is_no_alert_is_taken() {
    let body = br#"{"action":"created","data":{"comment":"hello","issue_id":100},"actor":{"id":1}}"#;
    assert_eq!(parse(body).unwrap(), []);
    for resource in ["comment", "error", "installation", "seer", "something_new"] {
        let parsed = with_headers(&fixture("sentry/event_alert.json"), &[(RESOURCE_HEADER, resource)]).unwrap();
        assert_eq!(parsed.alerts, [], "{resource}");
    }
}

#[test]
fn the_header_outranks_the_shape_and_names_the_delivery() {
    let headers = [(RESOURCE_HEADER, "event_alert"), (DELIVERY_ID_HEADER, "6a5e1f0c")];
    let parsed = with_headers(&fixture("sentry/event_alert.json"), &headers).unwrap();
    assert_eq!(parsed.delivery_id.as_deref(), Some("6a5e1f0c"));
    assert_eq!(parsed.alerts, parse(&fixture("sentry/event_alert.json")).unwrap());
}

#[test]
fn each_resource_is_known_by_its_name() {
    let resources = RESOURCES.map(Resource::of_name);
    assert_eq!(resources, [Resource::EventAlert, Resource::MetricAlert, Resource::Issue, Resource::Other]);
}

#[test]
fn what_is_wrong_is_named() {
    let field = |resource: &'static str, body: &str| match with_headers(body.as_bytes(), &[(RESOURCE_HEADER, resource)])
    {
        Err(SourceError::InvalidPayload { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field("issue", "{}"), "body");
    assert_eq!(field("issue", r#"{"action":"resolved","data":{"issue":{}}}"#), "data.issue.id");
    assert_eq!(field("event_alert", r#"{"action":"triggered","data":{"event":{}}}"#), "data.event.issue_id");
    assert_eq!(field("event_alert", r#"{"action":"triggered","data":{}}"#), "data");
    let metric = r#"{"action":"critical","data":{"metric_alert":{"alert_rule":{"name":"n"}}}}"#;
    assert_eq!(field("metric_alert", metric), "data.metric_alert.alert_rule.id");
    assert_eq!(field("metric_alert", &metric.replace("critical", "odd")), "action");
}
