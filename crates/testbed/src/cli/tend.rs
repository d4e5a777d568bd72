//! `tend`: a parent for a program whose children outlive it, as a Postgres outlives the Patroni that has started it.
//!
//! It adopts what is orphaned below it and reaps it at once (a dead Postgres that nobody reaps looks alive to Patroni), passes on
//! the polite signals, and takes everything along when the program ends, or when `SIGHUP` says that our own parent has.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tocsin_testbed::process::kill_descendants;
use tokio::signal::unix::{SignalKind, signal};

use super::error::CliError;

/// Runs the command until it ends, and ends as it did.
pub(crate) async fn tend(command: &[OsString]) -> Result<ExitCode, CliError> {
    let [program, args @ ..] = command else { return Ok(ExitCode::FAILURE) };
    let listen = |kind| signal(kind).map_err(CliError::Signals);
    let (mut ended, mut hung_up) = (listen(SignalKind::child())?, listen(SignalKind::hangup())?);
    let (mut terminated, mut interrupted) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    prctl::set_child_subreaper(true).map_err(|source| CliError::System { doing: "adopting orphans", source })?;
    let child = Command::new(program)
        .args(args)
        .spawn()
        .map_err(|source| CliError::Run { program: program.to_string_lossy().into_owned(), source })?;
    let child = Pid::from_raw(child.id().cast_signed());
    let status = loop {
        tokio::select! {
            _ = ended.recv() => {
                if let Some(status) = reap(child) {
                    break status;
                }
            }
            // The child may have ended since.
            _ = terminated.recv() => drop(kill(child, Signal::SIGTERM)),
            _ = interrupted.recv() => drop(kill(child, Signal::SIGINT)),
            _ = hung_up.recv() => break u8::MAX,
        }
    };
    kill_descendants(std::process::id());
    Ok(ExitCode::from(status))
}

/// Reaps everybody who has ended; the exit code of `child` if it is among them.
fn reap(child: Pid) -> Option<u8> {
    let mut status = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => status = Some(u8::try_from(code).unwrap_or(u8::MAX)),
            Ok(WaitStatus::Signaled(pid, ..)) if pid == child => status = Some(u8::MAX),
            Ok(WaitStatus::StillAlive) => return status,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_none_left) => return status,
        }
    }
}
