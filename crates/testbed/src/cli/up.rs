//! `up`: in the foreground until Ctrl-C, or detached.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use clap::Args;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, setsid};
use tocsin_testbed::poll;
use tokio::time::{Instant, sleep};

use super::StateArgs;
use super::control::{self, Phase, Status};
use super::error::CliError;
use super::state::{StateFolder, SupervisorLock};
use super::status::closing_lines;
use super::supervisor::{Plan, Supervisor};
use super::with_stores::Signals;

/// The file that is the configuration when none is named and the current folder has it.
const DEFAULT_CONFIG: &str = "tocsin.yaml";
/// How long another `up` that is starting may take.
const OTHER_UP_DEADLINE: Duration = Duration::from_secs(90);
/// How often a detached start is looked at.
const WATCH_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// The front door's port on 127.0.0.1.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The configuration file; `tocsin.yaml` in the current folder unless given.
    #[arg(long, value_name = "FILE", env = "TOCSIN_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Start three of each store, of which any one may fail, and two of each service.
    #[arg(long)]
    ha: bool,
    /// Return when everything is up, and keep running in the background.
    #[arg(long)]
    detach: bool,
    /// This is the background process of `--detach`.
    #[arg(long, hide = true, conflicts_with = "detach")]
    detached: bool,
    #[command(flatten)]
    state: StateArgs,
}

impl UpArgs {
    fn config(&self) -> Result<Option<PathBuf>, CliError> {
        let default = || Some(PathBuf::from(DEFAULT_CONFIG)).filter(|path| path.is_file());
        let Some(path) = self.config.clone().or_else(default) else { return Ok(None) };
        // Whole, since services may work elsewhere; and missing is better found now.
        path.canonicalize().map(Some).map_err(CliError::file("find the configuration", path))
    }
}

/// Starts Tocsin, or says where it is when it is up already.
pub(crate) async fn up(args: UpArgs) -> Result<ExitCode, CliError> {
    let state = args.state.folder()?;
    state.create()?;
    let config = args.config()?;
    let Some(lock) = state.lock()? else {
        let status = wait_until_up(&state).await?;
        print!("{}", closing_lines(&status, &state));
        return Ok(ExitCode::SUCCESS);
    };
    if args.detach {
        drop(lock);
        return detach(&args, &state, config.as_deref()).await;
    }
    if args.detached {
        setsid().map_err(|source| CliError::System { doing: "leaving the terminal", source })?;
    }
    supervise(Plan { state, port: args.port, config, is_ha: args.ha }, lock, !args.detached).await
}

/// Waits for another `up` of this state folder.
async fn wait_until_up(state: &StateFolder) -> Result<Status, CliError> {
    let what = "the Tocsin that is being started elsewhere";
    let status = poll::until(what, OTHER_UP_DEADLINE, async || match control::status(state).await {
        Ok(Some(status)) if status.phase == Phase::Up => Ok(status),
        Ok(Some(status)) => Err(status.phase.name().to_owned()),
        Ok(None) => Err("it is gone".to_owned()),
        Err(error) => Err(error.to_string()),
    });
    Ok(status.await.map_err(tocsin_testbed::TestbedError::from)?)
}

/// Runs everything until told to stop.
async fn supervise(plan: Plan, _lock: SupervisorLock, is_foreground: bool) -> Result<ExitCode, CliError> {
    let state = plan.state.clone();
    remove_old_logs(&state);
    let mut signals = Signals::new()?;
    let listener = control::listen(&state)?;
    let supervisor = Supervisor::new(state.clone());
    tokio::spawn(supervisor.clone().answer_commands(listener));
    let begun = Instant::now();
    // When the start fails or is interrupted, what it started is dropped, and thereby killed.
    tokio::select! {
        started = supervisor.start(plan) => started?,
        _signal = signals.next() => return Err(CliError::Interrupted),
        () = supervisor.shutdown_asked() => return Err(CliError::Interrupted),
    }
    tracing::info!("everything is up after {:.1} s", begun.elapsed().as_secs_f64());
    if is_foreground {
        print!("{}", closing_lines(&supervisor.status().await, &state));
        println!("Ctrl-C stops it.");
    }
    tokio::select! {
        _signal = signals.next() => {}
        () = supervisor.shutdown_asked() => {}
    }
    tracing::info!("stopping");
    tokio::select! {
        stopped = supervisor.stop() => stopped?,
        // The second Ctrl-C: what is left is killed.
        _signal = signals.next() => return Err(CliError::Interrupted),
    }
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Logs tell of one `up`. The supervisor's own has been opened anew already.
fn remove_old_logs(state: &StateFolder) {
    let own = state.log("supervisor");
    let entries = std::fs::read_dir(state.logs()).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()).filter(|path| *path != own) {
        let _ = std::fs::remove_file(path);
    }
}

/// Starts this program again in the background and shows its progress until it is up.
async fn detach(args: &UpArgs, state: &StateFolder, config: Option<&Path>) -> Result<ExitCode, CliError> {
    let log = state.log("supervisor");
    let output = File::create(&log).map_err(CliError::file("create", &log))?;
    let errors = output.try_clone().map_err(CliError::file("open", &log))?;
    let mut command = Command::new(std::env::current_exe().map_err(CliError::OwnPath)?);
    command.args(["up", "--detached", "--port", &args.port.to_string()]).arg("--state").arg(state.path());
    if args.ha {
        command.arg("--ha");
    }
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    let mut child = command.spawn().map_err(|source| CliError::Run { program: "tocsin-testbed".to_owned(), source })?;
    let mut signals = Signals::new()?;
    let mut shown = Follower::new(&log)?;
    let status = tokio::select! {
        status = watch_start(&mut child, state, &mut shown) => status,
        _signal = signals.next() => {
            // It is our child and has not been reaped, so the id is its own.
            let _ = kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM);
            let _ = child.wait();
            Err(CliError::Interrupted)
        }
    };
    shown.show_more();
    let status = status?.ok_or(CliError::DidNotStart { log })?;
    print!("{}", closing_lines(&status, state));
    Ok(ExitCode::SUCCESS)
}

/// `None` when the background process ended badly.
async fn watch_start(child: &mut Child, state: &StateFolder, shown: &mut Follower) -> Result<Option<Status>, CliError> {
    loop {
        shown.show_more();
        let ended =
            child.try_wait().map_err(|source| CliError::Run { program: "tocsin-testbed".to_owned(), source })?;
        match ended {
            Some(status) if !status.success() => return Ok(None),
            // Another `up` was faster and is up.
            Some(_success) => return wait_until_up(state).await.map(Some),
            None => {}
        }
        // Errors here are those of a socket that is not open yet.
        if let Ok(Some(status)) = control::status(state).await
            && status.phase == Phase::Up
        {
            return Ok(Some(status));
        }
        sleep(WATCH_PAUSE).await;
    }
}

/// Shows a growing file on standard error.
struct Follower {
    file: File,
    offset: u64,
}

impl Follower {
    fn new(path: &Path) -> Result<Self, CliError> {
        let file = File::open(path).map_err(CliError::file("open", path))?;
        Ok(Self { file, offset: 0 })
    }

    fn show_more(&mut self) {
        let mut buffer = [0; 8192];
        while let Ok(length @ 1..) = self.file.read_at(&mut buffer, self.offset) {
            let _ = std::io::stderr().write_all(&buffer[..length]);
            self.offset += length as u64;
        }
    }
}
