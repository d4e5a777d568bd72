//! What was appended a moment ago, for a Redis that loses it.
//!
//! A Redis that is emptied (`FLUSHALL`, a data folder that is gone) takes along what was accepted and not applied yet. Whoever
//! appended it still has it for a while, and can append it again: the worker knows the events that it has applied.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fred::bytes::Bytes;
use tocsin_shared::envelope::{FIELDS, Written};

/// For how long entries are kept: much longer than it takes until they are applied, unless Postgres is away.
const AGE: Duration = Duration::from_secs(30);
/// Most bytes of entries that are kept. In a flood it is not time that ends it.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// One entry: its values in one text, and where each ends. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) text: Bytes,
    pub(crate) ends: [usize; FIELDS.len()],
}

impl From<Written> for Entry {
    fn from(written: Written) -> Self {
        let (text, ends) = written.into_text();
        Self { text: Bytes::from(text), ends }
    }
}

/// The newest entries of a process, within bounds.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Newest>);

#[derive(Debug, Default)]
struct Newest {
    entries: VecDeque<(Instant, Entry)>,
    bytes: usize,
}

impl Kept {
    /// Keeps these for a while, and forgets what is too old or too much.
    pub(crate) fn keep(&self, entries: impl IntoIterator<Item = Entry>, now: Instant) {
        let mut newest = self.newest();
        for entry in entries {
            newest.bytes += entry.text.len();
            newest.entries.push_back((now, entry));
        }
        newest.forget(now);
    }

    /// All that are kept, the oldest first.
    pub(crate) fn all(&self, now: Instant) -> Vec<Entry> {
        let mut newest = self.newest();
        newest.forget(now);
        newest.entries.iter().map(|(_, entry)| entry.clone()).collect()
    }

    fn newest(&self) -> MutexGuard<'_, Newest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Newest {
    fn forget(&mut self, now: Instant) {
        while let Some((at, entry)) = self.entries.front()
            && (self.bytes > MAX_BYTES || now.saturating_duration_since(*at) > AGE)
        {
            self.bytes -= entry.text.len();
            self.entries.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bytes: usize) -> Entry {
        Entry { text: vec![0; bytes].into(), ends: [0; FIELDS.len()] }
    }

    #[test]
    fn what_is_too_old_or_too_much_is_forgotten() {
        let (kept, begun) = (Kept::default(), Instant::now());
        kept.keep([entry(1), entry(2)], begun);
        kept.keep([entry(3)], begun + Duration::from_secs(20));
        let sizes = |now| kept.all(now).iter().map(|entry| entry.text.len()).collect::<Vec<_>>();
        assert_eq!(sizes(begun + AGE), [1, 2, 3]);
        assert_eq!(sizes(begun + AGE + Duration::from_secs(1)), [3]);
        kept.keep([entry(MAX_BYTES), entry(4)], begun + AGE);
        assert_eq!(sizes(begun + AGE), [4], "the oldest goes first, and the bound holds");
    }
}
