//! Parameters of requests, with the bounds that `crate::params` and `crate::caller` check.

use serde_json::{Value, json};
use tocsin_shared::ledger::NoticeStatus;
use tocsin_shared::{AlertSeverity, AlertStatus, IncidentSeverity, IncidentStatus};

use super::schemas::{WITHOUT_NUL, words};
use crate::caller::{MAX_KEY_BYTES, MAX_NAME_CHARS};
use crate::params::{DEFAULT_LIMIT, MAX_CHOICES, MAX_LABELS, MAX_LIMIT, MAX_OFFSET, MAX_TEXT_CHARS};

/// What a header can hold: spaces around it are not part of it.
const WITHIN_A_HEADER: &str = r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$";

/// In the query, and never required.
pub(crate) fn query(name: &str, about: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "query", "required": false, "description": about, "schema": schema})
}

/// In the path.
pub(super) fn path(name: &str, about: &str, schema: &Value, example: &Value) -> Value {
    json!({"name": name, "in": "path", "required": true, "description": about, "schema": schema, "example": example})
}

/// Of a header.
pub(crate) fn header(name: &str, about: &str, required: bool, schema: &Value) -> Value {
    json!({"name": name, "in": "header", "required": required, "description": about, "schema": schema})
}

fn several(name: &str, about: &str, item: &Value) -> Value {
    let about = format!("{about} Several times, or once with commas in between.");
    let schema = json!({"type": "array", "items": item, "minItems": 1, "maxItems": MAX_CHOICES});
    query(name, &about, &schema)
}

fn several_names(name: &str, about: &str) -> Value {
    several(name, about, &json!({"type": "string", "minLength": 1, "pattern": "^[^,\\x00]+$"}))
}

/// `limit`, `page` and `cursor`.
pub(super) fn window() -> [Value; 3] {
    [
        query(
            "limit",
            "Most items of the answer.",
            &json!({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}),
        ),
        query(
            "page",
            &format!(
                "Skips so many pages but one, and at most {MAX_OFFSET} items; beyond, and wherever a list is read whole, use `cursor`."
            ),
            &json!({"type": "integer", "minimum": 1, "maximum": MAX_OFFSET + 1}),
        ),
        query(
            "cursor",
            "What follows an answer: its `next_cursor`, as it was given. Not together with `page`.",
            &json!({"type": "string", "format": "cursor"}),
        ),
    ]
}

/// What incidents are filtered by.
pub(crate) fn of_incidents() -> Vec<Value> {
    let time = || json!({"type": "string", "format": "date-time"});
    vec![
        several("status", "In one of these states.", &words(IncidentStatus::ALL)),
        several("severity", "As bad as one of these.", &words(IncidentSeverity::ALL)),
        label(),
        text("In the title or the summary, or the incident's number."),
        query("created_after", "At this time or later.", &time()),
        query("created_before", "Before this time.", &time()),
    ]
}

/// What alerts are filtered by.
pub(crate) fn of_alerts() -> Vec<Value> {
    vec![
        several_names("source", "From one of these senders, such as `prometheus`."),
        several("status", "In one of these states.", &words(AlertStatus::ALL)),
        several("severity", "As bad as one of these.", &words(AlertSeverity::ALL)),
        label(),
        text("In the title or the description."),
    ]
}

/// What notifications are filtered by.
pub(crate) fn of_notifications() -> Vec<Value> {
    vec![
        several("status", "In one of these states.", &words(NoticeStatus::ALL)),
        several_names("receiver", "To one of these receivers."),
    ]
}

fn label() -> Value {
    let about = "`name=value`, or with `!=`, `=~`, `!~` instead of `=` (the whole value matches a regular expression of RE2's \
                 syntax, or does not). Several times: all must match. A label that is not there counts as empty.";
    let item = json!({"type": "string", "format": "label-filter"});
    let schema = json!({"type": "array", "items": item, "minItems": 1, "maxItems": MAX_LABELS});
    query("label", about, &schema)
}

fn text(about: &str) -> Value {
    query("q", about, &json!({"type": "string", "maxLength": MAX_TEXT_CHARS, "pattern": WITHOUT_NUL}))
}

/// Headers of requests that act.
pub(super) fn of_actions() -> [Value; 2] {
    [
        header(
            "Idempotency-Key",
            "Names the request: repeated under the same name by the same token, it is done once.",
            false,
            &json!({"type": "string", "minLength": 1, "maxLength": MAX_KEY_BYTES, "pattern": WITHIN_A_HEADER}),
        ),
        header(
            "X-Tocsin-Actor",
            "For whom the caller acts; the timeline then names both.",
            false,
            &json!({"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARS, "pattern": WITHIN_A_HEADER}),
        ),
    ]
}

/// The header that a browser must send with a session's cookie.
pub(super) fn client() -> Value {
    let about = "Any value: what our own pages send, and a form of another site cannot.";
    header("X-Tocsin-Client", about, true, &json!({"type": "string"}))
}
