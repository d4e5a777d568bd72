//! What is done with one process of the running Tocsin.

use std::fs::File;
use std::process::ExitCode;

use clap::Args;

use super::StateArgs;
use super::control::{self, Action, Reply, Request};
use super::error::CliError;

#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Its name, as `status` shows it: redis, postgres, ingest-1, haproxy, …
    name: String,
    #[command(flatten)]
    state: StateArgs,
}

/// Has the supervisor act on it, and says what came of it.
pub(crate) async fn act(action: Action, target: Target) -> Result<ExitCode, CliError> {
    let request = Request::Act { action, name: target.name };
    if let Reply::Done { message } = control::ask(&target.state.folder()?, &request).await? {
        println!("{message}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints its log; the process need not run any more.
pub(crate) fn logs(target: &Target) -> Result<ExitCode, CliError> {
    let path = target.state.folder()?.log(&target.name);
    let mut file = File::open(&path).map_err(CliError::file("open", &path))?;
    match std::io::copy(&mut file, &mut std::io::stdout().lock()) {
        // `logs NAME | head` closes the pipe early.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(CliError::file("show", path)(error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}
