//! How many deliveries a batch takes: as many as are applied within a moment. Under load batches grow, because one large
//! transaction costs less than several small ones; where the database is slow they shrink, so that none keeps its locks
//! for long and a takeover never meets a batch that is still being applied.
//!
//! And when it begins: a trickle is not applied one by one as it comes, which takes time of processors that accepting needs
//! (docs/performance-worker.md has figures).

use std::time::{Duration, Instant};

/// Time that applying a batch should take about.
const TARGET: Duration = Duration::from_millis(100);
/// Fewest deliveries of a batch that is meant to be small.
const SMALLEST: usize = 8;
/// What it begins with.
const FIRST: usize = 64;
/// Time between the beginnings of two batches, unless more waits than one takes. What comes after a silence is applied at once.
const INTERVAL: Duration = Duration::from_millis(20);

/// The size of the next batch, and when it may begin.
#[derive(Debug)]
pub(crate) struct Pace {
    size: usize,
    most: usize,
    next: Instant,
}

impl Pace {
    /// Never takes more than `most`.
    pub(crate) fn new(most: usize) -> Self {
        Self { size: FIRST.min(most), most, next: Instant::now() }
    }

    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// Until when the next batch gathers.
    pub(crate) const fn next(&self) -> Instant {
        self.next
    }

    /// A batch of so many deliveries, begun at this time, was applied within this time.
    pub(crate) fn applied(&mut self, deliveries: usize, began: Instant, took: Duration) {
        self.next = if deliveries < self.size { began + INTERVAL } else { began };
        if took > TARGET * 2 {
            self.size = (self.size / 2).max(SMALLEST.min(self.most));
        } else if deliveries >= self.size && took < TARGET {
            self.size = (self.size * 2).min(self.most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(batches: &[(usize, u64)]) -> usize {
        let mut pace = Pace::new(500);
        for (deliveries, millis) in batches {
            pace.applied(*deliveries, Instant::now(), Duration::from_millis(*millis));
        }
        pace.size()
    }

    #[test]
    fn full_batches_that_are_fast_grow_to_the_bound() {
        assert_eq!(after(&[(64, 5), (128, 9), (256, 20), (500, 50), (500, 50)]), 500);
    }

    #[test]
    fn batches_that_are_not_full_or_neither_fast_nor_slow_change_nothing() {
        assert_eq!(after(&[(10, 1), (64, 150)]), FIRST);
    }

    #[test]
    fn slow_batches_shrink_and_never_to_nothing() {
        assert_eq!(after(&[(64, 300)]), FIRST / 2);
        assert_eq!(after(&[(64, 900); 10]), SMALLEST);
        let mut pace = Pace::new(1);
        pace.applied(1, Instant::now(), Duration::from_secs(9));
        assert_eq!(pace.size(), 1);
    }

    #[test]
    fn a_batch_that_was_not_full_lets_the_next_one_gather() {
        let (mut pace, began) = (Pace::new(500), Instant::now());
        pace.applied(FIRST - 1, began, Duration::from_millis(3));
        assert_eq!(pace.next(), began + INTERVAL);
    }

    #[test]
    fn where_more_waits_the_next_batch_begins_at_once() {
        let (mut pace, began) = (Pace::new(500), Instant::now());
        pace.applied(FIRST, began, Duration::from_millis(3));
        assert_eq!(pace.next(), began);
    }
}
