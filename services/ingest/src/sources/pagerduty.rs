//! `PagerDuty`'s Events API, version 2 (<https://developer.pagerduty.com/docs/send-alert-event>).
//!
//! An alert is known by its `dedup_key`; a trigger without one is given one. What an event tells of holds when it comes
//! in: a resolve has no time of its own, so no time that a sender claims may order one event before another
//! (`payload.timestamp` only says since when an alert fires).
//!
//! `error` is as bad as `critical` here: in `PagerDuty`, both call somebody.

mod answers;
mod details;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use tocsin_shared::alert::MAX_TITLE_CHARS;
use tocsin_shared::{AlertEvent, AlertSeverity, AlertStatus, Fingerprint};
use uuid::Uuid;

use self::details::Details;
use super::{KeyPlace, Parsed, Request, Source, SourceError, Times, named, non_empty, read, scalar};

/// Longest body, in bytes.
const MAX_BODY_BYTES: usize = 512 * 1024;
/// Longest `dedup_key`, in characters.
const MAX_DEDUP_KEY_CHARS: usize = 255;
/// The severities of the API.
const SEVERITIES: [&str; 4] = ["critical", "error", "warning", "info"];

pub(super) const SOURCE: Source = Source {
    key: KeyPlace::Body(routing_key),
    max_body_bytes: MAX_BODY_BYTES,
    answer: answers::accepted,
    refuse: Some(answers::refused),
    ..Source::webhook("pagerduty", "/v2/enqueue", parse)
};

/// The integration's key, and nothing else of the body.
fn routing_key(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Keyed {
        routing_key: String,
    }
    serde_json::from_slice(body).ok().map(|Keyed { routing_key }| routing_key)
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Action {
    Trigger,
    Acknowledge,
    Resolve,
}

#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the API's own names")]
struct Event {
    event_action: Action,
    dedup_key: Option<String>,
    payload: Option<Payload>,
    #[serde(default, deserialize_with = "scalar::text")]
    client: Option<String>,
    #[serde(default, deserialize_with = "scalar::text")]
    client_url: Option<String>,
    links: Option<Value>,
    images: Option<Value>,
}

#[derive(Deserialize, Default)]
struct Payload {
    summary: Option<String>,
    source: Option<String>,
    severity: Option<String>,
    #[serde(default, deserialize_with = "scalar::text")]
    timestamp: Option<String>,
    #[serde(default, deserialize_with = "scalar::text")]
    component: Option<String>,
    #[serde(default, deserialize_with = "scalar::text")]
    group: Option<String>,
    #[serde(default, deserialize_with = "scalar::text")]
    class: Option<String>,
    custom_details: Option<Value>,
}

fn parse(request: &Request<'_>) -> Result<Parsed, SourceError> {
    let event: Event = read(request.body)?;
    let dedup_key = event.dedup_key()?;
    let (alerts, acknowledged) = match event.event_action {
        Action::Trigger => {
            event.require_payload()?;
            (vec![event.normalise(AlertStatus::Firing, &dedup_key, request.received_at)], Vec::new())
        }
        Action::Resolve => (vec![event.normalise(AlertStatus::Resolved, &dedup_key, request.received_at)], Vec::new()),
        Action::Acknowledge => (Vec::new(), vec![Fingerprint::of_external_id(&dedup_key)]),
    };
    Ok(Parsed { alerts, acknowledged, dedup_key: Some(dedup_key), ..Parsed::default() })
}

impl Event {
    /// The sender's name of the alert; a new one for a trigger that has none.
    fn dedup_key(&self) -> Result<String, SourceError> {
        let Some(key) = non_empty(self.dedup_key.clone()) else {
            return match self.event_action {
                Action::Trigger => Ok(Uuid::now_v7().to_string()),
                Action::Acknowledge | Action::Resolve => {
                    Err(SourceError::payload("dedup_key", "is missing: it names the alert"))
                }
            };
        };
        if key.chars().count() > MAX_DEDUP_KEY_CHARS {
            let message = format!("must have at most {MAX_DEDUP_KEY_CHARS} characters");
            return Err(SourceError::payload("dedup_key", message));
        }
        Ok(key)
    }

    /// Makes sure that a trigger says what `PagerDuty` requires it to say.
    fn require_payload(&self) -> Result<(), SourceError> {
        let Some(payload) = &self.payload else {
            return Err(SourceError::payload("payload", "is missing"));
        };
        let given = |name: &str, text: &Option<String>| match text {
            Some(text) if !text.trim().is_empty() => Ok(()),
            _ => Err(SourceError::payload(format!("payload.{name}"), "is missing or blank")),
        };
        given("summary", &payload.summary)?;
        given("source", &payload.source)?;
        given("severity", &payload.severity)?;
        if payload.summary.as_ref().is_some_and(|summary| summary.chars().count() > MAX_TITLE_CHARS) {
            let message = format!("must have at most {MAX_TITLE_CHARS} characters");
            return Err(SourceError::payload("payload.summary", message));
        }
        if !payload.severity.as_deref().is_some_and(|word| SEVERITIES.contains(&word)) {
            return Err(SourceError::payload("payload.severity", format!("must be one of {}", SEVERITIES.join(", "))));
        }
        Ok(())
    }

    fn normalise(self, status: AlertStatus, dedup_key: &str, received_at: DateTime<Utc>) -> AlertEvent {
        let is_bare = status == AlertStatus::Resolved && self.payload.is_none();
        let payload = self.payload.unwrap_or_default();
        let annotations = Details {
            custom: payload.custom_details,
            client: self.client,
            client_url: self.client_url.clone(),
            links: self.links,
            images: self.images,
        };
        // That of a resolve says when it was resolved, and not since when it fired.
        let started_at = payload.timestamp.as_deref().and_then(time).filter(|_| status == AlertStatus::Firing);
        let times = Times::at(status, started_at, None, received_at);
        AlertEvent {
            fingerprint: Fingerprint::of_external_id(dedup_key),
            external_id: Some(dedup_key.to_owned()),
            status,
            severity: AlertSeverity::from_word(payload.severity.as_deref()),
            // A resolve says nothing but the key.
            title: non_empty(payload.summary).unwrap_or_else(|| dedup_key.to_owned()),
            description: None,
            labels: named([
                ("source", payload.source),
                ("component", payload.component),
                ("group", payload.group),
                ("class", payload.class),
            ]),
            annotations: annotations.into_annotations(),
            source_url: self.client_url,
            started_at: times.start,
            ended_at: times.end,
            event_at: times.event,
            expires_at: None,
            expires: false,
            is_bare,
        }
        .bounded()
    }
}

/// Reads a time in the forms that `PagerDuty`'s clients write. One that cannot be read is not worth an alert.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let with_zone = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%FT%T%.f%z"));
    with_zone.ok().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests;
