//! What the worker is measured against: the rows of the alerts alone, written by one statement a batch into a table of the
//! same shape, with nothing looked at, decided or remembered.

use std::fmt::Write as _;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tocsin_shared::{AlertEvent, AlertStatus, Labels};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use super::workload::{INTEGRATION, SOURCE};
use crate::bench::BenchError;

/// The columns of an alert that the worker writes, with their types.
const COLUMNS: [(&str, &str); 20] = [
    ("id", "uuid"),
    ("integration", "text"),
    ("fingerprint", "text"),
    ("external_id", "text"),
    ("source", "text"),
    ("status", "text"),
    ("severity", "text"),
    ("title", "text"),
    ("description", "text"),
    ("labels", "jsonb"),
    ("annotations", "jsonb"),
    ("source_url", "text"),
    ("incident_id", "uuid"),
    ("started_at", "timestamptz"),
    ("ended_at", "timestamptz"),
    ("event_at", "timestamptz"),
    ("event_id", "uuid"),
    ("received_at", "timestamptz"),
    ("last_seen_at", "timestamptz"),
    ("occurrences", "bigint"),
];

/// A table like `alerts`, with its indexes and settings and without its foreign keys, and the same rows in it.
const COPY: &str = "\
CREATE TABLE bare_alerts (LIKE alerts INCLUDING ALL);
DO $$
DECLARE
    settings text := (SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = 'alerts'::regclass);
BEGIN
    IF settings IS NOT NULL THEN
        EXECUTE format('ALTER TABLE bare_alerts SET (%s)', settings);
    END IF;
END $$;";

/// The statement, on the connection that it was prepared on.
pub(super) struct Upsert(Statement);

impl Upsert {
    /// Makes the table, with the rows that `alerts` has now.
    pub(super) async fn prepare(postgres: &Client) -> Result<Self, BenchError> {
        let columns = COLUMNS.map(|(name, _)| name).join(", ");
        postgres.batch_execute(COPY).await?;
        let copy = format!("INSERT INTO bare_alerts ({columns}) SELECT {columns} FROM alerts");
        postgres.batch_execute(&copy).await?;
        postgres.batch_execute("VACUUM (ANALYZE) bare_alerts").await?;
        Ok(Self(postgres.prepare(&statement()).await?))
    }

    /// Writes the state after each event, so many rows at a time and in a transaction of their own. Says how many in a second.
    pub(super) async fn measure(
        &self,
        postgres: &Client,
        events: &[AlertEvent],
        rows_per_batch: usize,
    ) -> Result<f64, BenchError> {
        let batches: Vec<_> = events.chunks(rows_per_batch).map(Columns::of).collect();
        let begun = Instant::now();
        for batch in &batches {
            postgres.execute(&self.0, &batch.parameters()).await?;
        }
        #[expect(clippy::cast_precision_loss, reason = "a small number of events")]
        Ok(events.len() as f64 / begun.elapsed().as_secs_f64())
    }
}

fn statement() -> String {
    let names = COLUMNS.map(|(name, _)| name);
    let mut text = format!("INSERT INTO bare_alerts ({}) SELECT * FROM UNNEST(", names.join(", "));
    // Writing to a String does not fail.
    for (index, (_, kind)) in COLUMNS.iter().enumerate() {
        let _ = write!(text, "{}${}::{kind}[]", if index == 0 { "" } else { ", " }, index + 1);
    }
    text.push_str(") ON CONFLICT (integration, fingerprint) DO UPDATE SET ");
    let changed = names.into_iter().filter(|name| !["id", "integration", "fingerprint"].contains(name));
    for (index, name) in changed.enumerate() {
        let _ = write!(text, "{}{name} = excluded.{name}", if index == 0 { "" } else { ", " });
    }
    text
}

/// A batch of rows, column by column.
struct Columns {
    ids: Vec<Uuid>,
    integrations: Vec<&'static str>,
    fingerprints: Vec<String>,
    external_ids: Vec<Option<String>>,
    sources: Vec<&'static str>,
    statuses: Vec<&'static str>,
    severities: Vec<&'static str>,
    titles: Vec<String>,
    descriptions: Vec<Option<String>>,
    labels: Vec<Value>,
    annotations: Vec<Value>,
    source_urls: Vec<Option<String>>,
    incident_ids: Vec<Option<Uuid>>,
    started_at: Vec<Option<DateTime<Utc>>>,
    ended_at: Vec<Option<DateTime<Utc>>>,
    event_at: Vec<DateTime<Utc>>,
    received_at: Vec<DateTime<Utc>>,
    occurrences: Vec<i64>,
}

fn json(labels: &Labels) -> Value {
    labels.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
}

impl Columns {
    fn of(events: &[AlertEvent]) -> Self {
        let each = || events.iter();
        Self {
            ids: each().map(|_| Uuid::now_v7()).collect(),
            integrations: vec![INTEGRATION; events.len()],
            fingerprints: each().map(|event| event.fingerprint.to_string()).collect(),
            external_ids: each().map(|event| event.external_id.clone()).collect(),
            sources: vec![SOURCE; events.len()],
            statuses: each().map(|event| event.status.as_str()).collect(),
            severities: each().map(|event| event.severity.as_str()).collect(),
            titles: each().map(|event| event.title.clone()).collect(),
            descriptions: each().map(|event| event.description.clone()).collect(),
            labels: each().map(|event| json(&event.labels)).collect(),
            annotations: each().map(|event| json(&event.annotations)).collect(),
            source_urls: each().map(|event| event.source_url.clone()).collect(),
            incident_ids: each().map(|event| (event.status == AlertStatus::Firing).then(Uuid::now_v7)).collect(),
            started_at: each().map(|event| event.started_at).collect(),
            ended_at: each().map(|event| event.ended_at).collect(),
            event_at: each().map(|event| event.event_at).collect(),
            received_at: vec![Utc::now(); events.len()],
            occurrences: vec![4; events.len()],
        }
    }

    /// In the order of [`COLUMNS`].
    fn parameters(&self) -> [&(dyn ToSql + Sync); COLUMNS.len()] {
        [
            &self.ids,
            &self.integrations,
            &self.fingerprints,
            &self.external_ids,
            &self.sources,
            &self.statuses,
            &self.severities,
            &self.titles,
            &self.descriptions,
            &self.labels,
            &self.annotations,
            &self.source_urls,
            &self.incident_ids,
            &self.started_at,
            &self.ended_at,
            &self.event_at,
            // Any id will do for that of the event.
            &self.ids,
            &self.received_at,
            &self.received_at,
            &self.occurrences,
        ]
    }
}
