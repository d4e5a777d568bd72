//! When a delivery that failed is tried again, and when no more.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::Rng;
use tocsin_service::config::duration;
use tocsin_store::Verdict;

/// Wait before the second attempt; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Longest wait of our own choosing.
const MAX_WAIT: Duration = Duration::from_mins(1);
/// Longest wait that a receiver may ask for.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_mins(5);

/// Age at which a notice is worth no further attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(pub(crate) Duration);

impl Deadline {
    /// What follows from an attempt (numbered from 1) that failed in a way that may pass. The wait grows exponentially and a
    /// random half of it is left away, so that many failures together do not come back together.
    pub(crate) fn after_failure(
        self,
        attempt: i32,
        retry_after: Option<Duration>,
        owed_since: DateTime<Utc>,
        now: DateTime<Utc>,
        rng: &mut impl Rng,
    ) -> Verdict {
        let doublings = u32::try_from(attempt - 1).unwrap_or_default().min(16);
        let own = FIRST_WAIT.saturating_mul(2_u32.pow(doublings)).min(MAX_WAIT);
        let own = rng.random_range(own / 2..=own);
        let after = own.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER));
        let age = (now - owed_since).to_std().unwrap_or_default();
        if age + after > self.0 {
            return Verdict::Dead { reason: format!("not delivered within {self}, in {attempt} attempts") };
        }
        Verdict::Retry { after }
    }
}

impl std::fmt::Display for Deadline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&duration::format(self.0))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const HOUR: Deadline = Deadline(Duration::from_hours(1));

    fn verdict(attempt: i32, retry_after: Option<u64>, age_secs: i64) -> Verdict {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let retry_after = retry_after.map(Duration::from_secs);
        HOUR.after_failure(attempt, retry_after, now - TimeDelta::seconds(age_secs), now, &mut rand::rng())
    }

    fn wait(verdict: &Verdict) -> Duration {
        match verdict {
            Verdict::Retry { after } => *after,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn waits_grow_to_a_bound_and_vary() {
        for (attempt, most) in [(1, 1), (2, 2), (3, 4), (7, 60), (40, 60)] {
            let waits: Vec<_> = (0..50).map(|_| wait(&verdict(attempt, None, 0))).collect();
            let most = Duration::from_secs(most);
            assert!(waits.iter().all(|wait| (most / 2..=most).contains(wait)), "{attempt}: {waits:?}");
            assert!(waits.iter().any(|wait| *wait != waits[0]), "no jitter at attempt {attempt}");
        }
    }

    #[test]
    fn a_receivers_wish_is_obeyed_within_bounds() {
        assert_eq!(wait(&verdict(1, Some(30), 0)), Duration::from_secs(30));
        assert_eq!(wait(&verdict(1, Some(9_999), 0)), MAX_RETRY_AFTER);
    }

    #[test]
    fn a_notice_dies_when_its_next_attempt_would_come_too_late() {
        let reason = "not delivered within 1h, in 9 attempts".to_owned();
        assert_eq!(verdict(9, None, 3_599), Verdict::Dead { reason });
        assert!(matches!(verdict(9, None, 3_000), Verdict::Retry { .. }));
    }
}
