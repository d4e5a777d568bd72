//! Senders. Each has a file of its own that turns its body into normal form, and a line in [`ALL`].

mod alertmanager_api;
mod cloudwatch;
mod datadog;
pub mod generic;
mod grafana;
mod pagerduty;
mod prometheus;
mod scalar;
mod sentry;
pub(crate) mod sns;

use actix_web::HttpResponse;
use actix_web::http::header::HeaderMap;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tocsin_service::http::{MAX_BODY_BYTES, Problem};
use tocsin_shared::{AlertEvent, AlertStatus, EventId, Fingerprint, Labels};
use url::Url;

/// Turns a request into normal form.
pub type Parse = fn(&Request<'_>) -> Result<Parsed, SourceError>;

/// A request whose sender is known, and whose body is read and decoded.
#[derive(Debug)]
pub struct Request<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a [u8],
    /// When it had been read whole.
    pub received_at: DateTime<Utc>,
}

/// What a request holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// What it tells of alerts.
    pub alerts: Vec<AlertEvent>,
    /// Alerts that somebody has taken on.
    pub acknowledged: Vec<Fingerprint>,
    /// The sender's own name of the delivery, where this kind of sender has a place of its own for one.
    pub delivery_id: Option<String>,
    /// The sender's name of its alert, where the answer repeats it.
    pub dedup_key: Option<String>,
    /// The address that confirms a subscription, where the request asks for one.
    pub confirm: Option<Url>,
}

impl From<Vec<AlertEvent>> for Parsed {
    fn from(alerts: Vec<AlertEvent>) -> Self {
        Self { alerts, ..Self::default() }
    }
}

/// A kind of sender.
#[derive(Debug)]
pub struct Source {
    /// The `source` of its alerts.
    pub name: &'static str,
    /// Where it posts.
    pub path: &'static str,
    /// Where it puts the integration's key.
    pub key: KeyPlace,
    /// Longest body, inflated.
    pub max_body_bytes: usize,
    /// Whether a body that says it is `text/plain` is taken, too.
    pub takes_text: bool,
    /// What makes its requests authentic, beside the key.
    pub signed: Signed,
    /// How its requests are read.
    pub parse: Parse,
    /// What it is told when its delivery is durable.
    pub answer: fn(&Accepted) -> HttpResponse,
    /// What it is told when it is refused, if it does not read problem+json.
    pub refuse: Option<fn(&Problem) -> HttpResponse>,
}

/// Where a sender puts the integration's key.
#[derive(Debug, Clone, Copy)]
pub enum KeyPlace {
    /// The last segment of the path, or the `Authorization` header.
    Path,
    /// The `Authorization` header: bearer, or the password of basic.
    Header,
    /// The body.
    Body(fn(&[u8]) -> Option<String>),
}

/// What makes a request authentic, beside its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// What the integration asks for.
    AsConfigured,
    /// The signature that Amazon SNS puts into its body.
    BySns,
}

impl Source {
    /// A sender that posts JSON to `/api/v1/webhooks/…`.
    const fn webhook(name: &'static str, path: &'static str, parse: Parse) -> Self {
        Self {
            name,
            path,
            key: KeyPlace::Path,
            max_body_bytes: MAX_BODY_BYTES,
            takes_text: false,
            signed: Signed::AsConfigured,
            parse,
            answer: as_webhook,
            refuse: None,
        }
    }
}

/// Every sender.
pub const ALL: &[Source] = &[
    alertmanager_api::SOURCE,
    Source::webhook("prometheus", "/api/v1/webhooks/prometheus", prometheus::parse),
    Source::webhook("grafana", "/api/v1/webhooks/grafana", grafana::parse),
    pagerduty::SOURCE,
    Source::webhook("datadog", "/api/v1/webhooks/datadog", datadog::parse),
    Source::webhook("sentry", "/api/v1/webhooks/sentry", sentry::parse),
    Source::webhook("generic", "/api/v1/webhooks/generic", generic::parse),
    cloudwatch::SOURCE,
];

/// A delivery that is durable; the answer to a webhook.
#[derive(Debug, Serialize)]
pub struct Accepted {
    /// The kind of sender.
    pub source: &'static str,
    /// How many alerts it held.
    pub received: usize,
    /// Under which id it is applied; the first, if it took several.
    pub event_id: EventId,
    /// The sender's name of its alert.
    #[serde(skip)]
    pub dedup_key: Option<String>,
}

/// The answer of every `/api/v1/webhooks/*`.
fn as_webhook(accepted: &Accepted) -> HttpResponse {
    HttpResponse::Ok().json(accepted)
}

/// A body that is refused. Nothing of it is sent to the logs; the message goes to the sender.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is not JSON, or nested deeper than 127 levels.
    #[error("not JSON")]
    InvalidJson(#[source] serde_json::Error),
    /// It is JSON of another shape.
    #[error("{field}: {message}")]
    InvalidPayload {
        /// The path of what is wrong.
        field: String,
        /// What is wrong with it.
        message: String,
    },
}

impl SourceError {
    fn payload(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidPayload { field: field.into(), message: message.into() }
    }
}

/// Reads a body as `T`, and says which field is wrong if one is.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, SourceError> {
    // Keeping track of the path costs half as much again, so that is done for what is wrong alone.
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if error.is_data() {
            SourceError::payload(if path == "." { "body".to_owned() } else { path }, error.to_string())
        } else {
            SourceError::InvalidJson(error)
        }
    })?;
    deserializer.end().map_err(SourceError::InvalidJson)?;
    Ok(value)
}

/// The times of an event.
struct Times {
    start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
    event: DateTime<Utc>,
}

impl Times {
    /// From what a sender claims of an alert's start and end. An event is as old as the state that it tells of: a firing
    /// alert's start, a resolved one's end. A time in the future is taken for a clock that is wrong: it would otherwise
    /// outrank everything that follows.
    fn new(
        status: AlertStatus,
        start: Option<DateTime<Utc>>,
        end: Option<DateTime<Utc>>,
        received_at: DateTime<Utc>,
    ) -> Self {
        let (start, end) = (given(start), given(end));
        let end = (status == AlertStatus::Resolved).then(|| end.unwrap_or(received_at));
        let newest = end.or(start).unwrap_or(received_at);
        Self { start, end, event: newest.min(received_at) }
    }

    /// Of a sender that tells of a moment, `at`, and not of the whole time that the alert has fired. Without `at` it is
    /// the time of receipt.
    fn at(
        status: AlertStatus,
        start: Option<DateTime<Utc>>,
        at: Option<DateTime<Utc>>,
        received_at: DateTime<Utc>,
    ) -> Self {
        let event = given(at).unwrap_or(received_at).min(received_at);
        Self { start: given(start), end: (status == AlertStatus::Resolved).then_some(event), event }
    }
}

/// A time, if it is one: senders write year 1 for "none".
fn given(time: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    time.filter(|time| *time > DateTime::UNIX_EPOCH)
}

/// Labels or annotations of the texts that are there.
fn named<const N: usize>(texts: [(&str, Option<String>); N]) -> Labels {
    texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), non_empty(text)?))).collect()
}

/// A text, if there is any.
fn non_empty(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod invariants;
#[cfg(test)]
pub(crate) mod tests;
