//! Tests of the parser, and of the schema that describes it.

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::sources::tests::{fixture, fixtures};

fn parse(body: &[u8]) -> Result<Vec<AlertEvent>, SourceError> {
    crate::sources::tests::parse(super::parse, body)
}

#[test]
fn a_list_of_alerts_is_understood() {
    let events = parse(&fixture("generic/list.json")).unwrap();
    insta::assert_json_snapshot!(events);
}

#[test]
fn one_bare_alert_is_understood() {
    let events = parse(&fixture("generic/bare.json")).unwrap();
    insta::assert_json_snapshot!(events);
}

#[test]
fn a_resolution_finds_its_alert_by_id_or_by_labels_and_title() {
    let fingerprint = |body: &str| parse(body.as_bytes()).unwrap()[0].fingerprint.clone();
    let by_id = |title: &str| fingerprint(&format!(r#"{{"title":"{title}","external_id":"7"}}"#));
    assert_eq!(by_id("Down"), by_id("Up again"));
    let by_labels = |pod: &str| fingerprint(&format!(r#"{{"title":"Down","labels":{{"pod":"{pod}"}}}}"#));
    assert_eq!(by_labels("a"), by_labels("a"));
    assert_ne!(by_labels("a"), by_labels("b"));
}

#[test]
fn what_is_wrong_is_named() {
    let field = |body: &str| match parse(body.as_bytes()) {
        Err(SourceError::InvalidPayload { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field("{}"), "body");
    assert_eq!(field("[]"), "body");
    assert_eq!(field(r#"{"alerts":[]}"#), "alerts");
    assert_eq!(field(r#"{"alerts":{}}"#), "alerts");
    assert_eq!(field(r#"{"title":" "}"#), "title");
    assert_eq!(field(r#"{"alerts":[{"title":"t"},{"title":""}]}"#), "alerts[1].title");
    assert_eq!(field(r#"{"title":1}"#), "title");
}

fn schema() -> Validator {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

#[test]
fn the_schema_is_one_and_knows_its_own_examples() {
    let document: Value = serde_json::from_str(SCHEMA).unwrap();
    assert!(jsonschema::meta::is_valid(&document));
    for example in document["examples"].as_array().unwrap() {
        schema().validate(example).unwrap();
        parse(example.to_string().as_bytes()).unwrap();
    }
}

#[test]
fn the_fixtures_fit_the_schema() {
    for (name, body) in fixtures("generic") {
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert!(schema().is_valid(&body), "{name}");
    }
}

#[test]
fn what_the_schema_refuses_is_refused() {
    let bad = [
        json!([]),
        json!("text"),
        json!({}),
        json!({"alerts": []}),
        json!({"alerts": {}}),
        json!({"alerts": [{}]}),
        json!({"alerts": [{"title": "t"}, {"title": " "}]}),
        json!({"title": ""}),
        json!({"title": 7}),
        json!({"title": "t", "status": "burning"}),
        json!({"title": "t", "labels": {"a": 1}}),
        json!({"title": "t", "labels": null}),
        json!({"title": "t", "annotations": []}),
        json!({"title": "t", "external_id": 7}),
        json!({"title": "t", "started_at": "soon"}),
        json!({"title": "t", "ended_at": 1_795_435_100}),
    ];
    for body in bad {
        assert!(!schema().is_valid(&body), "{body}");
        assert!(parse(body.to_string().as_bytes()).is_err(), "{body}");
    }
}

/// Any value that a field may have, good or bad.
fn any_field() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ a-z]{0,3}".prop_map(Value::from),
        Just(json!("resolved")),
        Just(json!("2026-11-23T11:30:00+01:00")),
        Just(json!({"team": "web"})),
        Just(json!({"team": 1})),
        Just(json!([])),
    ]
}

fn any_alert() -> impl Strategy<Value = Value> {
    let names = proptest::sample::select(vec![
        "title",
        "description",
        "severity",
        "status",
        "external_id",
        "labels",
        "annotations",
        "started_at",
        "ended_at",
        "alerts",
        "unknown",
    ]);
    (proptest::bool::weighted(0.8), proptest::collection::hash_map(names, any_field(), 0..4)).prop_map(
        |(titled, mut fields)| {
            if titled {
                fields.insert("title", json!("t"));
            }
            json!(fields)
        },
    )
}

proptest! {
    #[test]
    fn the_schema_and_the_parser_agree(alerts in proptest::collection::vec(any_alert(), 0..3), wrapped in any::<bool>()) {
        let body = match alerts.first() {
            Some(alert) if !wrapped => alert.clone(),
            _ => json!({ "alerts": alerts }),
        };
        prop_assert_eq!(schema().is_valid(&body), parse(body.to_string().as_bytes()).is_ok(), "{}", body);
    }
}
