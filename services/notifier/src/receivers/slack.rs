//! Slack's incoming webhooks (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>): plain posts,
//! which cannot be edited later.

use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use tocsin_bus::Quota;
use tocsin_service::config::{Environment, ExposeSecret as _, Problem, SecretSource, SecretString};
use tocsin_shared::IncidentSeverity;
use tocsin_shared::ledger::NoticeKind;
use tocsin_store::IncidentRecord;
use url::Url;

use super::{Answer, Http, Provider, Sent, body_start, digest, retry_after};
use crate::story::Story;

/// Slack's bound on the text of a header block, in characters.
const MAX_HEADER_CHARS: usize = 150;
/// Our bound on the summary, well below Slack's 3,000 characters for a section.
const MAX_SUMMARY_CHARS: usize = 1_000;
/// Slack's bound on the fields of a section.
const MAX_FIELDS: usize = 10;
/// Our bound on one field, below Slack's 2,000 characters.
const MAX_FIELD_CHARS: usize = 200;

/// Slack takes about one message a second per channel, and short bursts.
const PACE: [Quota; 1] = [Quota { interval: Duration::from_secs(1), burst: 5 }];

/// An incoming webhook.
#[derive(Debug, Clone)]
pub(crate) struct SlackWebhook {
    url: SecretString,
    destination: String,
}

/// What is posted: `text` is for notifications and old clients, `blocks` for everybody else.
#[derive(Debug, Serialize)]
struct Message {
    text: String,
    blocks: Vec<Value>,
}

impl SlackWebhook {
    pub(crate) fn new(source: &SecretSource, env: &Environment) -> Result<Self, Problem> {
        let url = source.resolve(env)?;
        let is_http = Url::parse(url.expose_secret()).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
        if is_http {
            let destination = format!("slack:{}", digest(url.expose_secret()));
            return Ok(Self { url, destination });
        }
        Err(Problem {
            key: source.key.clone(),
            fault: "is not an http(s) address".to_owned(),
            remedy: "give the webhook's whole address, as Slack shows it".to_owned(),
        })
    }

    async fn post(&self, http: &Http, story: &Story) -> Sent {
        let message = render(story.kind, &story.record);
        let mut response = match http.open.post(self.url.expose_secret()).json(&message).send().await {
            Ok(response) => response,
            Err(error) => return Sent::no_answer(error),
        };
        let status = response.status();
        let answer = if status.is_success() {
            Answer::Taken
        } else if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            Answer::Failed { retry_after: retry_after(&response) }
        } else {
            Answer::Refused
        };
        let body = body_start(&mut response).await;
        let text = format!("{}: {body}", status.as_u16());
        Sent { answer, http_status: Some(status.as_u16()), text, message: None }
    }
}

impl Provider for SlackWebhook {
    fn destination(&self) -> &str {
        &self.destination
    }

    fn pace(&self) -> &[Quota] {
        &PACE
    }

    fn preview(&self, story: &Story) -> String {
        serde_json::to_string_pretty(&render(story.kind, &story.record)).unwrap_or_default()
    }

    fn send<'a>(&'a self, http: &'a Http, story: &'a Story) -> BoxFuture<'a, Sent> {
        Box::pin(self.post(http, story))
    }
}

fn render(kind: NoticeKind, record: &IncidentRecord) -> Message {
    let incident = &record.incident;
    let (sign, what, since) = match kind {
        NoticeKind::Triggered => (severity_sign(incident.severity), "Triggered", incident.triggered_at),
        NoticeKind::Updated => (severity_sign(incident.severity), "Updated", incident.updated_at),
        NoticeKind::Reopened => (severity_sign(incident.severity), "Reopened", incident.updated_at),
        NoticeKind::Undelivered => {
            (severity_sign(incident.severity), "Could not be delivered elsewhere", incident.updated_at)
        }
        NoticeKind::Reminder | NoticeKind::Escalated => {
            (severity_sign(incident.severity), "Still open, and nobody has taken it", incident.triggered_at)
        }
        NoticeKind::Flapping => (
            "🔁",
            "Flapping: not told each time until it is calm",
            incident.flapping_since.unwrap_or(incident.updated_at),
        ),
        NoticeKind::Canceled => ("⚪", "Canceled", incident.resolved_at.unwrap_or(incident.updated_at)),
        NoticeKind::Acknowledged => ("👀", "Acknowledged", incident.acknowledged_at.unwrap_or(incident.updated_at)),
        NoticeKind::Resolved => ("🟢", "Resolved", incident.resolved_at.unwrap_or(incident.updated_at)),
    };
    let headline = format!("{sign} #{} {}", record.number, incident.title);
    let alerts = if incident.alert_count == 1 { "alert" } else { "alerts" };
    let state = format!(
        "*{what}* · {} · {} of {} {alerts} firing",
        incident.severity,
        incident.firing.total(),
        incident.alert_count,
    );
    let mut blocks = vec![
        json!({"type": "header", "text": {"type": "plain_text", "text": escaped(&headline, MAX_HEADER_CHARS), "emoji": true}}),
        json!({"type": "section", "text": {"type": "mrkdwn", "text": state}}),
    ];
    if let Some(summary) = &incident.summary {
        let text = escaped(summary, MAX_SUMMARY_CHARS);
        blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": text}}));
    }
    let fields: Vec<Value> = incident.labels.iter().take(MAX_FIELDS).map(|(name, value)| label(name, value)).collect();
    if !fields.is_empty() {
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    let at = since.format("%Y-%m-%d %H:%M:%S UTC");
    let date = format!("<!date^{}^{{date_short_pretty}} {{time_secs}}|{at}>", since.timestamp());
    let more = incident.labels.len().saturating_sub(MAX_FIELDS);
    let more = if more > 0 { format!(" · {more} more labels") } else { String::new() };
    let by = match (&incident.acknowledged_by, kind) {
        (Some(by), NoticeKind::Acknowledged) => format!(" by {}", escaped(by, MAX_FIELD_CHARS)),
        _ => String::new(),
    };
    let context = json!({"type": "mrkdwn", "text": format!("{what}{by} {date}{more}")});
    blocks.push(json!({"type": "context", "elements": [context]}));
    Message { text: format!("{what}: {}", escaped(&headline, MAX_HEADER_CHARS)), blocks }
}

fn label(name: &str, value: &str) -> Value {
    let (name, value) = (escaped(name, MAX_FIELD_CHARS), escaped(value, MAX_FIELD_CHARS));
    json!({"type": "mrkdwn", "text": format!("*{name}*\n{value}")})
}

const fn severity_sign(severity: IncidentSeverity) -> &'static str {
    match severity {
        IncidentSeverity::Critical => "🔴",
        IncidentSeverity::High => "🟠",
        IncidentSeverity::Medium => "🟡",
        IncidentSeverity::Low => "🔵",
    }
}

