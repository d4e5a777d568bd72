//! Why a bench has no figures.

use crate::TestbedError;

/// A bench that failed. None of its figures count.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// Something could not be started, stopped or asked.
    #[error(transparent)]
    Testbed(#[from] TestbedError),
    /// An HTTP request of our own failed.
    #[error("an HTTP request failed")]
    Http(#[from] reqwest::Error),
    /// A statement of our own failed.
    #[error("a statement failed")]
    Postgres(#[from] tokio_postgres::Error),
    /// wrk did not come as far as telling what came of it.
    #[error("wrk told no outcome:\n{output}")]
    NoOutcome {
        /// What it said.
        output: String,
    },
    /// wrk told something else than our script makes it tell.
    #[error("wrk told an outcome that makes no sense")]
    Outcome(#[source] serde_json::Error),
    /// Requests were refused, so the rate is not that of accepting.
    #[error("{subject}: {refused} answers were refusals and {socket_errors} did not come, so its rate means nothing")]
    Refused {
        /// Who refused.
        subject: &'static str,
        /// How many.
        refused: u64,
        /// How many connections failed.
        socket_errors: u64,
    },
    /// What was accepted is not there.
    #[error("{what}: {accepted} deliveries were accepted and {applied} applied: {} are lost", accepted.saturating_sub(*applied))]
    Lost {
        /// Where.
        what: String,
        /// How many were accepted.
        accepted: u64,
        /// How many of them were applied.
        applied: u64,
    },
    /// Deliveries count more than once.
    #[error("{what}: {doubled} deliveries count twice")]
    Doubled {
        /// Where.
        what: String,
        /// How many.
        doubled: u64,
    },
    /// A count from a store is no number.
    #[error("`{text}` is not a number")]
    NotANumber {
        /// What it is.
        text: String,
    },
    /// A service that should run does not.
    #[error("{name} does not run")]
    Gone {
        /// Its name.
        name: String,
    },
    /// An answer is not what every answer of its kind is.
    #[error("{what}")]
    Broken {
        /// What is wrong, as a sentence.
        what: &'static str,
    },
}

impl From<crate::poll::TimedOut> for BenchError {
    fn from(error: crate::poll::TimedOut) -> Self {
        Self::Testbed(error.into())
    }
}
