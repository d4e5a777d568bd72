//! What can go wrong while servers are started and stopped.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use crate::poll::TimedOut;

/// A result of this crate.
pub type Result<T, E = TestbedError> = std::result::Result<T, E>;

/// Everything that can go wrong in the test bed. Each message says what to do about it where something can be done.
#[derive(Debug, thiserror::Error)]
pub enum TestbedError {
    /// A system program is not installed.
    #[error("`{program}` is not installed; install it with `apt-get install {package}` (`./dev` does so when it may)")]
    ProgramMissing {
        /// The program that was looked for.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// One of Tocsin's own binaries has not been built.
    #[error("there is no `{name}` in {}; build it with `cargo build --workspace --bins`", folder.display())]
    ServiceNotBuilt {
        /// The binary that was looked for.
        name: &'static str,
        /// Where it should have been.
        folder: PathBuf,
    },
    /// Patroni is not installed.
    #[error("there is no Patroni in {}; install it with `./dev patroni`", folder.display())]
    PatroniMissing {
        /// Where it should have been.
        folder: PathBuf,
    },
    /// Nothing of this kind says that it leads.
    #[error("no {of} says that it leads")]
    NoneLeads {
        /// What was asked.
        of: &'static str,
    },
    /// What was to be done to the network of a process can't be done there.
    #[error("{name} can't be cut off or slowed like that: {why}")]
    NoNetwork {
        /// The process.
        name: String,
        /// Why not, and what is possible.
        why: &'static str,
    },
    /// There are too many topologies on this machine, or the one that a folder belongs to runs already.
    #[error("no addresses are left for another topology: `./dev down` stops one")]
    NoFreeSlot,
    /// An operating system account that a server needs does not exist.
    #[error(
        "Postgres refuses to run as root and there is no account `{name}` to run it as; install the package `postgresql`"
    )]
    NoAccount {
        /// The account's name.
        name: &'static str,
    },
    /// A folder can't be entered by the account that must work in it.
    #[error("the account `{account}` may not enter {}; choose another folder with `--state` or `TOCSIN_STATE_DIR`", folder.display())]
    Unreachable {
        /// The account that needs the folder.
        account: String,
        /// The folder that closes the way.
        folder: PathBuf,
    },
    /// A fixed port is in use.
    #[error("port {port} is taken by another program; choose another one with `--port`, or stop what listens there")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// Not one port was free.
    #[error("no free port between {first} and {last}")]
    NoFreePort {
        /// First port that was tried.
        first: u16,
        /// Last port that was tried.
        last: u16,
    },
    /// A file or folder could not be read or written.
    #[error("could not {doing} {}", path.display())]
    File {
        /// What was tried, as a verb.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A child could not be spawned.
    #[error("could not start {name}")]
    Spawn {
        /// The process' name.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// A signal could not be sent.
    #[error("could not send a signal to {name}")]
    Signal {
        /// The process' name.
        name: String,
        /// Why not.
        source: nix::errno::Errno,
    },
    /// The process runs already.
    #[error("{name} is running already")]
    AlreadyRunning {
        /// The process' name.
        name: String,
    },
    /// The process does not run.
    #[error("{name} is not running")]
    NotRunning {
        /// The process' name.
        name: String,
    },
    /// The process did not end in time.
    #[error("{name} is still running after {waited:?}")]
    StillRunning {
        /// The process' name.
        name: String,
        /// How long we waited.
        waited: Duration,
    },
    /// The process ended while we waited for it to become ready.
    #[error("{name} ended before it was ready ({status}); the end of its log:\n{log_tail}")]
    EndedEarly {
        /// The process' name.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        log_tail: String,
    },
    /// The process runs but did not become ready in time.
    #[error("{name} did not become ready; the end of its log:\n{log_tail}")]
    NotReady {
        /// The process' name.
        name: String,
        /// What was awaited and what was seen instead.
        source: TimedOut,
        /// The last lines of its log.
        log_tail: String,
    },
    /// A program that should do one thing and end well ended badly.
    #[error("`{program}` failed ({status}): {}", stderr.trim())]
    CommandFailed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to its standard error.
        stderr: String,
    },
    /// A program that should do one thing and end did not end.
    #[error("`{program}` did not finish within {waited:?}")]
    CommandTimedOut {
        /// The program.
        program: String,
        /// How long we waited.
        waited: Duration,
    },
    /// The cluster in the state folder was made by another major version of Postgres.
    #[error("the data in {} was written by Postgres {found}, which is not installed; `./dev down --wipe` starts afresh", folder.display())]
    OtherPostgres {
        /// The data folder.
        folder: PathBuf,
        /// The major version that wrote it.
        found: String,
    },
    /// A process of an earlier run still serves the cluster in the state folder.
    #[error("process {pid} still serves the Postgres data in {}; stop it first", folder.display())]
    ClusterInUse {
        /// The data folder.
        folder: PathBuf,
        /// The process that uses it.
        pid: i32,
    },
    /// A test was started without the shared stores.
    #[error("{variable} is not set: tests need shared stores, so run them through `./dev test` or `just test-one …`")]
    NoSharedStores {
        /// The variable that `with-stores` would have set.
        variable: &'static str,
    },
    /// A topology has no process of that name.
    #[error("there is no process `{name}`; there are: {}", known.join(", "))]
    NoSuchProcess {
        /// The name that was asked for.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// The events stream could not be filled.
    #[error("could not append to the events stream")]
    Feed {
        /// Why not.
        source: io::Error,
    },
    /// A condition did not come true in time.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// An HTTP request of our own failed.
    #[error("an HTTP request failed")]
    Http(#[from] reqwest::Error),
}

impl TestbedError {
    /// For `map_err` around a file operation.
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }
}
