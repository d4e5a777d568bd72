//! Anything that takes JSON: the incident in a documented form (docs/receivers.md), signed by Standard Webhooks.

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use ring::hmac;
use serde::Serialize;
use serde_json::{Value, json};
use tocsin_bus::Quota;
use tocsin_service::config::document::WebhookSection;
use tocsin_service::config::{Environment, ExposeSecret as _, Problem, SecretSource, SecretString};
use tocsin_service::standard_webhooks;
use tocsin_shared::board::Alert;
use tocsin_shared::ledger::NoticeKind;
use tocsin_store::IncidentRecord;
use url::Url;

use super::exchange::call;
use super::{Http, Provider, Sent, digest, pace};
use crate::guard;
use crate::story::Story;

/// Most bytes of alerts in one body; an alert may have 128 labels of a thousand characters.
const MAX_ALERTS_BYTES: usize = 256 * 1_024;
/// Most alerts in one body.
const MAX_ALERTS: usize = 100;
/// Most bytes of an answer that are read.
const MAX_RESPONSE_BYTES: usize = 4 * 1_024;

/// An address that takes JSON.
#[derive(Debug)]
pub(crate) struct Webhook {
    url: SecretString,
    /// The key with which requests are signed.
    key: Option<hmac::Key>,
    authorization: Option<SecretString>,
    allow_private: bool,
    destination: String,
    /// A bound against loops more than for the receiver's sake.
    pace: [Quota; 1],
}

#[derive(Debug, Serialize)]
struct Body<'a> {
    r#type: String,
    timestamp: DateTime<Utc>,
    data: Data<'a>,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    notification_id: String,
    revision: i64,
    test: bool,
    incident: Value,
    alerts: Vec<Value>,
    /// Alerts of the incident that are not among `alerts`.
    more_alerts: usize,
    link: Option<&'a Url>,
    instead_of: Option<Value>,
}

impl Webhook {
    pub(super) fn new(section: &WebhookSection, path: &str, env: &Environment) -> Result<Self, Problem> {
        let url = section.url(path).http_address(env, section.allow_private)?;
        let key = section.secret(path).map(|secret| secret.standard_webhooks_key(env)).transpose()?;
        let authorization = section.authorization(path).map(|source| authorization(&source, env)).transpose()?;
        Ok(Self {
            pace: [pace(section.per_second)],
            destination: format!("webhook:{}", digest(url.expose_secret())),
            key: key.map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret())),
            authorization,
            allow_private: section.allow_private,
            url,
        })
    }

    async fn post(&self, http: &Http, story: &Story) -> Sent {
        let Ok(url) = Url::parse(self.url.expose_secret()) else {
            return Sent::refused("its address cannot be read");
        };
        let client = if self.allow_private {
            &http.open
        } else if let Err(forbidden) = guard::check_literal(&url) {
            return Sent::refused(&forbidden.to_string());
        } else {
            &http.guarded
        };
        let body = body(story).to_string();
        let mut request = client.post(url).header(CONTENT_TYPE, "application/json");
        for (name, value) in self.headers(story, &body, Utc::now()) {
            request = request.header(name, value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.expose_secret());
        }
        let mut secrets = vec![&self.url];
        secrets.extend(&self.authorization);
        match call(request.body(body), MAX_RESPONSE_BYTES).await {
            Ok(response) => response.sent(response.answer(), &secrets),
            Err(sent) => sent,
        }
    }

    /// The headers of Standard Webhooks. The id is that of the notice: every attempt has the same, and so a receiver that
    /// keeps it acts once.
    fn headers(&self, story: &Story, body: &str, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
        let (id, timestamp) = (story.notice.to_string(), now.timestamp().to_string());
        let signature =
            self.key.as_ref().map(|key| standard_webhooks::signature(key, &id, &timestamp, body.as_bytes()));
        let mut headers = vec![(standard_webhooks::ID, id), (standard_webhooks::TIMESTAMP, timestamp)];
        headers.extend(signature.map(|signature| (standard_webhooks::SIGNATURE, signature)));
        headers
    }
}

impl Provider for Webhook {
    fn destination(&self) -> &str {
        &self.destination
    }

    fn pace(&self) -> &[Quota] {
        &self.pace
    }

    fn preview(&self, story: &Story) -> String {
        serde_json::to_string_pretty(&body(story)).unwrap_or_default()
    }

    fn send<'a>(&'a self, http: &'a Http, story: &'a Story) -> BoxFuture<'a, Sent> {
        Box::pin(self.post(http, story))
    }
}

/// The value of `Authorization`, which must be one of a header.
fn authorization(source: &SecretSource, env: &Environment) -> Result<SecretString, Problem> {
    let value = source.resolve(env)?;
    match HeaderValue::from_str(value.expose_secret()) {
        Ok(_) => Ok(value),
        Err(_) => Err(Problem::new(&source.key, "cannot be a header", "write it as Bearer and a token, on one line")),
    }
}

fn body(story: &Story) -> Value {
    let kind = if story.is_test { NoticeKind::Triggered } else { story.kind };
    let alerts = alerts(&story.alerts);
    let all = usize::try_from(story.record.incident.alert_count).unwrap_or_default();
    let body = Body {
        r#type: format!("incident.{kind}"),
        timestamp: story.at,
        data: Data {
            notification_id: story.notice.to_string(),
            revision: story.revision,
            test: story.is_test,
            incident: incident(&story.record),
            more_alerts: all.saturating_sub(alerts.len()),
            alerts,
            link: story.link.as_ref(),
            instead_of: story
                .instead_of
                .as_ref()
                .map(|instead| json!({"receiver": instead.receiver, "reason": instead.reason})),
        },
    };
    serde_json::to_value(body).unwrap_or_default()
}

/// As many alerts as there is room for.
fn alerts(alerts: &[Alert]) -> Vec<Value> {
    let mut room = MAX_ALERTS_BYTES;
    let fitting = alerts.iter().take(MAX_ALERTS).map(alert).take_while(|alert| {
        let bytes = alert.to_string().len();
        let fits = bytes <= room;
        room = room.saturating_sub(bytes);
        fits
    });
    fitting.collect()
}

/// The incident as the read API shows it.
fn incident(record: &IncidentRecord) -> Value {
    let incident = &record.incident;
    json!({
        "id": incident.id,
        "incident_number": record.number,
        "title": incident.title,
        "status": incident.status,
        "severity": incident.severity,
        "summary": incident.summary,
        "group_key": incident.group_key,
        "labels": incident.labels,
        "alert_count": incident.alert_count,
        "firing_count": incident.firing.total(),
        "created_at": record.created_at,
        "triggered_at": incident.triggered_at,
        "acknowledged_at": incident.acknowledged_at,
        "acknowledged_by": incident.acknowledged_by,
        "resolved_at": incident.resolved_at,
        "resolved_by": incident.resolved_by,
        "updated_at": incident.updated_at,
        "version": incident.version,
    })
}

/// An alert as the read API shows it.
fn alert(alert: &Alert) -> Value {
    let newest = &alert.newest;
    json!({
        "id": alert.id,
        "external_id": newest.external_id,
        "source": alert.source,
        "fingerprint": newest.fingerprint,
        "status": alert.status,
        "severity": newest.severity,
        "title": newest.title,
        "description": newest.description,
        "labels": newest.labels,
        "annotations": newest.annotations,
        "source_url": newest.source_url,
        "started_at": alert.started_at,
        "ended_at": newest.ended_at,
    })
}