/// A text with Slack's three control characters escaped, cut so that what is sent has at most `max` characters.
fn escaped(text: &str, max: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let entity = match c {
            '&' => Some("&amp;"),
            '<' => Some("&lt;"),
            '>' => Some("&gt;"),
            _ => None,
        };
        used += entity.map_or(1, str::len);
        // One character is kept free for the ellipsis.
        if used >= max {
            out.push('…');
            break;
        }
        match entity {
            Some(entity) => out.push_str(entity),
            None => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use tocsin_shared::incident::FiringCounts;
    use tocsin_shared::routing::ResolvePolicy;
    use tocsin_shared::{Incident, IncidentId, IncidentStatus, Labels};

    use super::*;

    fn record() -> IncidentRecord {
        let at: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().unwrap();
        let labels = [("alertname", "HighErrorRate"), ("team", "<!channel> & friends")];
        IncidentRecord {
            number: 12,
            created_at: at,
            incident: Incident {
                id: IncidentId::generate(),
                title: "Checkout fails for > 5% of requests".to_owned(),
                summary: Some("More than 5% of requests to <checkout> failed.".to_owned()),
                status: IncidentStatus::Triggered,
                severity: IncidentSeverity::Critical,
                severity_is_set: false,
                group_key: r#"{}:{alertname="HighErrorRate"}"#.to_owned(),
                routes: vec!["{}".to_owned()],
                policy: ResolvePolicy::All,
                declared: false,
                labels: labels.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
                alert_count: 3,
                firing: FiringCounts { critical: 2, warning: 0, info: 0 },
                triggered_at: at,
                acknowledged_at: None,
                acknowledged_by: None,
                resolved_at: None,
                resolved_by: None,
                flaps: Vec::new(),
                flapping_since: None,
                remind_at: None,
                escalate_at: None,
                escalated_after: std::time::Duration::ZERO,
                updated_at: at,
                version: 4,
            },
        }
    }

    #[test]
    fn a_triggered_incident_is_told_with_its_facts() {
        insta::assert_json_snapshot!(render(NoticeKind::Triggered, &record()));
    }

    #[test]
    fn an_acknowledged_incident_is_told_with_who_took_it() {
        let mut record = record();
        record.incident.status = IncidentStatus::Acknowledged;
        record.incident.acknowledged_at = Some("2026-11-23T12:10:00Z".parse().unwrap());
        record.incident.acknowledged_by = Some("pagerduty <eu>".to_owned());
        insta::assert_json_snapshot!(render(NoticeKind::Acknowledged, &record));
    }

    #[test]
    fn a_resolved_incident_is_told_with_its_facts() {
        let mut record = record();
        record.incident.status = IncidentStatus::Resolved;
        record.incident.firing = FiringCounts::default();
        record.incident.resolved_at = Some("2026-11-23T12:30:00Z".parse().unwrap());
        insta::assert_json_snapshot!(render(NoticeKind::Resolved, &record));
    }

    #[test]
    fn no_text_exceeds_slacks_bounds() {
        let mut record = record();
        record.incident.title = "&".repeat(5_000);
        record.incident.summary = Some("<".repeat(5_000));
        record.incident.labels =
            (0..50).map(|n| (format!("{n}{}", "a".repeat(900)), "&".repeat(900))).collect::<Labels>();
        let message = serde_json::to_value(render(NoticeKind::Triggered, &record)).unwrap();
        let blocks = message["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 50);
        for block in blocks {
            let chars = |value: &Value| value["text"].as_str().unwrap().chars().count();
            match block["type"].as_str().unwrap() {
                "header" => assert!(chars(&block["text"]) <= 150),
                "section" if block["fields"].is_array() => {
                    let fields = block["fields"].as_array().unwrap();
                    assert!(fields.len() <= 10 && fields.iter().all(|field| chars(field) <= 2_000));
                }
                "section" => assert!(chars(&block["text"]) <= 3_000),
                _ => {}
            }
        }
    }

    #[test]
    fn nothing_is_cut_inside_an_entity() {
        assert_eq!(escaped("a&b", 100), "a&amp;b");
        assert_eq!(escaped("a&b", 5), "a…");
        assert_eq!(escaped("abc", 4), "abc");
    }
}
