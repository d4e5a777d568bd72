//! What holds for every source, and what the tests of each share.

use std::path::{Path, PathBuf};

use actix_web::http::header::HeaderMap;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Alerts in the longest list that a test parses.
const MANY: usize = 10_000;

/// A time at which a request came in.
pub(crate) fn received_at() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// A request without headers.
pub(crate) fn request(body: &[u8]) -> Request<'_> {
    static NO_HEADERS: std::sync::LazyLock<HeaderMap> = std::sync::LazyLock::new(HeaderMap::new);
    Request { headers: &NO_HEADERS, body, received_at: received_at() }
}

/// What `parse` makes of a body without headers.
pub(crate) fn parse(parse: Parse, body: &[u8]) -> Result<Vec<AlertEvent>, SourceError> {
    parse(&request(body)).map(|parsed| parsed.alerts)
}

fn fixture_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// A body that a sender may send, such as `grafana/firing.json`.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(fixture_folder().join(name)).unwrap()
}

/// Every body in a folder, by file name.
pub(crate) fn fixtures(folder: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(fixture_folder().join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "json"))
        .map(|name| (name.clone(), fixture(&format!("{folder}/{name}"))))
        .collect()
}

/// The folder that holds a source's fixtures.
fn folder(source: &Source) -> &'static str {
    if source.path == "/api/v2/alerts" { "alertmanager_api" } else { source.name }
}

#[test]
fn every_source_has_a_name_that_the_configuration_knows() {
    for source in ALL {
        assert!(tocsin_shared::source::NAMES.contains(&source.name), "{}", source.name);
    }
}

#[test]
fn no_two_sources_share_an_address() {
    let paths: std::collections::HashSet<_> = ALL.iter().map(|source| source.path).collect();
    assert_eq!(paths.len(), ALL.len());
}

#[test]
fn every_source_has_fixtures_and_understands_them() {
    for source in ALL {
        let bodies = fixtures(folder(source));
        assert!(!bodies.is_empty(), "{}", source.path);
        for (name, body) in bodies {
            let parsed = (source.parse)(&request(&body)).unwrap_or_else(|error| panic!("{name}: {error}"));
            invariants::check(parsed.alerts, parsed.acknowledged, received_at());
        }
    }
}

#[test]
fn every_folder_of_bodies_belongs_to_a_source() {
    for entry in std::fs::read_dir(fixture_folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_known = ALL.iter().any(|source| folder(source) == name);
        assert!(is_known || fixtures(&name).is_empty(), "no source reads {name}/*.json");
    }
}

#[test]
fn deep_nesting_is_refused_without_exhausting_the_stack() {
    let body = "[".repeat(100_000);
    for source in ALL {
        assert!(parse(source.parse, body.as_bytes()).is_err());
        let unknown_field = format!(r#"{{"title":"t","extra":{body}"#);
        assert!(parse(source.parse, unknown_field.as_bytes()).is_err());
    }
}

#[test]
fn something_behind_the_document_is_refused() {
    let body = br#"{"alerts":[{"title":"t","status":"firing"}]} x"#;
    for source in ALL {
        assert!(parse(source.parse, body).is_err(), "{}", source.path);
    }
}

#[test]
fn ten_thousand_alerts_in_one_body_are_taken() {
    let alert = |n: usize| {
        json!({
            "title": "t",
            "status": "firing",
            "labels": {"alertname": "A", "n": n.to_string()},
            "startsAt": "2026-11-23T11:58:12Z",
        })
    };
    let alerts = Value::Array((0..MANY).map(alert).collect());
    let wrapped = json!({ "alerts": alerts }).to_string();
    for source in ALL {
        let body = match folder(source) {
            "prometheus" | "grafana" | "generic" => wrapped.clone(),
            "alertmanager_api" => alerts.to_string(),
            _ => continue,
        };
        assert_eq!(parse(source.parse, body.as_bytes()).unwrap().len(), MANY, "{}", source.path);
    }
}

/// Values that stand where a sender does not put them.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\0a-z ]{0,4}".prop_map(Value::from),
        "(0001|2026|9999)-1[0-3]-[0-3]1T2[0-4]:59:[56][09](\\.[0-9]{1,12})?(Z|\\+[0-2]0:00)".prop_map(Value::from),
        "[a-zü]{2}".prop_map(|text| Value::from(text.repeat(9_000))),
    ];
    leaf.prop_recursive(3, 8, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map("[a-z]{0,3}", inner, 0..4).prop_map(|fields| json!(fields)),
        ]
    })
}

/// How many values a document has, itself included.
fn size(document: &Value) -> usize {
    match document {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

/// Puts `new` in the place of the value that a walk through the document comes to after `steps` others.
fn replace(document: &mut Value, steps: &mut usize, new: &Value) {
    if *steps == 0 {
        *document = new.clone();
    }
    *steps = steps.wrapping_sub(1);
    match document {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, steps, new)),
        Value::Object(fields) => fields.values_mut().for_each(|value| replace(value, steps, new)),
        _ => {}
    }
}

/// A source, and the body of one of its fixtures.
fn any_fixture() -> impl Strategy<Value = (&'static Source, Vec<u8>)> {
    let all: Vec<_> = ALL
        .iter()
        .flat_map(|source| fixtures(folder(source)).into_iter().map(move |(_, body)| (source, body)))
        .collect();
    proptest::sample::select(all)
}

fn check(source: &Source, body: &[u8]) {
    if let Ok(parsed) = (source.parse)(&request(body)) {
        invariants::check(parsed.alerts, parsed.acknowledged, received_at());
    }
    if let KeyPlace::Body(key) = source.key {
        let _ = key(body);
    }
}

proptest! {
    #[test]
    fn no_body_makes_a_parser_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        for source in ALL {
            check(source, &body);
        }
    }

    #[test]
    fn what_is_accepted_is_in_normal_form(title in ".{1,40}", label in ".{0,20}", value in ".{0,20}") {
        let alert = json!({"title": title, "status": "firing", "labels": {label: value}});
        let body = json!({"alerts": [alert]}).to_string();
        for source in ALL {
            check(source, body.as_bytes());
        }
    }

    #[test]
    fn a_body_with_odd_bytes_is_refused_or_in_normal_form(
        (source, mut body) in any_fixture(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..5),
    ) {
        for (at, byte, kind) in changes {
            let at = at.index(body.len());
            match kind {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                _ => drop(body.remove(at)),
            }
        }
        check(source, &body);
    }

    #[test]
    fn a_body_with_odd_values_is_refused_or_in_normal_form(
        (source, body) in any_fixture(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any_value()), 1..4),
    ) {
        let mut document: Value = serde_json::from_slice(&body).unwrap();
        for (at, new) in changes {
            let mut steps = at.index(size(&document));
            replace(&mut document, &mut steps, &new);
        }
        check(source, document.to_string().as_bytes());
    }
}
