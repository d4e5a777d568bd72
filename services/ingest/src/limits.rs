//! Rate limits, shared by all ingest processes through Redis, and cheap under a flood.
//!
//! The limit itself is kept in Redis (see [`tocsin_bus::RateLimits`]). To ask it seldom, a process takes the cells of a busy
//! key in small *leases* and hands them out by itself; and it remembers a *denial* until the next cell is due, so that a
//! flood is turned away without asking anybody. Of the requests of one key one at a time asks, for all that wait. While Redis
//! does not answer in time, each process goes on by itself from what Redis said last, and grants what comes back to every
//! key; a key that was over its limit a moment ago stays so until Redis has been silent for a second.
//!
//! A lease is at most a tenth of a second's worth of the limit, or what the requests that wait need; what is not used within
//! a second is lost. So several processes together may fall short of a limit by one lease each; they exceed it only while
//! they decide alone.

mod row;
mod turn;

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tocsin_bus::{Quota, RateLimits};

use crate::accept::Gate;
use crate::metrics::DecidedBy;
use row::{Ask, Decision, Row};
pub(crate) use row::{Standing, Verdict};
use turn::Turn;

/// Longest wait for Redis before a process decides by itself.
const SHARED_TIMEOUT: Duration = Duration::from_millis(40);
/// The same for the one request that asks for a key that is over its limit: it has time, since all others are denied
/// meanwhile without a wait.
const DENIED_TIMEOUT: Duration = Duration::from_millis(150);
/// Most keys that are remembered; for what is beyond, Redis is asked each time.
const MAX_ROWS: usize = 65_536;
/// Silence after which a key is forgotten, and how often that is looked for while the table is full.
const FORGET_AFTER: Duration = Duration::from_mins(1);
const PURGE_INTERVAL: Duration = Duration::from_secs(1);

/// Whom a limit is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// A client without an integration key. Of an IPv6 address the first 64 bits count: one client has that many.
    Address(IpAddr),
    /// An integration, by name.
    Integration(String),
}

impl Key {
    pub(crate) fn of_address(address: IpAddr) -> Self {
        Self::Address(match address {
            IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
            IpAddr::V4(_) => address,
        })
    }

    fn name(&self) -> String {
        match self {
            Self::Address(address) => format!("address:{address}"),
            Self::Integration(name) => format!("integration:{name}"),
        }
    }
}

/// A whole minute's worth may come at once; after that, cells come back evenly.
fn quota(per_minute: NonZeroU32) -> Quota {
    Quota { interval: Duration::from_mins(1) / per_minute.get(), burst: per_minute.get() }
}

/// A tenth of a second's worth.
fn lease(per_minute: NonZeroU32) -> u32 {
    (per_minute.get() / 600).max(1)
}

/// Decides who is served. Cheap to clone; clones share what they know.
#[derive(Debug, Clone)]
pub(crate) struct Limiter {
    shared: RateLimits,
    gate: Arc<Gate>,
    table: Arc<Mutex<Table>>,
}

#[derive(Debug)]
struct Table {
    rows: HashMap<Key, Row>,
    next_purge: Instant,
}

impl Limiter {
    pub(crate) fn new(shared: RateLimits, gate: Arc<Gate>) -> Self {
        let table = Table { rows: HashMap::new(), next_purge: Instant::now() };
        Self { shared, gate, table: Arc::new(Mutex::new(table)) }
    }

    /// Counts one request of `key`, of which so many are allowed per minute.
    pub(crate) async fn check(&self, key: &Key, per_minute: NonZeroU32) -> Verdict {
        let quota = quota(per_minute);
        let ask = match self.table().row(key, |row, now| row.decide(quota, now)) {
            Some(Decision::Made(verdict)) => return verdict,
            Some(Decision::Ask(ask)) => ask,
            None => Ask::default(),
        };
        let timeout = if ask.is_denied { DENIED_TIMEOUT } else { SHARED_TIMEOUT };
        if self.gate.redis_is_usable()
            && let Ok(Some(verdict)) =
                tokio::time::timeout(timeout, self.ask(key, quota, lease(per_minute), &ask.turn)).await
        {
            return verdict;
        }
        let decide = |row: &mut Row, now| row.unanswered(quota, now);
        // A table that is full remembers nothing more of others.
        self.table().row(key, decide).unwrap_or_else(|| decide(&mut Row::new(Instant::now()), Instant::now()))
    }

    /// Asks Redis when it is this request's turn, unless somebody else's question has answered this one, too. Nothing, if Redis
    /// fails. The question goes on when its request waits no longer: what was taken is there for the next.
    async fn ask(&self, key: &Key, quota: Quota, lease: u32, turn: &Turn) -> Option<Verdict> {
        let _waiting = turn.wait();
        let mut by = DecidedBy::Lease;
        loop {
            let taken = turn.take().await;
            let now_known = |row: &mut Row, now| row.known(quota, now, by);
            if let Some(verdict) = self.table().row(key, now_known).flatten() {
                return Some(verdict);
            }
            let cells = lease.max(turn.waiting());
            let (this, key) = (self.clone(), key.clone());
            let question = tokio::spawn(async move {
                let grant = this.shared.take(&key.name(), quota, cells).await.ok()?;
                let is_known = this.table().row(&key, |row, now| row.refill(grant, now)).is_some();
                drop(taken);
                Some((grant, is_known))
            });
            let (grant, is_known) = question.await.ok().flatten()?;
            if !is_known {
                // The table is full, so nothing is kept.
                let mut row = Row::new(Instant::now());
                row.refill(grant, Instant::now());
                return row.known(quota, Instant::now(), DecidedBy::Redis);
            }
            by = DecidedBy::Redis;
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// What `decide` makes of the key's row; nothing if there is none and no room for one.
    fn row<T>(&mut self, key: &Key, decide: impl FnOnce(&mut Row, Instant) -> T) -> Option<T> {
        let now = Instant::now();
        if let Some(row) = self.rows.get_mut(key) {
            return Some(decide(row, now));
        }
        if self.rows.len() >= MAX_ROWS {
            self.purge(now);
        }
        (self.rows.len() < MAX_ROWS).then(|| decide(self.rows.entry(key.clone()).or_insert_with(|| Row::new(now)), now))
    }

    fn purge(&mut self, now: Instant) {
        if now >= self.next_purge {
            self.next_purge = now + PURGE_INTERVAL;
            self.rows.retain(|_, row| now < row.last_used() + FORGET_AFTER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_share_a_limit_in_version_6_only() {
        let key = |text: &str| Key::of_address(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(key("2001:db8::1").name(), "address:2001:db8::");
    }

    #[test]
    fn leases_are_small_against_the_limit() {
        let lease = |per_minute| super::lease(NonZeroU32::new(per_minute).unwrap());
        assert_eq!((lease(1), lease(300), lease(6_000), lease(6_000_000)), (1, 1, 10, 10_000));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut table = Table { rows: HashMap::new(), next_purge: Instant::now() };
        for n in 0..u32::try_from(MAX_ROWS).unwrap() {
            table.row(&Key::Address(IpAddr::V4(n.into())), |_, _| ()).unwrap();
        }
        let other = Key::Integration("a".to_owned());
        assert_eq!(table.row(&other, |_, _| ()), None, "full");
        assert_eq!(table.rows.len(), MAX_ROWS);
        table.next_purge = Instant::now();
        table.rows.values_mut().for_each(Row::forget);
        assert_eq!(table.row(&other, |_, _| ()), Some(()));
        assert_eq!(table.rows.len(), 1);
    }
}
