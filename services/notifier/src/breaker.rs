//! A breaker for one destination: when it fails again and again it is left alone for a while, and then tried with one notice.
//!
//! Each notifier has its own: what it learns, it learns from its own attempts, and needs no store for. Notices wait in the
//! ledger meanwhile and cost no attempts. A destination that says for how long it wants to be left alone is not broken: that
//! is the pace's business.

use std::time::{Duration, Instant};

use rand::Rng;

/// Failures in a row after which it opens.
const MAX_FAILURES: u32 = 5;
/// How long it stays open at first; twice as long each time that the notice which tries it fails, up to the bound.
const FIRST_OPEN: Duration = Duration::from_secs(2);
const MAX_OPEN: Duration = Duration::from_mins(1);

/// Whether notices may go to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    /// Yes.
    Free,
    /// One, to see whether it is back.
    One,
    /// None before this time.
    NoneUntil(Instant),
}

/// What is known of a destination's failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breaker {
    Closed {
        /// Failures since the last success.
        failures: u32,
    },
    Open {
        until: Instant,
        /// How often it has been opened in a row, from 1.
        times: u32,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    pub(crate) fn permission(&self, now: Instant) -> Permission {
        match *self {
            Self::Closed { .. } => Permission::Free,
            Self::Open { until, .. } if now < until => Permission::NoneUntil(until),
            Self::Open { .. } => Permission::One,
        }
    }

    pub(crate) const fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// The destination answered, if only to refuse.
    pub(crate) const fn succeeded(&mut self) {
        *self = Self::Closed { failures: 0 };
    }

    /// It did not, or said that something is wrong with it. Says whether that opens the breaker.
    pub(crate) fn failed(&mut self, now: Instant, rng: &mut impl Rng) -> bool {
        let times = match *self {
            Self::Closed { failures } if failures + 1 < MAX_FAILURES => {
                *self = Self::Closed { failures: failures + 1 };
                return false;
            }
            Self::Closed { .. } => 1,
            // What was on its way when it opened says nothing new.
            Self::Open { until, .. } if now < until => return false,
            Self::Open { times, .. } => times.saturating_add(1),
        };
        let most = FIRST_OPEN.saturating_mul(2_u32.saturating_pow(times - 1)).min(MAX_OPEN);
        *self = Self::Open { until: now + rng.random_range(most / 2..=most), times };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(breaker: &mut Breaker, now: Instant) -> bool {
        breaker.failed(now, &mut rand::rng())
    }

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        let opens: Vec<_> = (0..MAX_FAILURES).map(|_| failed(&mut breaker, now)).collect();
        assert_eq!(opens, [false, false, false, false, true]);
        breaker
    }

    fn until(breaker: Breaker) -> Instant {
        match breaker {
            Breaker::Open { until, .. } => until,
            Breaker::Closed { .. } => panic!("{breaker:?}"),
        }
    }

    #[test]
    fn some_failures_in_a_row_open_it_and_a_success_begins_the_row_anew() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..MAX_FAILURES - 1 {
            failed(&mut breaker, now);
        }
        breaker.succeeded();
        for _ in 0..MAX_FAILURES - 1 {
            failed(&mut breaker, now);
            assert_eq!(breaker.permission(now), Permission::Free);
        }
        assert!(failed(&mut breaker, now));
        assert!(breaker.is_open());
    }

    #[test]
    fn while_it_is_open_nothing_goes_and_then_one() {
        let now = Instant::now();
        let breaker = opened(now);
        let until = until(breaker);
        assert!((now + FIRST_OPEN / 2..=now + FIRST_OPEN).contains(&until));
        assert_eq!(breaker.permission(now), Permission::NoneUntil(until));
        assert_eq!(breaker.permission(until), Permission::One);
    }

    #[test]
    fn what_was_on_its_way_does_not_keep_it_open_for_longer() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let before = breaker;
        assert!(!failed(&mut breaker, now));
        assert_eq!(breaker, before);
    }

    #[test]
    fn each_time_that_the_one_fails_it_stays_open_for_longer_up_to_a_bound() {
        let mut breaker = opened(Instant::now());
        for times in 2..20 {
            let now = until(breaker);
            assert!(failed(&mut breaker, now));
            let most = (FIRST_OPEN * 2_u32.pow(times - 1)).min(MAX_OPEN);
            assert!((now + most / 2..=now + most).contains(&until(breaker)), "{times}");
        }
    }

    #[test]
    fn when_the_one_succeeds_it_is_as_if_nothing_had_been() {
        let mut breaker = opened(Instant::now());
        breaker.succeeded();
        assert_eq!(breaker, Breaker::default());
    }
}
