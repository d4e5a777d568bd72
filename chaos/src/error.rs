//! Why there are no figures.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tocsin_testbed::TestbedError;
use tocsin_testbed::poll::TimedOut;

/// A result of this crate.
pub(crate) type Result<T, E = ChaosError> = std::result::Result<T, E>;

/// A run that could not be made or judged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChaosError {
    /// Something could not be started, stopped or asked.
    #[error(transparent)]
    Testbed(#[from] TestbedError),
    /// No such scenario.
    #[error("there is no scenario `{name}` in the topology `{topology}`; --list names those that there are")]
    NoSuchScenario {
        /// What was asked for.
        name: String,
        /// Where.
        topology: &'static str,
    },
    /// The scenario needs what this machine does not give.
    #[error("`{scenario}` needs {need}")]
    Needs {
        /// Which.
        scenario: &'static str,
        /// What.
        need: &'static str,
    },
    /// A program failed.
    #[error("{program} failed: {said}")]
    Program {
        /// Which.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// A file could not be read or written.
    #[error("could not {doing} {}", path.display())]
    File {
        /// What was tried, as a verb.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file of figures is none.
    #[error("{} is no file of figures", path.display())]
    Figures {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// Requests are refused before anything is broken.
    #[error("a webhook is refused while all is well: {answer}")]
    Unwell {
        /// What was answered.
        answer: String,
    },
    /// The system did not come to rest.
    #[error("after {waited:?} there was still something to do: {left}")]
    Restless {
        /// How long was waited.
        waited: Duration,
        /// What was left.
        left: String,
    },
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl ChaosError {
    /// For `map_err`.
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }
}

impl From<TimedOut> for ChaosError {
    fn from(error: TimedOut) -> Self {
        Self::Testbed(error.into())
    }
}
