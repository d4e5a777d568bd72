//! What can go wrong on the command line.

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tocsin_testbed::TestbedError;
use tocsin_testbed::bench::BenchError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The test bed failed.
    #[error(transparent)]
    Testbed(#[from] TestbedError),
    /// A bench has no figures.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// A command line of our own is none.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// A report could not be written as JSON.
    #[error("could not write the report as JSON")]
    Report(#[source] serde_json::Error),
    /// A file could not be read or written.
    #[error("could not {doing} {}", path.display())]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    /// There is nowhere to keep state.
    #[error("neither HOME nor XDG_STATE_HOME is set; say where to keep data with `--state`")]
    NoStateFolder,
    /// The command needs a running Tocsin.
    #[error("Tocsin is not up; start it with `./dev up`")]
    NotUp,
    /// It is being started or stopped.
    #[error("Tocsin is not ready for this: it is {phase}")]
    WrongPhase { phase: &'static str },
    /// The supervisor refused; its own words.
    #[error("{message}")]
    Refused { message: String },
    /// The supervisor holds its lock and does not answer.
    #[error("the supervisor (process {pid}) did not answer within {waited:?}; `./dev down` ends it")]
    NoAnswer { pid: i32, waited: Duration },
    /// The supervisor answered something that we don't understand: another version of this program.
    #[error("the supervisor speaks another language; `./dev down` ends it")]
    Protocol(#[source] serde_json::Error),
    /// The connection to the supervisor failed.
    #[error("could not talk to the supervisor")]
    Control(#[source] io::Error),
    /// The supervisor did not go away.
    #[error("the supervisor (process {pid}) is still there after {waited:?}")]
    StillThere { pid: i32, waited: Duration },
    /// The detached supervisor ended before everything was up. What it said has been shown.
    #[error("Tocsin did not start; the log is {}", log.display())]
    DidNotStart { log: PathBuf },
    /// The user gave up while it was starting.
    #[error("interrupted")]
    Interrupted,
    /// The signal handlers could not be installed.
    #[error("could not listen for signals")]
    Signals(#[source] io::Error),
    /// This program does not find itself.
    #[error("could not find the running executable")]
    OwnPath(#[source] io::Error),
    /// A child could not be started or waited for.
    #[error("could not run `{program}`")]
    Run { program: String, source: io::Error },
    /// An operating system call failed.
    #[error("{doing} failed")]
    System { doing: &'static str, source: nix::errno::Errno },
}

impl CliError {
    /// For `map_err` around a file operation.
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }
}

/// An error and what caused it, a line each.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, "\n  because: {cause}");
        source = cause.source();
    }
    text
}
