//! Datadog's webhooks integration (<https://docs.datadoghq.com/integrations/webhooks/>).
//!
//! Each user writes the JSON template; `docs/senders.md` has ours, and Datadog's default payload is understood as far as
//! it goes. Every field is optional but the title, each may be text or number, and a variable that Datadog did not
//! expand counts as absent.
//!
//! An alert is known by its cycle key (one for the time from trigger to recovery), or else by its aggregation key, its
//! monitor and scope, or its title without the state that Datadog puts before it. `$DATE` orders the events.

mod tags;
mod transition;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tocsin_shared::alert::ALERTNAME;
use tocsin_shared::{AlertEvent, AlertSeverity, AlertStatus, Fingerprint, Labels};

use self::transition::{Headline, Transition};
use super::{Parsed, Request, SourceError, Times, named, non_empty, read, scalar};

/// Times from here on are in milliseconds, before it in seconds: the year 5138, or March 1973.
const FIRST_MILLISECONDS: i64 = 100_000_000_000;
/// What Datadog encloses Markdown in.
const MARKDOWN: &str = "%%%";

/// The template's fields; `title`, `body`, `date`, `event_type` and `org` are also those of the default payload.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Payload {
    #[serde(deserialize_with = "variable")]
    alert_cycle_key: Option<String>,
    #[serde(deserialize_with = "variable")]
    aggreg_key: Option<String>,
    #[serde(deserialize_with = "variable")]
    alert_id: Option<String>,
    #[serde(deserialize_with = "variable")]
    alert_scope: Option<String>,
    #[serde(deserialize_with = "variable")]
    alert_transition: Option<String>,
    #[serde(deserialize_with = "variable")]
    alert_type: Option<String>,
    #[serde(deserialize_with = "variable")]
    alert_priority: Option<String>,
    #[serde(deserialize_with = "variable")]
    alert_metric: Option<String>,
    #[serde(deserialize_with = "variable")]
    alert_query: Option<String>,
    #[serde(deserialize_with = "variable")]
    alert_status: Option<String>,
    #[serde(deserialize_with = "variable")]
    title: Option<String>,
    #[serde(deserialize_with = "variable")]
    body: Option<String>,
    #[serde(deserialize_with = "variable")]
    date: Option<String>,
    #[serde(deserialize_with = "variable")]
    event_type: Option<String>,
    #[serde(deserialize_with = "variable")]
    hostname: Option<String>,
    #[serde(deserialize_with = "variable")]
    link: Option<String>,
    #[serde(deserialize_with = "variable")]
    tags: Option<String>,
    org: Value,
}

/// A variable's value, if Datadog has put one in its place.
fn variable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let is_name = |text: &str| {
        text.strip_prefix('$').is_some_and(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
    };
    Ok(scalar::text(deserializer)?.filter(|text| !is_name(text.trim())))
}

pub(super) fn parse(request: &Request<'_>) -> Result<Parsed, SourceError> {
    let payload: Payload = read(request.body)?;
    let Some(title) = payload.title.clone() else {
        return Err(SourceError::payload("title", "is missing: use the template of docs/senders.md"));
    };
    Ok(vec![payload.normalise(Headline::of(&title), request.received_at)].into())
}

impl Payload {
    fn normalise(self, headline: Headline<'_>, received_at: DateTime<Utc>) -> AlertEvent {
        let said = self.alert_transition.as_deref().and_then(Transition::of_text);
        let is_success = self.alert_type.as_deref() == Some("success");
        let transition = said.or(headline.transition).or_else(|| is_success.then_some(Transition::Recovered));
        let status = match transition {
            Some(Transition::Recovered | Transition::WarnRecovered) => AlertStatus::Resolved,
            _ => AlertStatus::Firing,
        };
        let (external_id, fingerprint) = self.identity(headline);
        let times = Times::at(status, None, self.date.as_deref().and_then(time), received_at);
        AlertEvent {
            fingerprint,
            external_id,
            status,
            severity: self.severity(transition),
            title: headline.name.to_owned(),
            description: self.body.as_deref().and_then(message),
            labels: self.labels(headline),
            annotations: named([
                ("scope", self.alert_scope),
                ("query", self.alert_query),
                ("status", self.alert_status),
                ("event_type", self.event_type),
                ("organization", self.org["name"].as_str().map(str::to_owned)),
            ]),
            source_url: self.link,
            started_at: times.start,
            ended_at: times.end,
            event_at: times.event,
            expires_at: None,
            expires: false,
            is_bare: false,
        }
        .bounded()
    }

    fn identity(&self, headline: Headline<'_>) -> (Option<String>, Fingerprint) {
        let of_monitor = || {
            let scope = self.alert_scope.as_deref().or(self.hostname.as_deref()).unwrap_or_default();
            self.alert_id.as_ref().map(|id| format!("{id}/{scope}"))
        };
        let id = self.alert_cycle_key.clone().or_else(|| self.aggreg_key.clone()).or_else(of_monitor);
        let fingerprint = match &id {
            Some(id) => Fingerprint::of_external_id(id),
            None => Fingerprint::of_external_id(&format!("{} {}", headline.name, headline.group)),
        };
        (id, fingerprint)
    }

    /// A warning or a lack of data is a warning; the rest is as bad as the monitor's priority says, or else the event's
    /// type. An unknown transition is a warning, too: it must not be lost, and need not wake anybody.
    fn severity(&self, transition: Option<Transition>) -> AlertSeverity {
        match transition {
            Some(Transition::Triggered | Transition::Recovered) => {}
            Some(Transition::Warn | Transition::WarnRecovered | Transition::NoData) | None => {
                return AlertSeverity::Warning;
            }
        }
        match (self.alert_priority.as_deref(), self.alert_type.as_deref()) {
            (Some("P1" | "P2"), _) => AlertSeverity::Critical,
            (Some("P3"), _) | (_, Some("warning")) => AlertSeverity::Warning,
            (Some("P4" | "P5"), _) | (_, Some("info")) => AlertSeverity::Info,
            _ => AlertSeverity::Critical,
        }
    }

    fn labels(&self, headline: Headline<'_>) -> Labels {
        let mut labels = tags::labels([self.tags.as_deref(), self.alert_scope.as_deref(), headline.tags()]);
        let fields = named([
            (ALERTNAME, Some(headline.name.to_owned())),
            ("host", self.hostname.clone()),
            ("monitor_id", self.alert_id.clone()),
            ("metric", self.alert_metric.clone()),
        ]);
        for (name, text) in fields {
            labels.entry(name).or_insert(text);
        }
        labels
    }
}

/// The text of an event, without the marks of Markdown.
fn message(body: &str) -> Option<String> {
    let text = body.trim();
    let text = text.strip_prefix(MARKDOWN).unwrap_or(text);
    let text = text.strip_suffix(MARKDOWN).unwrap_or(text);
    non_empty(Some(text.trim().to_owned()))
}

/// A time in milliseconds (`$DATE`) or seconds (`$DATE_POSIX`).
fn time(text: &str) -> Option<DateTime<Utc>> {
    let number: i64 = text.trim().parse().ok()?;
    if number < FIRST_MILLISECONDS {
        DateTime::from_timestamp(number, 0)
    } else {
        DateTime::from_timestamp_millis(number)
    }
}

#[cfg(test)]
mod tests;
