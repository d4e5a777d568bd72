//! Making a delivery durable: on the events stream, or in the inbox of Postgres while Redis does not take it.
//!
//! A request tries one path, then the other, under the same event ids: whatever became of the first attempt, the worker
//! applies the delivery once.

mod gate;
mod group_commit;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound as _, Utc};
use tocsin_bus::EventLog;
use tocsin_shared::envelope::Written;
use tocsin_shared::{AlertEvent, Envelope, EventId, Fingerprint, TraceContext};
use tocsin_store::Store;

use crate::metrics::Path;
pub(crate) use gate::{Gate, watch};
use group_commit::{CommitError, GroupCommit};

/// Batches that one thread has on their way to Redis at a time. With two, batches are half as large, and a quarter fewer
/// deliveries are accepted.
const STREAM_LANES: usize = 1;
/// Batches that the process has on their way to Postgres at a time.
const INBOX_LANES: usize = 2;
/// Most alerts in one entry. A larger delivery is split, so that the worker's batches stay steady.
const MAX_ALERTS_PER_ENTRY: usize = 250;

/// How long a delivery that neither store took is tried again: about as long as a failover takes. One may be away while the other is only slow for a moment: who
/// is told to come again after that would have been served.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest wait between two tries: until Redis is usable again, or for so long.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// Accepts deliveries. One per thread; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Acceptor {
    stream: GroupCommit<Written>,
    inbox: Inbox,
    gate: Arc<Gate>,
    commit_timeout: Duration,
}

/// The way to Postgres, shared by all threads. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Inbox(GroupCommit<Envelope>);

/// A request that was understood, and not yet accepted.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "a delivery id is what the field's standards call it")]
pub(crate) struct Delivery {
    pub(crate) source: &'static str,
    /// Whose it is: the integration's name.
    pub(crate) integration: String,
    /// The sender's own name of the delivery, which makes a repeat harmless.
    pub(crate) delivery_id: Option<String>,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) trace: TraceContext,
    pub(crate) alerts: Vec<AlertEvent>,
    pub(crate) acknowledged: Vec<Fingerprint>,
}

/// Why a delivery was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AcceptError {
    /// More waits to be applied than may.
    #[error("too much waits to be applied")]
    Overloaded,
    /// Neither store took it. One of them may have it all the same; the sender sends it again, and under the same delivery
    /// id that does no harm.
    #[error("no store took it")]
    NotDurable,
}

impl Inbox {
    /// Must be called on the runtime that lives as long as the process.
    pub(crate) fn start(store: Store) -> Self {
        Self(GroupCommit::start(Path::Inbox, INBOX_LANES, move |batch: Vec<Envelope>| {
            let store = store.clone();
            async move {
                store.inbox_insert(&batch).await.map_err(|error| {
                    tracing::warn!(error = &error as &dyn std::error::Error, "Postgres did not take a batch");
                    CommitError::Failed
                })
            }
        }))
    }
}

impl Acceptor {
    /// Must be called on the runtime of the thread that uses it.
    pub(crate) fn start(log: EventLog, inbox: Inbox, gate: Arc<Gate>, commit_timeout: Duration) -> Self {
        let stream = GroupCommit::start(Path::Stream, STREAM_LANES, move |batch| {
            let log = log.clone();
            async move {
                log.append(batch).await.map_err(|error| {
                    tracing::debug!(error = &error as &dyn std::error::Error, "Redis did not take a batch");
                    CommitError::Failed
                })
            }
        });
        Self { stream, inbox, gate, commit_timeout }
    }

    /// Makes a delivery durable, whole or not at all, and says under which id; under the first, if it takes several.
    pub(crate) async fn accept(&self, delivery: Delivery) -> Result<EventId, AcceptError> {
        let entries = entries(delivery);
        let id = entries[0].id;
        let give_up = Instant::now() + PATIENCE;
        let mut outcome = self.attempt(&entries).await;
        while outcome == Err(AcceptError::NotDurable) && Instant::now() < give_up {
            self.gate.redis_usable_within(TRY_AGAIN).await;
            outcome = self.attempt(&entries).await;
        }
        outcome.map(|()| id)
    }

