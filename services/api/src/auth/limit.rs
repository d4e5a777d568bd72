//! Rate limits of this process alone: the generic cell rate algorithm (ITU-T I.371), without Redis, since reading must work
//! while Redis is away. With several api processes behind one door, a caller may have as many times the limit.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::header::{HeaderMap, HeaderName};

/// Most keys that are remembered one by one; those beyond share one row.
const MAX_ROWS: usize = 16_384;

const X_RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RATELIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Who has asked how often. Of each key one time is kept: when the requests that it made will have been earned back.
#[derive(Debug)]
pub(crate) struct Limiter<K>(Mutex<Table<K>>);

#[derive(Debug)]
struct Table<K> {
    rows: HashMap<K, Instant>,
    /// The row of those for whom there is no room.
    others: Option<Instant>,
}

/// Where a caller stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    limit: u32,
    remaining: u32,
    whole_in: Duration,
    /// Time until the next request is served; none if this one is.
    denied_for: Option<Duration>,
}

impl<K> Default for Limiter<K> {
    fn default() -> Self {
        Self(Mutex::new(Table { rows: HashMap::new(), others: None }))
    }
}

impl<K: Eq + Hash> Limiter<K> {
    /// Counts one request of `key`. A whole minute's worth may come at once; after that it comes back evenly.
    pub(crate) fn take(&self, key: K, per_minute: NonZeroU32) -> Standing {
        self.take_at(key, per_minute, Instant::now())
    }

    fn take_at(&self, key: K, per_minute: NonZeroU32, now: Instant) -> Standing {
        let interval = Duration::from_mins(1) / per_minute.get();
        let most = interval * per_minute.get();
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let arrival = table.row(key, now);
        let ahead = arrival.saturating_duration_since(now) + interval;
        let denied_for = ahead.checked_sub(most).filter(|over| !over.is_zero());
        if denied_for.is_none() {
            *arrival = now + ahead;
        }
        let whole_in = arrival.saturating_duration_since(now);
        let remaining = most.saturating_sub(whole_in).as_nanos() / interval.as_nanos().max(1);
        let remaining = u32::try_from(remaining).unwrap_or(u32::MAX);
        Standing { limit: per_minute.get(), remaining, whole_in, denied_for }
    }
}

impl<K: Eq + Hash> Table<K> {
    fn row(&mut self, key: K, now: Instant) -> &mut Instant {
        if self.rows.len() >= MAX_ROWS && !self.rows.contains_key(&key) {
            // What is earned back is as good as unknown.
            self.rows.retain(|_, arrival| *arrival > now);
            if self.rows.len() >= MAX_ROWS {
                return self.others.get_or_insert(now);
            }
        }
        self.rows.entry(key).or_insert(now)
    }
}

impl Standing {
    /// Whole seconds until the next request is served, at least one; none if this one is.
    pub(crate) fn retry_after(self) -> Option<u32> {
        self.denied_for.map(|wait| whole_seconds(wait).max(1))
    }

    /// The headers of a limited route, named as ingest names them.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        headers.insert(X_RATELIMIT_LIMIT, self.limit.into());
        headers.insert(X_RATELIMIT_REMAINING, self.remaining.into());
        headers.insert(X_RATELIMIT_RESET, whole_seconds(self.whole_in).into());
    }
}

fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn per_minute(count: u32) -> NonZeroU32 {
        NonZeroU32::new(count).unwrap()
    }

    #[test]
    fn a_minutes_worth_comes_at_once_and_then_evenly() {
        let (limiter, now) = (Limiter::default(), Instant::now());
        let take = |later: u64| limiter.take_at("a", per_minute(3), now + Duration::from_secs(later));
        assert_eq!([take(0), take(0), take(0)].map(|standing| standing.remaining), [2, 1, 0]);
        let denied = take(0);
        assert_eq!((denied.denied_for, denied.retry_after()), (Some(Duration::from_secs(20)), Some(20)));
        assert_eq!(take(19).retry_after(), Some(1));
        assert_eq!((take(20).denied_for, take(20).retry_after()), (None, Some(20)));
        assert_eq!(limiter.take_at("b", per_minute(3), now).remaining, 2, "others are not concerned");
    }

    #[test]
    fn a_full_table_forgets_who_has_earned_all_back_and_else_lets_newcomers_share_a_row() {
        let (limiter, now) = (Limiter::default(), Instant::now());
        for key in 0..MAX_ROWS {
            limiter.take_at(key, per_minute(1), now);
        }
        assert_eq!(limiter.take_at(MAX_ROWS, per_minute(1), now).denied_for, None);
        assert!(limiter.take_at(MAX_ROWS + 1, per_minute(1), now).denied_for.is_some());
        let later = now + Duration::from_mins(1);
        assert_eq!(limiter.take_at(MAX_ROWS + 1, per_minute(1), later).denied_for, None);
        assert_eq!(limiter.0.lock().unwrap().rows.len(), 1);
    }
}
