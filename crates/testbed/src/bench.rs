//! Measuring. A bench starts what it needs, measures in interleaved rounds, so that what disturbs the machine disturbs all
//! alike, checks that nothing was lost, and hands back a [`Report`].
//!
//! A figure that misses its goal is a figure; a check that fails is an error. What is measured is written once, here, and
//! used by `tocsin-testbed bench` as well as by the proofs in `tests/`.

pub mod api;
pub(crate) mod applied;
mod bare;
mod error;
pub mod flood;
pub mod ingest;
mod keys;
pub mod live;
mod machine;
pub mod notify;
mod page;
mod report;
pub mod store_loss;
pub mod worker;
mod wrk;

pub use self::bare::{Bare, serve as serve_bare};
pub use self::error::BenchError;
pub use self::machine::{Machine, commit, cores};
pub use self::report::{Goal, Metric, Report, median};
pub use self::wrk::{Outcome, Shot, Wrk};

/// A report of this machine and commit.
pub async fn report(metrics: Vec<Metric>, notes: Vec<String>) -> Report {
    Report { machine: Machine::this(), commit: commit().await, metrics, notes }
}

/// Milliseconds, for a report.
fn millis(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// MiB, for a report.
#[expect(clippy::cast_precision_loss, reason = "no process has 2^52 KiB")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
