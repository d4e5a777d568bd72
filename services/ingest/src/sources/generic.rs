//! Anything that can send JSON: `{"alerts": […]}`, or one alert by itself.
//!
//! An alert is known by its `external_id`, or else by its labels together with its title.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tocsin_shared::alert::ALERTNAME;
use tocsin_shared::{AlertEvent, AlertSeverity, AlertStatus, Fingerprint, Labels};

use super::{Parsed, Request, SourceError, Times, non_empty, read};

/// The JSON Schema (2020-12) of what is understood here.
pub const SCHEMA: &str = include_str!("generic/schema.json");

/// Tells the two forms apart.
#[derive(Deserialize)]
struct Form {
    alerts: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Payload {
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    title: String,
    description: Option<String>,
    severity: Option<String>,
    #[serde(default = "firing")]
    status: AlertStatus,
    external_id: Option<String>,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
}

const fn firing() -> AlertStatus {
    AlertStatus::Firing
}

pub(super) fn parse(request: &Request<'_>) -> Result<Parsed, SourceError> {
    let form: Form = read(request.body)?;
    let (alerts, wrapped) = match form.alerts {
        Some(_) => (read::<Payload>(request.body)?.alerts, true),
        None => (vec![read::<Alert>(request.body)?], false),
    };
    if alerts.is_empty() {
        return Err(SourceError::payload("alerts", "must hold at least one alert"));
    }
    if let Some(index) = alerts.iter().position(|alert| alert.title.trim().is_empty()) {
        let field = if wrapped { format!("alerts[{index}].title") } else { "title".to_owned() };
        return Err(SourceError::payload(field, "must not be empty"));
    }
    Ok(alerts.into_iter().map(|alert| alert.normalise(request.received_at)).collect::<Vec<_>>().into())
}

impl Alert {
    fn normalise(self, received_at: DateTime<Utc>) -> AlertEvent {
        let external_id = non_empty(self.external_id);
        let fingerprint = if let Some(id) = &external_id {
            Fingerprint::of_external_id(id)
        } else {
            let mut identity = self.labels.clone();
            identity.entry(ALERTNAME.to_owned()).or_insert_with(|| self.title.clone());
            Fingerprint::of_labels(&identity)
        };
        // A resolution by id need not repeat what the alert is like.
        let is_bare = self.status == AlertStatus::Resolved && external_id.is_some() && self.labels.is_empty();
        let times = Times::new(self.status, self.started_at, self.ended_at, received_at);
        let severity = self.severity.as_deref().or_else(|| self.labels.get("severity").map(String::as_str));
        AlertEvent {
            fingerprint,
            external_id,
            status: self.status,
            severity: AlertSeverity::from_word(severity),
            title: self.title,
            description: non_empty(self.description),
            labels: self.labels,
            annotations: self.annotations,
            source_url: None,
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

#[cfg(test)]
mod tests;
