//! Dying on demand between two durable steps, in debug builds alone: so that a test can prove what a crash there leads to.
//!
//! `TOCSIN_WORKER_ABORT_AT=commit:3` ends the process, without a chance to tidy up, when it gets there for the third time.
//! A release build does not look at it.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The variable that names the point, and how many times it is passed by before.
const VARIABLE: &str = "TOCSIN_WORKER_ABORT_AT";

/// A place between two durable steps of applying a batch, named after the step that has just been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbortPoint {
    /// A batch was read from the stream.
    Read,
    /// A transaction was begun, and has claimed its events.
    Begin,
    /// All is written and not committed.
    Write,
    /// It is committed.
    Commit,
    /// A notifier was woken.
    Wake,
    /// The batch is acknowledged.
    Ack,
}

/// The point where this process is to end, if there is one, and how often it is still passed by.
static WANTED: LazyLock<Option<(String, AtomicU32)>> = LazyLock::new(|| {
    let wanted = std::env::var(VARIABLE).ok()?;
    let (name, count) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    Some((name.to_owned(), AtomicU32::new(count.parse().unwrap_or(1))))
});

impl AbortPoint {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Begin => "begin",
            Self::Write => "write",
            Self::Commit => "commit",
            Self::Wake => "wake",
            Self::Ack => "ack",
        }
    }

    /// Ends the process if it was asked to end here. Nothing at all in a release build.
    pub fn reached(self) {
        if cfg!(debug_assertions)
            && let Some((name, left)) = &*WANTED
            && name == self.as_str()
            && left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            tracing::warn!(point = name, "aborting, as asked");
            std::process::abort();
        }
    }
}
