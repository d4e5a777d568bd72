//! What one process knows of one key's limit.

use std::time::{Duration, Instant};

use tocsin_bus::{Grant, Quota};

use super::DENIED_TIMEOUT;
use super::turn::Turn;
use crate::metrics::{self, DecidedBy};

/// How long cells that were taken from Redis may be handed out.
const LEASE_TTL: Duration = Duration::from_secs(1);
/// How long one request that asks Redis speaks for all others of a key that was denied: for as long as it may wait.
const ASKING_TTL: Duration = DENIED_TIMEOUT;
/// How long a denial holds without news of Redis. After that, a process decides by itself.
const DENIAL_TTL: Duration = Duration::from_secs(1);

/// Whether a request is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed(Standing),
    Denied(Standing, RetryIn),
}

/// What a process can say of a request by itself.
#[derive(Debug)]
pub(super) enum Decision {
    Made(Verdict),
    Ask(Ask),
}

/// How Redis is to be asked.
#[derive(Debug, Default)]
pub(super) struct Ask {
    pub(super) turn: Turn,
    /// Whether the key was over its limit by the last answer.
    pub(super) is_denied: bool,
}

/// Time until the next request would be served.
pub(crate) type RetryIn = Duration;

/// Where a key stands, for the headers of its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Time until all of the limit is there again.
    pub(crate) whole_in: Duration,
}

#[derive(Debug)]
pub(crate) struct Row {
    last_used: Instant,
    /// Cells in hand, and until when.
    leased: u32,
    lease_ends: Instant,
    /// What Redis had left after that, and when all was to be there again.
    left: u32,
    whole_at: Instant,
    /// No cell is due before; and whether the last answer of Redis was a denial.
    denied_until: Instant,
    was_denied: bool,
    /// When Redis last said so.
    answered_at: Instant,
    /// Since when a request asks Redis.
    asking_since: Option<Instant>,
    turn: Turn,
    /// The theoretical arrival time of the limit that the process keeps by itself.
    arrival: Instant,
}

impl Row {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            last_used: now,
            leased: 0,
            lease_ends: now,
            left: 0,
            whole_at: now,
            denied_until: now,
            was_denied: false,
            answered_at: now,
            asking_since: None,
            turn: Turn::default(),
            arrival: now,
        }
    }

    pub(crate) fn last_used(&self) -> Instant {
        self.last_used
    }

    /// A verdict, if it takes no asking.
    pub(super) fn decide(&mut self, quota: Quota, now: Instant) -> Decision {
        self.last_used = now;
        if let Some(verdict) = self.known(quota, now, DecidedBy::Lease) {
            return Decision::Made(verdict);
        }
        if self.was_denied && self.asking_since.is_some_and(|since| now < since + ASKING_TTL) {
            metrics::limit_decided(DecidedBy::Denial);
            return Decision::Made(self.denied(quota, now));
        }
        self.asking_since = Some(now);
        Decision::Ask(Ask { turn: self.turn.clone(), is_denied: self.was_denied })
    }

    /// What the last answer of Redis says of one more request, if it says anything. Counted as a decision of `by`, if it is
    /// allowed.
    pub(super) fn known(&mut self, quota: Quota, now: Instant, by: DecidedBy) -> Option<Verdict> {
        if self.leased > 0 && now < self.lease_ends {
            self.leased -= 1;
            metrics::limit_decided(by);
            return Some(Verdict::Allowed(self.standing(quota, now)));
        }
        (now < self.denied_until).then(|| {
            metrics::limit_decided(DecidedBy::Denial);
            self.denied(quota, now)
        })
    }

    fn denied(&self, quota: Quota, now: Instant) -> Verdict {
        Verdict::Denied(self.standing(quota, now), self.denied_until.saturating_duration_since(now))
    }

    /// Keeps an answer of Redis.
    pub(super) fn refill(&mut self, grant: Grant, now: Instant) {
        self.asking_since = None;
        self.answered_at = now;
        self.left = grant.left;
        self.whole_at = now + grant.whole_in;
        // Where the process goes on by itself, should Redis not answer the next time.
        self.arrival = self.whole_at;
        self.was_denied = grant.taken == 0;
        if grant.taken == 0 {
            self.denied_until = now + grant.next_in;
            return;
        }
        if now >= self.lease_ends {
            self.leased = 0;
        }
        self.leased += grant.taken;
        self.lease_ends = now + LEASE_TTL;
    }

    /// What follows when Redis did not answer in time.
    pub(super) fn unanswered(&mut self, quota: Quota, now: Instant) -> Verdict {
        self.asking_since = None;
        if now < self.denied_until || (self.was_denied && now < self.answered_at + DENIAL_TTL) {
            metrics::limit_decided(DecidedBy::Denial);
            return self.denied(quota, now);
        }
        metrics::limit_decided(DecidedBy::Local);
        self.decide_alone(quota, now)
    }

    /// The same rule without Redis: the generic cell rate algorithm, in this process.
    fn decide_alone(&mut self, quota: Quota, now: Instant) -> Verdict {
        let ahead = self.arrival.saturating_duration_since(now) + quota.interval;
        let most = quota.interval * quota.burst;
        let allowed = ahead <= most;
        if allowed {
            self.arrival = now + ahead;
        }
        let ahead = self.arrival.saturating_duration_since(now);
        self.whole_at = self.arrival;
        self.left = cells(most.saturating_sub(ahead), quota.interval);
        if allowed {
            return Verdict::Allowed(self.standing(quota, now));
        }
        self.denied_until = now + (ahead + quota.interval).saturating_sub(most);
        self.denied(quota, now)
    }

    fn standing(&self, quota: Quota, now: Instant) -> Standing {
        let whole_in = self.whole_at.saturating_duration_since(now);
        Standing { limit: quota.burst, remaining: self.left + self.leased, whole_in }
    }

    #[cfg(test)]
    pub(crate) fn forget(&mut self) {
        self.last_used -= Duration::from_hours(1);
    }
}

