use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::document::describe;
use super::{Table, page};
use crate::routes;

fn document() -> Value {
    describe(routes::table())
}

/// Each operation, with its name for people.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &'_ Value)| {
        let item = item.as_object().unwrap().iter();
        item.map(|(method, _)| (method.clone(), path.clone())).collect::<Vec<_>>()
    };
    let names: Vec<(String, String)> = paths.iter().flat_map(of_path).collect();
    names.into_iter().map(|(method, path)| (format!("{method} {path}"), &paths[&path][&method])).collect()
}

/// The value that a reference leads to.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    value["$ref"].as_str().map_or(value, |reference| document.pointer(&reference[1..]).expect(reference))
}

#[test]
fn the_description_is_as_published() {
    let mut document = document();
    document["info"]["version"] = json!("[version]");
    insta::assert_json_snapshot!(document);
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(document: &Value, value: &Value, seen: &mut usize) {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
            *seen += 1;
        }
        match value {
            Value::Object(fields) => fields.values().for_each(|field| walk(document, field, seen)),
            Value::Array(items) => items.iter().for_each(|item| walk(document, item, seen)),
            _ => {}
        }
    }
    let (document, mut seen) = (document(), 0);
    walk(&document, &document, &mut seen);
    assert!(seen > 100, "{seen}");
}

#[test]
fn every_body_has_an_example_that_its_schema_allows_and_of_what_is_shown_with_every_field() {
    let document = document();
    let check = |name: &str, content: &Value| {
        let (Some(schema), Some(example)) = (content.get("schema"), content.get("example")) else {
            panic!("{name} has no example: {content}");
        };
        let whole = json!({"allOf": [schema], "components": document["components"]});
        let validator = jsonschema::options().should_validate_formats(true).build(&whole).unwrap();
        let errors: Vec<String> = validator.iter_errors(example).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        if let Some(fields) = resolved(&document, schema)["properties"].as_object().filter(|_| !name.contains("Asked"))
        {
            let given: BTreeSet<&String> = example.as_object().unwrap().keys().collect();
            assert!(given.is_subset(&fields.keys().collect()), "{name}: {example}");
        }
    };
    let mut bodies = 0;
    for (name, operation) in operations(&document) {
        if name.ends_with("/openapi.json") {
            continue;
        }
        if let Some(content) = operation["requestBody"]["content"].get("application/json") {
            check(&name, content);
            bodies += 1;
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            for (media_type, content) in resolved(&document, response)["content"].as_object().into_iter().flatten() {
                if media_type == "application/problem+json" {
                    for (code, example) in content["examples"].as_object().unwrap() {
                        let content = json!({"schema": content["schema"], "example": example["value"]});
                        check(&format!("{name} {status} {code}"), &content);
                    }
                } else {
                    check(&format!("{name} {status}"), content);
                }
                bodies += 1;
            }
        }
    }
    assert!(bodies > 100, "{bodies}");
}

#[test]
fn every_operation_says_who_may_call_it_and_how_it_is_refused() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{name}");
        let responses = operation["responses"].as_object().unwrap();
        let is_open = operation["security"].as_array().unwrap().is_empty();
        assert!(is_open || ["401", "429"].iter().all(|status| responses.contains_key(*status)), "{name}");
        assert!(responses.contains_key("500"), "{name}");
        let tag = &operation["tags"][0];
        assert!(document["tags"].as_array().unwrap().iter().any(|known| known["name"] == *tag), "{name}: {tag}");
    }
}

#[test]
fn the_page_shows_every_operation_and_every_schema_and_has_no_script() {
    let document = document();
    let page = page::page(&document).unwrap();
    for (name, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert_eq!(page.matches(&format!("id=\"{id}\"")).count(), 1, "{name}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("id=\"schema-{name}\"")), "{name}");
    }
    for forbidden in ["<script", " style=", "onclick", "http://"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn routes_are_served_in_the_order_in_which_they_are_described() {
    let Table(entries) = routes::table();
    let at = |path: &str| entries.iter().position(|entry| entry.path == path).unwrap();
    assert!(at("/api/v1/notifications/redrive") < at("/api/v1/notifications/{id}"));
}
