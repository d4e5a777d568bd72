//! The schemas of what the domain names: its words, and texts with the bounds that the code checks.

use serde_json::{Value, json};
use tocsin_shared::alert::{MAX_LABEL_CHARS, MAX_LABELS, MAX_TEXT_CHARS, MAX_TITLE_CHARS};
use tocsin_shared::ledger::MAX_DEAD_NOTICES;
use tocsin_shared::matcher::MAX_MATCHERS;
use tocsin_shared::silence::MAX_COMMENT_CHARS;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Postgres cannot hold NUL.
pub(super) const WITHOUT_NUL: &str = r"^[^\x00]*$";
/// A text that says something.
const WITH_A_WORD: &str = r"^[^\x00]*[^\s\x00][^\x00]*$";

/// Types that stand in schemas for those of the domain, which knows nothing of them; and [`all`], what they stand for.
macro_rules! stand_ins {
    ($($name:ident = $schema:expr;)+) => {
        $(#[derive(Debug)]
        pub(crate) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                RefOr::Ref(Ref::from_schema_name(stringify!($name)))
            }
        }

        impl ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        })+

        /// Each, with its name.
        pub(super) fn all() -> Vec<(&'static str, Value)> {
            vec![$((stringify!($name), $schema)),+]
        }
    };
}

stand_ins! {
    IncidentStatus = words(tocsin_shared::IncidentStatus::ALL);
    IncidentSeverity = words(tocsin_shared::IncidentSeverity::ALL);
    AlertStatus = words(tocsin_shared::AlertStatus::ALL);
    AlertSeverity = words(tocsin_shared::AlertSeverity::ALL);
    TimelineKind = words(tocsin_shared::board::TimelineKind::ALL);
    Outcome = words(tocsin_shared::board::Outcome::ALL);
    ActorKind = words(tocsin_shared::ActorKind::ALL);
    NotificationKind = words(tocsin_shared::ledger::NoticeKind::ALL);
    NotificationStatus = words(tocsin_shared::ledger::NoticeStatus::ALL);
    Scope = words(&["read", "respond", "admin"]);
    Labels = json!({"type": "object", "additionalProperties": {"type": "string"}});
    NewLabels = new_labels();
    Title = text(MAX_TITLE_CHARS);
    Text = text(MAX_TEXT_CHARS);
    Receiver = text(100);
    Comment = json!({"type": "string", "maxLength": MAX_COMMENT_CHARS, "pattern": WITHOUT_NUL});
    DeadCount = json!({"type": "integer", "minimum": 1, "maximum": MAX_DEAD_NOTICES});
    Matchers = matchers();
    Recurrence = recurrence();
    SilenceDuration = json!({
        "type": "string",
        "format": "words-of-duration",
        "description": "`30m`, `1h`, `1h30m` or `7d`: from `1m` to `30d`.",
    });
    Id = json!({"type": "string", "format": "uuid"});
    Anything = json!({});
}

/// One of these words.
pub(super) fn words(all: &[impl ToString]) -> Value {
    json!({"type": "string", "enum": all.iter().map(ToString::to_string).collect::<Vec<_>>()})
}

fn text(max: usize) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": max, "pattern": WITH_A_WORD})
}

fn new_labels() -> Value {
    json!({
        "type": "object",
        "propertyNames": {"minLength": 1, "maxLength": MAX_LABEL_CHARS, "pattern": WITH_A_WORD},
        "additionalProperties": {"type": "string", "maxLength": MAX_LABEL_CHARS, "pattern": WITHOUT_NUL},
        "maxProperties": MAX_LABELS,
    })
}

fn matchers() -> Value {
    json!({
        "type": "array",
        "items": {"type": "string", "format": "matcher"},
        "minItems": 1,
        "maxItems": MAX_MATCHERS,
        "description": "`name=\"value\"`, or with `!=`, `=~`, `!~` instead of `=` (the whole value matches a regular expression of \
                        RE2's syntax, or does not). All must match, and at least one must ask for a label that is there.",
    })
}

fn recurrence() -> Value {
    let time = json!({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"});
    json!({
        "type": "object",
        "description": "A window that comes again: on these days (all, if none is given), from one time to another, by the clock \
                        of a place. One that does not end after it starts crosses midnight.",
        "properties": {
            "days": {"type": "array", "items": words(&["mon", "tue", "wed", "thu", "fri", "sat", "sun"])},
            "from": time,
            "to": time,
            "zone": {
                "type": "string",
                "format": "time-zone",
                "description": "A name of the IANA database; `UTC` unless it is given.",
            },
        },
        "required": ["from", "to"],
        "additionalProperties": false,
    })
}
