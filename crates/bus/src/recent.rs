//! What was appended lately, for a Redis that forgets it.
//!
//! An append-only file and replicas keep what was acknowledged through every failure of a process. They do not keep it when
//! somebody empties Redis, or replaces it by an empty one. Whoever appends therefore remembers what it has appended until it
//! is applied, as much as a bound allows. A Redis that was emptied is known by its *epoch*, a key with a random value that
//! whoever finds none makes anew; what is remembered is then appended again. Whatever of it was applied before is known by
//! its event id, so that this does no harm.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fred::bytes::Bytes;
use tocsin_shared::envelope::{FIELDS, Written};

/// Most bytes that are remembered; the oldest are forgotten first.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// One entry: its text, and where in it each value ends. Clones share the text.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    text: Bytes,
    ends: [usize; FIELDS.len()],
}

impl Entry {
    /// The values, which are parts of the one text.
    pub(crate) fn values(&self) -> impl Iterator<Item = Bytes> {
        let mut start = 0;
        self.ends.iter().map(move |end| self.text.slice(std::mem::replace(&mut start, *end)..*end))
    }

    /// What it takes of the memory, about.
    fn size(&self) -> usize {
        self.text.len() + size_of::<Self>()
    }
}

impl From<Written> for Entry {
    fn from(written: Written) -> Self {
        let (text, ends) = written.into_text();
        Self { text: text.into(), ends }
    }
}

/// Batches that may not be applied yet.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    batches: VecDeque<Batch>,
    bytes: usize,
    numbered: u64,
    /// Of the Redis that has them.
    epoch: Option<Bytes>,
}

#[derive(Debug)]
struct Batch {
    number: u64,
    entries: Vec<Entry>,
    bytes: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// On its way to Redis.
    Sent,
    /// Redis has taken it.
    Taken,
    /// It had taken it before it was asked how much waits.
    TakenBefore,
}

impl Recent {
    /// Remembers a batch that is about to be sent, and gives its number.
    pub(crate) fn send(&self, entries: &[Entry]) -> u64 {
        let mut inner = self.lock();
        inner.numbered += 1;
        let number = inner.numbered;
        let bytes = entries.iter().map(Entry::size).sum();
        inner.bytes += bytes;
        inner.batches.push_back(Batch { number, entries: entries.to_vec(), bytes, state: State::Sent });
        while inner.bytes > MAX_BYTES
            && let Some(oldest) = inner.batches.pop_front()
        {
            inner.bytes -= oldest.bytes;
        }
        number
    }

    /// Redis has taken a batch.
    pub(crate) fn taken(&self, number: u64) {
        if let Some(batch) = self.lock().batches.iter_mut().rev().find(|batch| batch.number == number) {
            batch.state = State::Taken;
        }
    }

    /// Nobody is told that Redis has a batch, unless it has taken it.
    pub(crate) fn given_up(&self, number: u64) {
        self.lock().forget(|batch| batch.number == number && batch.state == State::Sent);
    }

    /// To be said before Redis is asked how much waits.
    pub(crate) fn ask(&self) {
        for batch in self.lock().batches.iter_mut().filter(|batch| batch.state == State::Taken) {
            batch.state = State::TakenBefore;
        }
    }

    /// Nothing waits in the Redis of this epoch: all that it had taken before that was asked is applied.
    pub(crate) fn is_applied(&self, epoch: Option<&Bytes>) {
        let mut inner = self.lock();
        if inner.epoch.as_ref() == epoch {
            inner.forget(|batch| batch.state == State::TakenBefore);
        }
    }

    /// What must be appended again, if this is not the epoch of before.
    pub(crate) fn lost(&self, epoch: Option<&Bytes>) -> Option<Vec<Entry>> {
        let mut inner = self.lock();
        if inner.epoch.as_ref() == epoch {
            return None;
        }
        if inner.epoch.is_none() {
            // The first one that is seen.
            inner.epoch = epoch.cloned();
            return None;
        }
        Some(inner.batches.iter().flat_map(|batch| batch.entries.clone()).collect())
    }

    /// The Redis of this epoch has all that is remembered.
    pub(crate) fn is_in(&self, epoch: Bytes) {
        self.lock().epoch = Some(epoch);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget(&mut self, is_over: impl Fn(&Batch) -> bool) {
        let bytes = &mut self.bytes;
        self.batches.retain(|batch| {
            let is_over = is_over(batch);
            if is_over {
                *bytes -= batch.bytes;
            }
            !is_over
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Bytes = Bytes::from_static(b"one");
    const TWO: Bytes = Bytes::from_static(b"two");

    fn entry(size: usize) -> Entry {
        Entry { text: vec![b'x'; size].into(), ends: [size; FIELDS.len()] }
    }

    /// Sizes of the texts that would be appended again.
    fn lost(recent: &Recent) -> Vec<usize> {
        let lost = recent.lost(Some(&TWO)).unwrap();
        lost.iter().map(|entry| entry.text.len()).collect()
    }

    fn recent() -> Recent {
        let recent = Recent::default();
        assert!(recent.lost(Some(&ONE)).is_none(), "nothing was before the first epoch");
        recent
    }

    #[test]
    fn what_may_not_be_applied_is_appended_again_in_another_epoch_until_that_has_it() {
        let recent = recent();
        let numbers = [1, 2, 3].map(|size| recent.send(&[entry(size)]));
        recent.taken(numbers[0]);
        recent.given_up(numbers[1]);
        recent.given_up(numbers[0]);
        assert!(recent.lost(Some(&ONE)).is_none());
        assert_eq!(lost(&recent), [1, 3], "what is on its way may be lost as well");
        assert_eq!(lost(&recent), [1, 3], "as long as it is not done");
        assert!(recent.lost(None).is_some(), "an epoch that is gone is another one");
        recent.is_in(TWO);
        assert!(recent.lost(Some(&TWO)).is_none());
    }

    #[test]
    fn only_what_was_taken_before_the_question_is_known_to_be_applied() {
        let recent = recent();
        let numbers = [1, 2, 3].map(|size| recent.send(&[entry(size)]));
        recent.taken(numbers[0]);
        recent.ask();
        recent.taken(numbers[1]);
        recent.is_applied(Some(&TWO));
        assert_eq!(lost(&recent), [1, 2, 3], "a Redis that was emptied has nothing that waits, and nothing is applied");
        recent.is_applied(Some(&ONE));
        assert_eq!(lost(&recent), [2, 3]);
    }

    #[test]
    fn the_oldest_are_forgotten_at_the_bound() {
        let recent = recent();
        for size in [MAX_BYTES / 2, MAX_BYTES / 4, MAX_BYTES / 2] {
            recent.send(&[entry(size)]);
        }
        assert_eq!(lost(&recent), [MAX_BYTES / 4, MAX_BYTES / 2]);
    }

    #[test]
    fn values_are_parts_of_the_text() {
        let mut ends = [4; FIELDS.len()];
        ends[0] = 1;
        let entry = Entry { text: Bytes::from_static(b"abcd"), ends };
        let values: Vec<_> = entry.values().take(2).collect();
        assert_eq!(values, ["a", "bcd"]);
    }
}
