//! Whether what was accepted has been applied.

use std::cell::Cell;
use std::time::Duration;

use super::{BenchError, page};
use crate::{Topology, http, poll};

/// How long a worker may make no headway before we give up on it.
const STALL: Duration = Duration::from_mins(1);

/// What became of the deliveries of a topology.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Answered 2xx, as ingest counts.
    pub accepted: u64,
    /// In the database.
    pub applied: u64,
}

impl Applied {
    /// Deliveries that were durable before ingest could say so, because the sender had hung up: wrk does, at its end.
    pub(super) fn unanswered(self) -> u64 {
        self.applied.saturating_sub(self.accepted)
    }
}

/// Waits until the worker has nothing left to do, compares, and finds the state as it must be.
///
/// # Errors
/// [`BenchError::Lost`] when anything that was accepted is not there; when the state breaks an invariant; and when the worker
/// does not come to an end.
pub(crate) async fn check(topology: &Topology, what: &str) -> Result<Applied, BenchError> {
    let accepted = counted(topology, "tocsin_ingest_webhooks_total", &["outcome=\"accepted\""]).await?;
    drain(topology).await?;
    let applied = count(topology, "SELECT count(*) FROM event_ids").await?;
    if applied < accepted {
        return Err(BenchError::Lost { what: what.to_owned(), accepted, applied });
    }
    topology.verify().await?;
    Ok(Applied { accepted, applied })
}

/// What all ingest processes together have counted.
pub(super) async fn counted(topology: &Topology, name: &str, labels: &[&str]) -> Result<u64, BenchError> {
    let mut counted = 0.0;
    for service in topology.services(crate::Service::Ingest) {
        counted += page::sum(&http::text(&format!("{}/metrics", service.url())).await?, name, labels);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of requests")]
    Ok(counted as u64)
}

/// Waits until nothing accepted is left to apply, for as long as there is less of it from minute to minute.
pub(super) async fn drain(topology: &Topology) -> Result<(), BenchError> {
    let mut before = topology.unapplied().await?;
    while before > 0 {
        let now = Cell::new(before);
        poll::until("the worker to make headway", STALL, async || {
            now.set(topology.unapplied().await.map_err(|error| error.to_string())?);
            poll::expect(now.get(), |now| *now < before)
        })
        .await?;
        before = now.get();
    }
    Ok(())
}

/// The one number that a query counts.
pub(crate) async fn count(topology: &Topology, sql: &str) -> Result<u64, BenchError> {
    let rows = topology.tenant().sql(sql).await?;
    let text = rows.first().and_then(|row| row.first()).cloned().unwrap_or_default();
    text.parse().map_err(|_not_a_number| BenchError::NotANumber { text })
}