fn cells(time: Duration, interval: Duration) -> u32 {
    u32::try_from(time.as_nanos() / interval.as_nanos().max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota { interval: Duration::from_millis(200), burst: 3 };

    fn grant(taken: u32, left: u32) -> Grant {
        Grant { taken, left, next_in: Duration::from_millis(150), whole_in: Duration::from_millis(400) }
    }

    fn is_allowed(verdict: Verdict) -> bool {
        matches!(verdict, Verdict::Allowed(_))
    }

    /// What whoever has asked is told.
    fn granted(row: &mut Row, grant: Grant, now: Instant) -> Verdict {
        row.refill(grant, now);
        row.known(QUOTA, now, DecidedBy::Redis).unwrap()
    }

    /// The verdict, if no question is needed.
    fn decided(row: &mut Row, now: Instant) -> Option<Verdict> {
        match row.decide(QUOTA, now) {
            Decision::Made(verdict) => Some(verdict),
            Decision::Ask(_) => None,
        }
    }

    #[test]
    fn a_lease_is_handed_out_without_asking_and_then_redis_is_asked_again() {
        let now = Instant::now();
        let mut row = Row::new(now);
        assert_eq!(decided(&mut row, now), None);
        let Verdict::Allowed(standing) = granted(&mut row, grant(3, 5), now) else { panic!() };
        assert_eq!((standing.limit, standing.remaining), (3, 7));
        assert!(is_allowed(decided(&mut row, now).unwrap()));
        assert!(is_allowed(decided(&mut row, now).unwrap()));
        assert_eq!(decided(&mut row, now), None);
    }

    #[test]
    fn a_lease_that_is_not_used_in_time_is_lost() {
        let now = Instant::now();
        let mut row = Row::new(now);
        granted(&mut row, grant(3, 5), now);
        assert_eq!(decided(&mut row, now + LEASE_TTL), None);
        granted(&mut row, grant(1, 0), now + LEASE_TTL);
        assert_eq!(decided(&mut row, now + LEASE_TTL), None, "the old lease did not come back");
    }

    #[test]
    fn a_denial_is_remembered_until_a_cell_is_due_and_then_one_request_asks_for_all() {
        let now = Instant::now();
        let mut row = Row::new(now);
        let Verdict::Denied(_, retry_in) = granted(&mut row, grant(0, 0), now) else { panic!() };
        assert_eq!(retry_in, Duration::from_millis(150));
        let soon = now + Duration::from_millis(149);
        assert!(!is_allowed(decided(&mut row, soon).unwrap()));
        let due = now + Duration::from_millis(150);
        assert_eq!(decided(&mut row, due), None, "one asks");
        assert!(!is_allowed(decided(&mut row, due).unwrap()), "the others do not");
        assert_eq!(decided(&mut row, due + ASKING_TTL), None, "unless no answer came");
        assert!(is_allowed(granted(&mut row, grant(1, 0), due)));
    }

    #[test]
    fn alone_a_process_goes_on_from_what_redis_said_last() {
        let now = Instant::now();
        let mut row = Row::new(now);
        let all_taken = Grant { taken: 0, left: 0, next_in: QUOTA.interval, whole_in: QUOTA.interval * QUOTA.burst };
        granted(&mut row, all_taken, now);
        assert!(!is_allowed(row.unanswered(QUOTA, now)), "there is no second burst");
        let later = now + DENIAL_TTL.saturating_sub(Duration::from_millis(1));
        assert!(!is_allowed(row.unanswered(QUOTA, later)), "Redis may only be slow");
        assert!(is_allowed(row.unanswered(QUOTA, now + DENIAL_TTL)));
    }

    #[test]
    fn a_denial_of_its_own_making_is_remembered_too() {
        let now = Instant::now();
        let mut row = Row::new(now);
        assert!((0..QUOTA.burst).all(|_| is_allowed(row.unanswered(QUOTA, now))));
        assert!(!is_allowed(row.unanswered(QUOTA, now)));
        assert!(!is_allowed(decided(&mut row, now).unwrap()), "nobody is asked");
        assert_eq!(decided(&mut row, now + QUOTA.interval), None);
    }

    #[test]
    fn alone_a_process_keeps_the_same_limit() {
        let now = Instant::now();
        let mut row = Row::new(now);
        let remaining = |verdict| match verdict {
            Verdict::Allowed(standing) => Ok(standing.remaining),
            Verdict::Denied(standing, retry_in) => Err((standing.remaining, retry_in)),
        };
        let taken: Vec<_> = (0..3).map(|_| remaining(row.decide_alone(QUOTA, now))).collect();
        assert_eq!(taken, [Ok(2), Ok(1), Ok(0)]);
        assert_eq!(remaining(row.decide_alone(QUOTA, now)), Err((0, QUOTA.interval)));
        let later = now + QUOTA.interval;
        assert_eq!(remaining(row.decide_alone(QUOTA, later)), Ok(0));
        assert_eq!(remaining(row.decide_alone(QUOTA, later + 10 * QUOTA.interval)), Ok(2), "no more than the burst");
    }
}
