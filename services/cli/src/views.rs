//! What the API answers, as far as it is shown. Words stay words: a newer server may know more of them than we do.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

pub(crate) type Labels = BTreeMap<String, String>;

/// One window of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Page<T> {
    pub(crate) data: Vec<T>,
    pub(crate) total: i64,
    pub(crate) total_is_exact: bool,
    pub(crate) next_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Incident {
    pub(crate) id: String,
    #[serde(rename = "incident_number")]
    pub(crate) number: i64,
    pub(crate) title: String,
    pub(crate) status: String,
    pub(crate) severity: String,
    pub(crate) summary: Option<String>,
    pub(crate) labels: Labels,
    pub(crate) alert_count: i64,
    pub(crate) firing_count: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) acknowledged_at: Option<DateTime<Utc>>,
    pub(crate) acknowledged_by: Option<String>,
    pub(crate) resolved_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct IncidentDetail {
    #[serde(flatten)]
    pub(crate) incident: Incident,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) timeline: Vec<TimelineEntry>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TimelineEntry {
    pub(crate) timestamp: DateTime<Utc>,
    pub(crate) r#type: String,
    pub(crate) actor_name: Option<String>,
    pub(crate) content: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Alert {
    pub(crate) id: String,
    pub(crate) source: String,
    pub(crate) status: String,
    pub(crate) severity: String,
    pub(crate) title: String,
    pub(crate) description: Option<String>,
    pub(crate) labels: Labels,
    pub(crate) incident_id: Option<String>,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) ended_at: Option<DateTime<Utc>>,
    pub(crate) last_seen_at: DateTime<Utc>,
    pub(crate) occurrences: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Silence {
    pub(crate) id: String,
    pub(crate) status: String,
    /// Alertmanager's notation, as a list or in one text.
    pub(crate) matchers: Value,
    pub(crate) starts_at: DateTime<Utc>,
    pub(crate) ends_at: DateTime<Utc>,
    pub(crate) author: String,
    pub(crate) comment: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Notice {
    pub(crate) id: String,
    pub(crate) incident_id: String,
    pub(crate) receiver: String,
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) attempts: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
    pub(crate) instead_of: Option<String>,
    pub(crate) because: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct NoticeDetail {
    #[serde(flatten)]
    pub(crate) notice: Notice,
    pub(crate) deliveries: Vec<Delivery>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) attempt: i64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) latency_ms: i64,
    pub(crate) http_status: Option<i64>,
    pub(crate) answer: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct DeadLetter {
    pub(crate) id: i64,
    pub(crate) stream: String,
    pub(crate) entry_id: String,
    pub(crate) reason: String,
    pub(crate) fields: Value,
    pub(crate) created_at: DateTime<Utc>,
}

/// What a command is answered of which there is nothing else to show.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    pub(crate) command_id: String,
    #[serde(default)]
    pub(crate) changed: bool,
    pub(crate) count: Option<u64>,
}

/// What ingest answers.
#[derive(Debug, Deserialize)]
pub(crate) struct Received {
    pub(crate) received: u64,
    pub(crate) event_id: String,
}
