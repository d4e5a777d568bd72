//! `with-stores`: shared stores around a command, usually `cargo test`.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tocsin_testbed::process::{fork, kill_descendants};
use tocsin_testbed::{SharedStores, Stores, programs};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use super::error::CliError;
use super::run_folder::RunFolder;

/// How long the command may take to end after Ctrl-C before it is killed.
const INTERRUPT_DEADLINE: Duration = Duration::from_secs(10);

/// Runs the command and ends with its exit code.
pub(crate) async fn with_stores(keep: bool, command: Vec<OsString>) -> Result<ExitCode, CliError> {
    // Whatever the command leaves behind becomes our child, so that we can end it: a test program that outlives cargo.
    prctl::set_child_subreaper(true).map_err(|source| CliError::System { doing: "adopting orphans", source })?;
    let mut signals = Signals::new()?;
    let folder = RunFolder::create()?;
    let outcome = run(&folder, command, &mut signals).await;
    kill_descendants(std::process::id());
    if keep {
        eprintln!("kept {}", folder.keep().display());
    } else {
        folder.remove()?;
    }
    outcome
}

async fn run(folder: &RunFolder, command: Vec<OsString>, signals: &mut Signals) -> Result<ExitCode, CliError> {
    let start = async {
        let stores = Stores::start(&folder.path().join("stores")).await?;
        let tests = folder.path().join("tests");
        tokio::fs::create_dir_all(&tests).await.map_err(CliError::file("create", &tests))?;
        let shared = SharedStores::prepare(&stores, tests).await?;
        Ok::<_, CliError>((stores, shared))
    };
    let (stores, shared) = tokio::select! {
        started = start => started?,
        _signal = signals.next() => return Err(CliError::Interrupted),
    };
    let status = run_command(command, &shared, signals).await;
    // At once: the data is deleted next, and a last checkpoint of a busy run can take Postgres half a minute. Where it does
    // not run any more, there is nothing to hasten.
    let _ = stores.postgres().process().signal(Signal::SIGQUIT).await;
    stores.stop().await?;
    Ok(exit_code(status?))
}

async fn run_command(
    command: Vec<OsString>,
    shared: &SharedStores,
    signals: &mut Signals,
) -> Result<ExitStatus, CliError> {
    let program = command.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default();
    let failed = |source| CliError::Run { program: program.clone(), source };
    let mut wrapped = Command::new(programs::system("setpriv", "util-linux")?);
    // The command stays in our process group, so that Ctrl-C in a terminal reaches it as it would without us.
    wrapped.args(["--pdeathsig", "TERM", "--"]).args(&command).envs(shared.to_env());
    let mut child = fork(wrapped).await.map_err(failed)?;
    tokio::select! {
        status = child.wait() => return status.map_err(failed),
        signal = signals.next() => interrupt(&child, signal),
    }
    match timeout(INTERRUPT_DEADLINE, child.wait()).await {
        Ok(status) => status.map_err(failed),
        Err(_elapsed) => {
            child.kill().await.map_err(failed)?;
            child.wait().await.map_err(failed)
        }
    }
}

/// Passes the signal on. Ctrl-C has reached the command too, and a second one does no harm.
fn interrupt(child: &Child, signal: Signal) {
    if let Some(pid) = child.id() {
        // It has not been reaped, so the id is still its own.
        let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
    }
}

/// As a shell would say it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}

/// The signals that end a command.
pub(crate) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    pub(crate) fn new() -> Result<Self, CliError> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(CliError::Signals)?,
            terminate: signal(SignalKind::terminate()).map_err(CliError::Signals)?,
            hang_up: signal(SignalKind::hangup()).map_err(CliError::Signals)?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::SIGINT,
            _ = self.terminate.recv() => Signal::SIGTERM,
            _ = self.hang_up.recv() => Signal::SIGHUP,
        }
    }
}
