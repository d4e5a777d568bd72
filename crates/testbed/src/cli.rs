//! The command line.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is what a command line is for")]

mod bench;
mod control;
mod demo;
mod down;
mod error;
mod inbox;
mod operate;
mod run_folder;
mod state;
mod status;
mod supervisor;
mod system;
mod tend;
mod up;
mod with_stores;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use self::control::Action;
use self::error::CliError;
use self::state::StateFolder;

/// Runs Tocsin with real stores on this machine.
#[derive(Debug, Parser)]
#[command(name = "tocsin-testbed", version, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start Redis, Postgres, the four services and the front door.
    Up(up::UpArgs),
    /// Say what runs. Exit code 0 when everything is ready.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        state: StateArgs,
    },
    /// Stop everything. The data stays.
    Down {
        /// Delete the data, too.
        #[arg(long)]
        wipe: bool,
        #[command(flatten)]
        state: StateArgs,
    },
    /// Ask a process to stop, and kill it when it does not.
    Stop(operate::Target),
    /// Kill a process with signal 9.
    Kill(operate::Target),
    /// Freeze a process: it keeps its connections and answers none of them.
    Pause(operate::Target),
    /// Let a paused process go on.
    Resume(operate::Target),
    /// Start a process that was stopped or has died.
    Start(operate::Target),
    /// Stop a process and start it again.
    Restart(operate::Target),
    /// Cut a process of `up --ha` off the network: its connections stay, and nothing comes through them.
    CutOff(operate::Target),
    /// Put it back.
    Heal(operate::Target),
    /// Print the log of a process; `supervisor` is one, too.
    Logs(operate::Target),
    /// Run a command with shared, migrated stores for tests, and clean up after it.
    WithStores {
        /// Keep the folder with data and logs.
        #[arg(long)]
        keep: bool,
        /// The command and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Measure, on stores and services of its own.
    Bench(bench::BenchArgs),
    /// Watch Tocsin at work, on stores and services of its own.
    Demo(demo::DemoArgs),
    /// Run a program, adopt what it leaves behind, and take it along at the end.
    #[command(hide = true)]
    Tend {
        /// The program and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Answer 200 to everything.
    #[command(hide = true)]
    BareServer(bench::BareServerArgs),
    /// Stand in for Slack.
    #[command(hide = true)]
    SlackInbox {
        /// The port on 127.0.0.1.
        #[arg(long)]
        port: u16,
    },
}

#[derive(Debug, Args)]
struct StateArgs {
    /// Where data, logs and the API token are. Unless given: for root a folder for this checkout below
    /// `/var/lib/tocsin-dev`, since Postgres can't run as root and its own account can't look into root's home; else one
    /// below `$XDG_STATE_HOME` (`~/.local/state`).
    #[arg(long = "state", value_name = "DIR", env = "TOCSIN_STATE_DIR", hide_env_values = true)]
    folder: Option<PathBuf>,
}

impl StateArgs {
    fn folder(&self) -> Result<StateFolder, CliError> {
        StateFolder::new(self.folder.as_deref())
    }
}

/// Runs the command line of this process.
pub(crate) async fn main() -> ExitCode {
    let cli = Cli::parse();
    show_progress();
    match run(cli.command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", error::with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Up(args) => up::up(args).await,
        Command::Status { json, state } => status::status(&state.folder()?, json).await,
        Command::Down { wipe, state } => down::down(&state.folder()?, wipe).await,
        Command::Stop(target) => operate::act(Action::Stop, target).await,
        Command::Kill(target) => operate::act(Action::Kill, target).await,
        Command::Pause(target) => operate::act(Action::Pause, target).await,
        Command::Resume(target) => operate::act(Action::Resume, target).await,
        Command::Start(target) => operate::act(Action::Start, target).await,
        Command::Restart(target) => operate::act(Action::Restart, target).await,
        Command::CutOff(target) => operate::act(Action::CutOff, target).await,
        Command::Heal(target) => operate::act(Action::Heal, target).await,
        Command::Logs(target) => operate::logs(&target),
        Command::WithStores { keep, command } => with_stores::with_stores(keep, command).await,
        Command::Bench(args) => bench::bench(args).await,
        Command::Demo(args) => demo::demo(args).await,
        Command::Tend { command } => tend::tend(&command).await,
        Command::BareServer(args) => bench::serve_bare(args).await,
        Command::SlackInbox { port } => inbox::serve(port).await,
    }
}

/// What the library reports of its progress goes to standard error as plain lines.
fn show_progress() {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .without_time()
        .with_level(false)
        .with_target(false)
        .with_ansi(false);
    let ours = Targets::new().with_target("tocsin_testbed", LevelFilter::INFO);
    tracing_subscriber::registry().with(lines.with_filter(ours)).init();
}
