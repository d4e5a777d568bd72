//! The pace of one destination as one notifier keeps it by itself: the generic cell rate algorithm, as Redis does it for all.

use std::time::{Duration, Instant};

use tocsin_bus::{Leave, Quota};

/// When the calls that were made will have been earned back, for each limit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bucket(Vec<Instant>);

impl Bucket {
    /// Takes leave for up to `calls` calls, within all limits.
    pub(crate) fn take(&mut self, quotas: &[Quota], calls: u32, now: Instant) -> Leave {
        let free = quotas.iter().enumerate().map(|(index, quota)| self.free(index, quota, now)).min();
        let taken = free.unwrap_or(calls).min(calls);
        self.note(quotas, taken, now);
        let next_in = quotas.iter().zip(&self.0).map(|(quota, arrival)| {
            let ahead = arrival.saturating_duration_since(now);
            ahead.saturating_sub(quota.interval.saturating_mul(quota.burst.saturating_sub(1)))
        });
        Leave { taken, left: free.unwrap_or(calls) - taken, next_in: next_in.max().unwrap_or_default() }
    }

    /// Counts calls for which there was leave from elsewhere.
    pub(crate) fn note(&mut self, quotas: &[Quota], calls: u32, now: Instant) {
        self.0.resize(quotas.len(), now);
        for (arrival, quota) in self.0.iter_mut().zip(quotas) {
            let most = now + quota.interval.saturating_mul(quota.burst);
            *arrival = ((*arrival).max(now) + quota.interval.saturating_mul(calls)).min(most);
        }
    }

    fn free(&self, index: usize, quota: &Quota, now: Instant) -> u32 {
        let ahead = self.0.get(index).map_or(Duration::ZERO, |arrival| arrival.saturating_duration_since(now));
        let cells = ahead.as_nanos().div_ceil(quota.interval.as_nanos().max(1));
        quota.burst.saturating_sub(u32::try_from(cells).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const PACE: [Quota; 2] =
        [Quota { interval: SECOND, burst: 5 }, Quota { interval: Duration::from_secs(10), burst: 8 }];

    #[test]
    fn a_burst_goes_at_once_and_then_one_per_interval() {
        let (mut bucket, now) = (Bucket::default(), Instant::now());
        let leave = bucket.take(&PACE[..1], 9, now);
        assert_eq!((leave.taken, leave.left, leave.next_in), (5, 0, SECOND));
        assert_eq!(bucket.take(&PACE[..1], 1, now).taken, 0);
        let leave = bucket.take(&PACE[..1], 9, now + 2 * SECOND);
        assert_eq!((leave.taken, leave.next_in), (2, SECOND));
        assert_eq!(bucket.take(&PACE[..1], 9, now + 60 * SECOND).taken, 5, "no more than the burst is saved up");
    }

    #[test]
    fn the_tightest_limit_counts() {
        let (mut bucket, now) = (Bucket::default(), Instant::now());
        assert_eq!(bucket.take(&PACE, 9, now).taken, 5, "the first is tighter");
        let leave = bucket.take(&PACE, 9, now + 5 * SECOND);
        assert_eq!((leave.taken, leave.left), (3, 0), "and now the second");
        assert_eq!(leave.next_in, 5 * SECOND);
    }

    #[test]
    fn what_redis_granted_counts_when_it_is_away() {
        let (mut bucket, now) = (Bucket::default(), Instant::now());
        bucket.note(&PACE[..1], 4, now);
        assert_eq!(bucket.take(&PACE[..1], 9, now).taken, 1);
        bucket.note(&PACE[..1], 1_000, now);
        assert_eq!(
            bucket.take(&PACE[..1], 1, now + SECOND).taken,
            1,
            "other notifiers' calls do not lock us out for long"
        );
    }

    #[test]
    fn without_limits_everything_goes() {
        let leave = Bucket::default().take(&[], 7, Instant::now());
        assert_eq!((leave.taken, leave.next_in), (7, Duration::ZERO));
    }
}
