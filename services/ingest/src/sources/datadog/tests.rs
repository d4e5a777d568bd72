//! Tests of the payloads.

use std::collections::BTreeMap;

use super::*;
use crate::sources::tests::{fixture, received_at};

fn parse(body: &[u8]) -> Result<Vec<AlertEvent>, SourceError> {
    crate::sources::tests::parse(super::parse, body)
}

fn event(body: &serde_json::Value) -> AlertEvent {
    parse(body.to_string().as_bytes()).unwrap().remove(0)
}

#[test]
fn what_our_template_sends_is_understood() {
    insta::assert_json_snapshot!(parse(&fixture("datadog/triggered.json")).unwrap());
}

#[test]
fn the_documented_template_has_the_fields_of_the_fixture() {
    let manual = include_str!("../../../../../docs/senders.md");
    let (_, chapter) = manual.split_once("## Datadog").unwrap();
    let (_, block) = chapter.split_once("```json").unwrap();
    let (template, _) = block.split_once("```").unwrap();
    let fields =
        |body: &[u8]| serde_json::from_slice::<BTreeMap<String, Value>>(body).unwrap().into_keys().collect::<Vec<_>>();
    assert_eq!(fields(template.as_bytes()), fields(&fixture("datadog/triggered.json")));
}

#[test]
fn a_recovery_finds_its_alert() {
    let triggered = parse(&fixture("datadog/triggered.json")).unwrap();
    let recovered = parse(&fixture("datadog/recovered.json")).unwrap();
    assert_eq!(recovered[0].fingerprint, triggered[0].fingerprint);
    assert_eq!(recovered[0].labels[ALERTNAME], triggered[0].labels[ALERTNAME]);
    insta::assert_json_snapshot!(recovered);
}

#[test]
fn a_warning_is_understood() {
    insta::assert_json_snapshot!(parse(&fixture("datadog/warn.json")).unwrap());
}

#[test]
fn a_lack_of_data_without_a_cycle_key_is_understood() {
    insta::assert_json_snapshot!(parse(&fixture("datadog/no_data.json")).unwrap());
}

#[test]
fn the_default_payload_is_understood_as_far_as_it_goes() {
    insta::assert_json_snapshot!(parse(&fixture("datadog/default_payload.json")).unwrap());
}

#[test]
fn an_alert_is_known_by_the_best_name_that_it_has() {
    let id = |extra: serde_json::Value| {
        let mut body = serde_json::json!({"title": "[Triggered on {host:a}] T", "alert_scope": "host:a"});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        event(&body).external_id
    };
    let all = serde_json::json!({"alert_cycle_key": "c", "aggreg_key": "g", "alert_id": 7});
    assert_eq!(id(all).as_deref(), Some("c"));
    let unexpanded = serde_json::json!({"alert_cycle_key": "$ALERT_CYCLE_KEY", "aggreg_key": "g", "alert_id": 7});
    assert_eq!(id(unexpanded).as_deref(), Some("g"));
    let empty = serde_json::json!({"alert_cycle_key": "", "aggreg_key": "", "alert_id": 7});
    assert_eq!(id(empty).as_deref(), Some("7/host:a"));
    assert_eq!(id(serde_json::json!({})), None);
    let by_title = |title: &str| event(&serde_json::json!({ "title": title })).fingerprint;
    assert_eq!(by_title("[Triggered on {host:a}] T"), by_title("[P2] [Recovered on {host:a}] T"));
    assert_ne!(by_title("[Triggered on {host:a}] T"), by_title("[Triggered on {host:b}] T"));
}

#[test]
fn transitions_give_status_and_severity() {
    let state = |transition: &str, priority: &str, alert_type: &str| {
        let event = event(&serde_json::json!({
            "title": "T", "alert_transition": transition, "alert_priority": priority, "alert_type": alert_type
        }));
        (event.status, event.severity)
    };
    let (firing, resolved) = (AlertStatus::Firing, AlertStatus::Resolved);
    assert_eq!(state("Triggered", "", ""), (firing, AlertSeverity::Critical));
    assert_eq!(state("Re-Triggered", "P3", "error"), (firing, AlertSeverity::Warning));
    assert_eq!(state("Triggered", "P5", "error"), (firing, AlertSeverity::Info));
    assert_eq!(state("Renotify", "", "warning"), (firing, AlertSeverity::Warning));
    assert_eq!(state("Warn", "P1", "warning"), (firing, AlertSeverity::Warning));
    assert_eq!(state("Re-No Data", "P1", "error"), (firing, AlertSeverity::Warning));
    assert_eq!(state("Recovered", "", "success"), (resolved, AlertSeverity::Critical));
    assert_eq!(state("Warn Recovered", "", "success"), (resolved, AlertSeverity::Warning));
    assert_eq!(state("", "", "success"), (resolved, AlertSeverity::Critical));
    assert_eq!(state("Something new", "P1", "error"), (firing, AlertSeverity::Warning));
}

#[test]
fn the_date_orders_events_in_milliseconds_or_seconds() {
    let at = |date: serde_json::Value| event(&serde_json::json!({"title": "T", "date": date})).event_at;
    let expected: DateTime<Utc> = "2026-11-23T11:58:20Z".parse().unwrap();
    assert_eq!(at("1795435100000".into()), expected);
    assert_eq!(at(1_795_435_100_000_i64.into()), expected);
    assert_eq!(at("1795435100".into()), expected);
    for none in ["$DATE", "", "soon", "99999999999999999999", "-5"] {
        assert_eq!(at(none.into()), received_at(), "{none}");
    }
}

#[test]
fn a_payload_without_a_title_is_refused() {
    for body in ["{}", r#"{"title":"$EVENT_TITLE"}"#, r#"{"title":" "}"#] {
        assert!(parse(body.as_bytes()).unwrap_err().to_string().starts_with("title"), "{body}");
    }
}