    /// One path, then the other.
    async fn attempt(&self, entries: &[Envelope]) -> Result<(), AcceptError> {
        if self.gate.redis_is_usable() {
            self.room(Path::Stream, entries)?;
            match self.append(entries).await {
                Ok(()) => return Ok(()),
                Err(CommitError::QueueFull) => return Err(AcceptError::Overloaded),
                Err(CommitError::Failed) => self.gate.redis_has_failed(),
            }
        }
        self.room(Path::Inbox, entries)?;
        match self.inbox.0.commit(entries.to_vec(), 0).await {
            Ok(()) => Ok(()),
            Err(CommitError::QueueFull) => Err(AcceptError::Overloaded),
            Err(CommitError::Failed) => {
                self.gate.not_taken(Path::Inbox, entries.len() as u64);
                Err(AcceptError::NotDurable)
            }
        }
    }

    async fn append(&self, entries: &[Envelope]) -> Result<(), CommitError> {
        let written: Result<Vec<_>, _> = entries.iter().map(Envelope::write).collect();
        let written = written.map_err(|error| {
            tracing::error!(%error, "an envelope cannot be written");
            CommitError::Failed
        })?;
        let bytes = written.iter().map(Written::size).sum();
        let commit = self.stream.commit(written, bytes);
        tokio::time::timeout(self.commit_timeout, commit).await.unwrap_or(Err(CommitError::Failed))
    }

    fn room(&self, path: Path, entries: &[Envelope]) -> Result<(), AcceptError> {
        if self.gate.has_room(path, entries.len() as u64) { Ok(()) } else { Err(AcceptError::Overloaded) }
    }
}

/// The entries of a delivery: one, or several for one that holds many alerts; never none.
fn entries(delivery: Delivery) -> Vec<Envelope> {
    let Delivery { source, integration, delivery_id, received_at, trace, mut alerts, acknowledged } = delivery;
    let id = match delivery_id {
        Some(delivery_id) => EventId::of_delivery(&integration, &delivery_id),
        None => EventId::received_at(received_at),
    };
    let mut entry = Envelope {
        id,
        // As precise as Postgres keeps it.
        received_at: received_at.trunc_subsecs(6),
        source: source.to_owned(),
        integration,
        trace,
        alerts: Vec::new(),
        acknowledged,
    };
    let mut entries = Vec::with_capacity(1);
    while alerts.len() > MAX_ALERTS_PER_ENTRY {
        let rest = alerts.split_off(MAX_ALERTS_PER_ENTRY);
        entries.push(Envelope { alerts, ..entry.clone() });
        alerts = rest;
        entry.id = id.part(entries.len());
        entry.acknowledged.clear();
    }
    entries.push(Envelope { alerts, ..entry });
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{parse, received_at};

    fn delivery(alerts: usize, delivery_id: Option<&str>) -> Delivery {
        let body = serde_json::json!(vec![serde_json::json!({"labels": {"alertname": "A"}}); alerts]);
        let parsed = parse(crate::sources::ALL[0].parse, body.to_string().as_bytes()).unwrap();
        Delivery {
            source: "prometheus",
            integration: "default".to_owned(),
            delivery_id: delivery_id.map(str::to_owned),
            received_at: received_at(),
            trace: TraceContext::random(),
            alerts: parsed,
            acknowledged: vec![Fingerprint::of_external_id("a")],
        }
    }

    #[test]
    fn a_large_delivery_is_split_and_nothing_of_it_is_lost_or_doubled() {
        let entries = entries(delivery(10_000, Some("one")));
        assert_eq!(entries.len(), 40);
        assert_eq!(entries.iter().map(|entry| entry.alerts.len()).sum::<usize>(), 10_000);
        let ids: std::collections::HashSet<_> = entries.iter().map(|entry| entry.id).collect();
        assert_eq!(ids.len(), entries.len());
        assert_eq!(entries[0].id, EventId::of_delivery("default", "one"));
        assert_eq!(entries.iter().map(|entry| entry.acknowledged.len()).sum::<usize>(), 1);
    }

    #[test]
    fn a_repeat_of_a_named_delivery_has_the_same_ids() {
        let ids = |id| entries(delivery(600, id)).iter().map(|entry| entry.id).collect::<Vec<_>>();
        assert_eq!(ids(Some("one")), ids(Some("one")));
        assert_ne!(ids(Some("one")), ids(Some("two")));
        assert_ne!(ids(None), ids(None));
    }

    #[test]
    fn a_delivery_without_alerts_is_one_entry() {
        assert_eq!(entries(delivery(0, None)).len(), 1);
        assert_eq!(entries(delivery(MAX_ALERTS_PER_ENTRY, None)).len(), 1);
        assert_eq!(entries(delivery(MAX_ALERTS_PER_ENTRY + 1, None)).len(), 2);
    }
}
