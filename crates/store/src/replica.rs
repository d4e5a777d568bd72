//! Reading from a replica, so that the primary has its time for writing; and from the primary while the replica is away, and
//! from the replica while the primary is.
//!
//! A replica is a little behind. Whoever has just had something done must see it done: [`Store::has_acted`] keeps the reads of
//! this process on the primary for [`KEEPS_UP_WITHIN`], whoever asks.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel_async::AsyncPgConnection;
use scoped_futures::ScopedBoxFuture;

use crate::{Operation, Store, StoreConfig, StoreError};

/// How far behind the primary a replica may be. What it takes to replay is milliseconds; if it is further behind than this, who
/// has acted sees what was before.
const KEEPS_UP_WITHIN: Duration = Duration::from_secs(5);
/// How long the one that failed is not asked first again.
const AWAY_FOR: Duration = Duration::from_secs(5);

/// The replica of a store's database.
pub(crate) struct Replica {
    store: Store,
    until: Mutex<Until>,
}

/// Until when something holds.
#[derive(Debug, Default, Clone, Copy)]
struct Until {
    /// The replica may lack what somebody has had done.
    behind: Option<Instant>,
    primary_away: Option<Instant>,
    replica_away: Option<Instant>,
}

impl Until {
    /// Whether the replica is asked first.
    fn is_replica_first(self, now: Instant) -> bool {
        let holds = |until: Option<Instant>| until.is_some_and(|until| now < until);
        match (holds(self.primary_away), holds(self.replica_away)) {
            (true, false) => true,
            (false, true) => false,
            _ => !holds(self.behind),
        }
    }
}

impl Replica {
    fn is_first(&self) -> bool {
        self.until.lock().unwrap_or_else(PoisonError::into_inner).is_replica_first(Instant::now())
    }

    fn set(&self, change: impl FnOnce(&mut Until)) {
        change(&mut self.until.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Store {
    /// A store that reads from a replica, and from the primary at `config` what must not be behind. Neither keeps who reads
    /// waiting for it when it is away: the other one is asked.
    #[must_use]
    pub fn with_replica(config: &StoreConfig, replica: &StoreConfig) -> Self {
        let replica = Replica { store: Self::failing_fast(replica), until: Mutex::default() };
        Self { replica: Some(replica.into()), ..Self::failing_fast(config) }
    }

    /// The same store without its replica: for who is about to act on what is read.
    #[must_use]
    pub fn primary(&self) -> Self {
        Self { replica: None, ..self.clone() }
    }

    /// Somebody has had something done, and reads that begin from now on must show it.
    pub fn has_acted(&self) {
        if let Some(replica) = &self.replica {
            replica.set(|until| until.behind = Some(Instant::now() + KEEPS_UP_WITHIN));
        }
    }

    /// Does `work`, which only reads, where it is to be read, or else at the other one; each has half of the time.
    pub(crate) async fn read_either<'a, T>(
        &self,
        replica: &Replica,
        operation: Operation,
        work: impl for<'c> Fn(&'c mut AsyncPgConnection) -> ScopedBoxFuture<'a, 'c, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let is_replica_first = replica.is_first();
        let (first, second) = if is_replica_first { (&replica.store, self) } else { (self, &replica.store) };
        let half = self.timeout / 2;
        match first.run_within(half, operation, &work).await {
            Err(error) if error.is_outage() => {
                let which = if is_replica_first { "replica" } else { "primary" };
                tracing::warn!(error = &error as &dyn std::error::Error, which, "reading from the other database");
                let away = Some(Instant::now() + AWAY_FOR);
                replica.set(
                    |until| {
                        if is_replica_first { until.replica_away = away } else { until.primary_away = away }
                    },
                );
                second.run_within(half, operation, &work).await
            }
            done => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replica_is_read_unless_it_is_away_or_behind_and_the_other_one_is_there() {
        let now = Instant::now();
        let (later, before) = (Some(now + AWAY_FOR), Some(now));
        for (behind, primary_away, replica_away, expected) in [
            (None, None, None, true),
            (later, None, None, false),
            (before, None, None, true),
            (None, None, later, false),
            (None, None, before, true),
            (later, later, None, true),
            (later, later, later, false),
            (None, later, later, true),
        ] {
            let until = Until { behind, primary_away, replica_away };
            assert_eq!(until.is_replica_first(now), expected, "{until:?}");
        }
    }
}
