//! Tests of the events.

use super::*;
use crate::sources::tests::{fixture, received_at, request};

fn parse(body: &[u8]) -> Result<Parsed, SourceError> {
    super::parse(&request(body))
}

#[test]
fn a_trigger_becomes_an_alert() {
    insta::assert_json_snapshot!(parse(&fixture("pagerduty/trigger.json")).unwrap().alerts);
}

#[test]
fn a_trigger_with_nothing_but_the_required_becomes_an_alert() {
    let parsed = parse(&fixture("pagerduty/trigger_minimal.json")).unwrap();
    let key = parsed.dedup_key.clone().unwrap();
    assert_eq!(parsed.alerts[0].external_id.as_ref(), Some(&key));
    let again = parse(&fixture("pagerduty/trigger_minimal.json")).unwrap();
    assert_ne!(again.dedup_key, Some(key), "each trigger without a key is an alert of its own");
}

#[test]
fn a_resolve_finds_its_alert_by_the_key() {
    let trigger = parse(&fixture("pagerduty/trigger.json")).unwrap();
    let resolve = parse(&fixture("pagerduty/resolve.json")).unwrap();
    assert_eq!(resolve.alerts[0].fingerprint, trigger.alerts[0].fingerprint);
    insta::assert_json_snapshot!(resolve.alerts);
}

#[test]
fn an_acknowledgement_names_its_alert_and_tells_nothing_new_of_it() {
    let trigger = parse(&fixture("pagerduty/trigger.json")).unwrap();
    let acknowledge = parse(&fixture("pagerduty/acknowledge.json")).unwrap();
    assert_eq!(acknowledge.acknowledged, [trigger.alerts[0].fingerprint.clone()]);
    assert_eq!((acknowledge.alerts, acknowledge.dedup_key), (Vec::new(), trigger.dedup_key));
}

#[test]
fn a_claimed_time_does_not_order_events() {
    let event = &parse(&fixture("pagerduty/trigger.json")).unwrap().alerts[0];
    assert_eq!(event.event_at, received_at());
    assert!(event.started_at.unwrap() < received_at());
    let resolve = r#"{"event_action":"resolve","dedup_key":"k","payload":{"timestamp":"2026-11-23T11:00:00Z"}}"#;
    let event = &parse(resolve.as_bytes()).unwrap().alerts[0];
    assert_eq!((event.started_at, event.event_at), (None, received_at()));
}

#[test]
fn times_are_read_as_clients_write_them() {
    let expected = Some("2015-07-17T08:42:58.315Z".parse().unwrap());
    for text in ["2015-07-17T08:42:58.315+0000", "2015-07-17T10:42:58.315+02:00", "2015-07-17T08:42:58.315Z"] {
        assert_eq!(time(text), expected, "{text}");
    }
    assert_eq!(time("yesterday"), None);
}

#[test]
fn error_is_as_bad_as_critical() {
    let severity = |word: &str| {
        let body =
            format!(r#"{{"event_action":"trigger","payload":{{"summary":"s","source":"h","severity":"{word}"}}}}"#);
        parse(body.as_bytes()).unwrap().alerts[0].severity
    };
    assert_eq!(
        SEVERITIES.map(severity),
        [AlertSeverity::Critical, AlertSeverity::Critical, AlertSeverity::Warning, AlertSeverity::Info]
    );
}

#[test]
fn only_the_key_is_read_for_the_key() {
    assert_eq!(routing_key(br#"{"routing_key":"R0","payload":5}"#).as_deref(), Some("R0"));
    for none in ["", "{", "[]", "{}", r#"{"routing_key":7}"#, r#"{"routing_key":"#] {
        assert_eq!(routing_key(none.as_bytes()), None, "{none}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let field = |body: &str| match parse(body.as_bytes()) {
        Err(SourceError::InvalidPayload { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    let trigger = |payload: &str| field(&format!(r#"{{"event_action":"trigger","payload":{payload}}}"#));
    assert_eq!(field("{}"), "body");
    assert_eq!(field(r#"{"event_action":"change"}"#), "event_action");
    // A change event has no action at all.
    assert_eq!(field(r#"{"payload":{"summary":"Deployed","source":"ci"}}"#), "body");
    assert_eq!(field(r#"{"event_action":"resolve"}"#), "dedup_key");
    assert_eq!(field(r#"{"event_action":"acknowledge","dedup_key":" "}"#), "dedup_key");
    assert_eq!(field(r#"{"event_action":"trigger"}"#), "payload");
    assert_eq!(trigger(r#"{"source":"h","severity":"info"}"#), "payload.summary");
    assert_eq!(trigger(r#"{"summary":" ","source":"h","severity":"info"}"#), "payload.summary");
    assert_eq!(trigger(r#"{"summary":"s","severity":"info"}"#), "payload.source");
    assert_eq!(trigger(r#"{"summary":"s","source":"h"}"#), "payload.severity");
    assert_eq!(trigger(r#"{"summary":"s","source":"h","severity":"bad"}"#), "payload.severity");
    assert_eq!(trigger(r#"{"summary":7,"source":"h","severity":"info"}"#), "payload.summary");
    let long = "ä".repeat(MAX_TITLE_CHARS + 1);
    assert_eq!(trigger(&format!(r#"{{"summary":"{long}","source":"h","severity":"info"}}"#)), "payload.summary");
    assert_eq!(field(&format!(r#"{{"event_action":"resolve","dedup_key":"{long}"}}"#)), "dedup_key");
}

#[test]
fn texts_of_exactly_the_longest_length_are_taken() {
    let (summary, key) = ("ä".repeat(MAX_TITLE_CHARS), "ä".repeat(MAX_DEDUP_KEY_CHARS));
    let body = format!(
        r#"{{"event_action":"trigger","dedup_key":"{key}","payload":{{"summary":"{summary}","source":"h","severity":"info"}}}}"#
    );
    let parsed = parse(body.as_bytes()).unwrap();
    assert_eq!((parsed.dedup_key, parsed.alerts[0].title.clone()), (Some(key), summary));
}
