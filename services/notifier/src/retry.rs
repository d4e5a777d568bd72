//! When a delivery that failed is tried again, and when no more.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::Rng;
use tocsin_store::Verdict;

/// Wait before the second attempt; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Longest wait of our own choosing.
const MAX_WAIT: Duration = Duration::from_mins(1);
/// Longest wait that a receiver may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(5);
/// Age at which a notice is worth no further attempt.
const DEADLINE: TimeDelta = TimeDelta::hours(1);

/// What follows from an attempt (numbered from 1) that failed in a way that may pass. The wait grows exponentially and a
/// random half of it is left away, so that many failures together do not come back together.
pub(crate) fn after_failure(
    attempt: i32,
    retry_after: Option<Duration>,
    created_at: DateTime<Utc>,
    now: DateTime<Utc>,
    rng: &mut impl Rng,
) -> Verdict {
    let doublings = u32::try_from(attempt - 1).unwrap_or_default().min(16);
    let own = FIRST_WAIT.saturating_mul(2_u32.pow(doublings)).min(MAX_WAIT);
    let own = rng.random_range(own / 2..=own);
    let after = own.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER));
    let next = now + TimeDelta::from_std(after).unwrap_or(DEADLINE);
    if next - created_at > DEADLINE {
        return Verdict::Dead { reason: format!("not delivered within 1 h, in {attempt} attempts") };
    }
    Verdict::Retry { after }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(attempt: i32, retry_after: Option<u64>, age_secs: i64) -> Verdict {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let retry_after = retry_after.map(Duration::from_secs);
        after_failure(attempt, retry_after, now - TimeDelta::seconds(age_secs), now, &mut rand::rng())
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
        assert!(matches!(verdict(9, None, 3_599), Verdict::Dead { .. }));
        assert!(matches!(verdict(9, None, 3_000), Verdict::Retry { .. }));
    }
}
