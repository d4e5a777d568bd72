//! `down`.

use std::process::ExitCode;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tocsin_testbed::poll;

use super::control::{self, Request};
use super::error::CliError;
use super::state::StateFolder;

/// How long an orderly end may take: the services drain for up to 30 s.
const STOP_DEADLINE: Duration = Duration::from_mins(1);
/// How long a supervisor that does not listen may take after `SIGTERM`, and after `SIGKILL`.
const SIGNAL_DEADLINE: Duration = Duration::from_secs(10);

/// Stops everything, and waits until it is gone.
pub(crate) async fn down(state: &StateFolder, wipe: bool) -> Result<ExitCode, CliError> {
    stop(state).await?;
    if wipe && state.path().exists() {
        // Nobody may start anything in a folder that is being deleted.
        let Some(_lock) = state.lock()? else {
            return Err(CliError::Refused { message: "it has been started again meanwhile".to_owned() });
        };
        state.wipe()?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn stop(state: &StateFolder) -> Result<(), CliError> {
    match control::ask(state, &Request::ShutDown).await {
        Err(CliError::NotUp) => {
            eprintln!("Tocsin is not up.");
            return Ok(());
        }
        Ok(_) if is_gone(state, STOP_DEADLINE).await => return Ok(()),
        Ok(_) => eprintln!("the supervisor does not come to an end; ending it by signal"),
        Err(error) => eprintln!("{error}; ending it by signal"),
    }
    // A supervisor that is killed takes its children with it.
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let Some(pid) = state.supervisor()? else { return Ok(()) };
        if pid > 0 {
            kill(Pid::from_raw(pid), signal)
                .map_err(|source| CliError::System { doing: "signalling the supervisor", source })?;
        }
        if is_gone(state, SIGNAL_DEADLINE).await {
            return Ok(());
        }
    }
    let pid = state.supervisor()?.unwrap_or_default();
    Err(CliError::StillThere { pid, waited: SIGNAL_DEADLINE })
}

async fn is_gone(state: &StateFolder, deadline: Duration) -> bool {
    poll::until("the supervisor to end", deadline, async || matches!(state.supervisor(), Ok(None))).await.is_ok()
}
