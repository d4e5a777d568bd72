//! When things happened, counted from the first request of a run.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// The clock of one run.
#[derive(Debug)]
pub(crate) struct Timeline {
    origin: Instant,
    wall: SystemTime,
    marks: Mutex<Marks>,
}

/// What stands out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// When the fault began.
    pub(crate) begun: Duration,
    /// When what had been broken was whole again: started, resumed, connected, and answering.
    pub(crate) cleared: Duration,
    /// When the last request was sent.
    pub(crate) ended: Duration,
}

impl Timeline {
    /// Begins now.
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now(), wall: SystemTime::now(), marks: Mutex::default() }
    }

    /// Since the beginning.
    pub(crate) fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// The moment at which so much has passed.
    pub(crate) fn at(&self, offset: Duration) -> Instant {
        self.origin + offset
    }

    /// Of a moment that another process has written down.
    pub(crate) fn offset_of(&self, moment: SystemTime) -> Duration {
        moment.duration_since(self.wall).unwrap_or_default()
    }

    /// The beginning, in seconds since 1970.
    pub(crate) fn origin_epoch(&self) -> f64 {
        self.wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
    }

    /// The fault begins now.
    pub(crate) fn mark_begun(&self) {
        self.mark(|marks, now| marks.begun = now);
    }

    /// What was broken is whole again now.
    pub(crate) fn mark_cleared(&self) {
        self.mark(|marks, now| marks.cleared = now);
    }

    /// The last request has been sent now.
    pub(crate) fn mark_ended(&self) {
        self.mark(|marks, now| marks.ended = now);
    }

    /// What was marked.
    pub(crate) fn marks(&self) -> Marks {
        *self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark(&self, set: impl FnOnce(&mut Marks, Duration)) {
        let now = self.now();
        set(&mut self.marks.lock().unwrap_or_else(PoisonError::into_inner), now);
    }
}
