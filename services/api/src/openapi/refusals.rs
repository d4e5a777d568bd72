//! Refusals, as they are described: per status, with each code that an operation may answer.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tocsin_service::http::Problem;
use tocsin_shared::ErrorCode;

use super::doc::header_refs;

/// The id that examples show.
const REQUEST_ID: &str = "0193593c-8f1a-7c9e-b9b8-7f3b3f1f2a10";

/// The schema of every refusal.
pub(super) fn schema() -> Value {
    let text = || json!({"type": "string"});
    json!({
        "type": "object",
        "description": "A refusal (RFC 9457).",
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": text(),
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string", "description": "What is wrong with this very request, for people."},
            "code": {"type": "string", "description": "To be matched on: it never changes its meaning or status."},
            "request_id": {"type": "string", "description": "What to quote to an operator; also the header `X-Request-Id`."},
            "error": {
                "type": "object",
                "description": "The same for clients of the tool that Tocsin replaces.",
                "properties": {
                    "code": text(),
                    "message": text(),
                    "details": {"type": ["string", "null"]},
                    "request_id": text(),
                },
                "required": ["code", "message", "details", "request_id"],
            },
        },
        "required": ["type", "title", "status", "code", "request_id", "error"],
    })
}

/// By status: the name of a shared response, and the response.
pub(super) fn responses(codes: &[ErrorCode]) -> BTreeMap<u16, (String, Value)> {
    let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in codes {
        let of_status = by_status.entry(code.status()).or_default();
        if !of_status.contains(code) {
            of_status.push(*code);
        }
    }
    let named = |(status, mut codes): (u16, Vec<ErrorCode>)| {
        codes.sort_unstable_by_key(|code| code.as_str());
        let words: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
        (status, (words.join("."), response(status, &codes, &words)))
    };
    by_status.into_iter().map(named).collect()
}

fn response(status: u16, codes: &[ErrorCode], words: &[&str]) -> Value {
    let headers = match status {
        401 => header_refs(&["X-Request-Id", "WWW-Authenticate"]),
        429 | 503 => header_refs(&["X-Request-Id", "Retry-After"]),
        _ => header_refs(&["X-Request-Id"]),
    };
    let titles: Vec<String> = codes.iter().map(|code| format!("`{}`: {}.", code.as_str(), code.title())).collect();
    let examples: Map<String, Value> = codes.iter().map(|code| (code.as_str().to_owned(), example(*code))).collect();
    json!({
        "description": titles.join(" "),
        "headers": headers,
        "content": {"application/problem+json": {
            "schema": {"allOf": [
                {"$ref": "#/components/schemas/Problem"},
                {"properties": {"code": {"enum": words}, "status": {"const": status}}},
            ]},
            "examples": examples,
        }},
    })
}

fn example(code: ErrorCode) -> Value {
    let problem = Problem::new(code);
    let problem = match detail(code) {
        Some(detail) => problem.detail(detail),
        None => problem,
    };
    let document = serde_json::to_value(problem.document(Some(REQUEST_ID))).unwrap_or_default();
    json!({"summary": code.title(), "value": document})
}

/// What a refusal may say of a request.
const fn detail(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::BadRequest => "header idempotency-key: use 1 to 255 visible ASCII characters",
        ErrorCode::EmptyBody => "missing field `text` at line 1 column 2",
        ErrorCode::InvalidJson => "EOF while parsing an object at line 1 column 1",
        ErrorCode::InvalidPayload => {
            "severity: unknown variant `loud`, expected one of `low`, `medium`, `high`, `critical`"
        }
        ErrorCode::InvalidParameter => "parameter limit: use a number from 1 to 250",
        ErrorCode::MissingToken => "send Authorization: Bearer <token>, or sign in",
        ErrorCode::ForeignRequest => {
            "send the header X-Tocsin-Client with a session's cookie, or a bearer token instead of it"
        }
        ErrorCode::NotFound => "no incident has this id or number",
        ErrorCode::RequestTimeout => "the body did not arrive within 10 s",
        ErrorCode::InvalidTransition => "incident 12 is resolved; reopen it first",
        ErrorCode::PayloadTooLarge => "the body is longer than 1048576 bytes",
        ErrorCode::UnsupportedMediaType => "send Content-Type: application/json",
        _ => return None,
    })
}
