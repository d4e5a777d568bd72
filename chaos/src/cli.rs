//! The command line.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::{ChaosError, Result};
use crate::figures::{Figures, Seen};
use crate::report::{File, Report};
use crate::run::run;
use crate::scenario::{Scenario, Setting};
use crate::stage::Stage;
use crate::{plot, table};

/// Breaks a Tocsin that it starts, one thing at a time, and finds out what became of its promises.
#[derive(Debug, Parser)]
#[command(name = "tocsin-chaos", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Sub>,
    #[command(flatten)]
    chaos: Chaos,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Print the figures of a file as Markdown, beside those of the tool that Tocsin replaces.
    Table {
        /// What --json wrote.
        file: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct Chaos {
    /// What goes wrong; everything, unless given.
    scenarios: Vec<String>,
    /// How often each.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// What it goes wrong in.
    #[arg(long, value_enum, default_value_t = Setting::Ha)]
    topology: Setting,
    /// Only the quick half.
    #[arg(long)]
    quick: bool,
    /// Webhooks in a second.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// Write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw each run into this folder, as SVG.
    #[arg(long, value_name = "FOLDER")]
    plot: Option<PathBuf>,
    /// Keep the folder with data and logs.
    #[arg(long)]
    keep: bool,
    /// Say what there is, and do nothing.
    #[arg(long)]
    list: bool,
}

/// Does what was asked. A broken promise is exit code 1, anything that keeps us from finding out 2.
pub(crate) async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).init();
    let done = match arguments.command {
        Some(Sub::Table { file }) => print_table(&file),
        None if arguments.chaos.list => {
            list(arguments.chaos.topology);
            Ok(true)
        }
        None => {
            tokio::select! {
                done = chaos(&arguments.chaos) => done,
                () = interrupted() => Err(ChaosError::Interrupted),
            }
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error);
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stderr, reason = "a program of the command line")]
fn complain(error: &dyn std::error::Error) {
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
}

#[expect(clippy::print_stdout, reason = "a program of the command line")]
fn say(text: &impl std::fmt::Display) {
    println!("{text}");
}

async fn interrupted() {
    let Ok(mut terminated) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}

fn list(setting: Setting) {
    for scenario in Scenario::ALL.into_iter().filter(|scenario| scenario.is_in(setting)) {
        let quick = if scenario.is_quick() { "quick" } else { "" };
        say(&format!("{:<18} {quick:<6} {}", scenario.name(), scenario.what(setting)));
    }
}

fn print_table(path: &Path) -> Result<bool> {
    let text = std::fs::read_to_string(path).map_err(ChaosError::file("read", path))?;
    let file: File =
        serde_json::from_str(&text).map_err(|source| ChaosError::Figures { path: path.to_owned(), source })?;
    say(&table::markdown(&file));
    Ok(true)
}

/// Whether every promise was kept.
async fn chaos(arguments: &Chaos) -> Result<bool> {
    let scenarios = chosen(arguments)?;
    let mut builder = tempfile::Builder::new();
    // Postgres' account must be able to pass through to its data.
    let folder = builder.prefix("tocsin-chaos-").permissions(Permissions::from_mode(0o711)).tempdir();
    let folder = folder.map_err(ChaosError::file("create a folder in", std::env::temp_dir()))?;
    let mut report = Report::new(arguments.topology);
    let finished = all(arguments, &scenarios, folder.path(), &mut report).await;
    if arguments.keep {
        say(&format!("kept {}", folder.keep().display()));
    } else {
        close(folder)?;
    }
    say(&report);
    if let Some(path) = &arguments.json {
        let json = report.json(today().await?).await;
        std::fs::write(path, format!("{json:#}\n")).map_err(ChaosError::file("write", path))?;
    }
    finished?;
    Ok(report.broken().next().is_none())
}

fn close(folder: TempDir) -> Result<()> {
    let path = folder.path().to_owned();
    folder.close().map_err(ChaosError::file("delete", path))
}

fn chosen(arguments: &Chaos) -> Result<Vec<Scenario>> {
    let there: Vec<_> = Scenario::ALL.into_iter().filter(|scenario| scenario.is_in(arguments.topology)).collect();
    if arguments.scenarios.is_empty() {
        return Ok(there.into_iter().filter(|scenario| !arguments.quick || scenario.is_quick()).collect());
    }
    let find = |name: &String| {
        let found = there.iter().find(|scenario| scenario.name() == name).copied();
        found.ok_or_else(|| ChaosError::NoSuchScenario { name: name.clone(), topology: arguments.topology.name() })
    };
    arguments.scenarios.iter().map(find).collect()
}

/// Runs everything, on one system as long as it comes to rest after each run. What was not asked for by name, and needs what
/// this machine does not give, is left out, and the report says so.
async fn all(arguments: &Chaos, scenarios: &[Scenario], folder: &Path, report: &mut Report) -> Result<()> {
    let mut shared = None;
    for (number, scenario) in scenarios.iter().copied().enumerate() {
        let folder = folder.join(format!("{number}-{}", scenario.name()));
        match each(arguments, scenario, &folder, &mut shared, report).await {
            Err(ChaosError::Needs { need, .. }) if arguments.scenarios.is_empty() => {
                tracing::warn!("{} is left out: it needs {need}", scenario.name());
                report.leave_out(scenario, need);
            }
            done => done?,
        }
    }
    if let Some(stage) = shared {
        stage.stop().await?;
    }
    Ok(())
}

/// All runs of one scenario: on the system that is there, or else on one in `folder`.
async fn each(
    arguments: &Chaos,
    scenario: Scenario,
    folder: &Path,
    shared: &mut Option<Stage>,
    report: &mut Report,
) -> Result<()> {
    let setting = arguments.topology;
    if scenario.needs_its_own()
        && let Some(before) = shared.take()
    {
        before.stop().await?;
    }
    let stage = match shared {
        Some(stage) => stage,
        None => shared.insert(Stage::start(setting, scenario, folder).await?),
    };
    stage.check(scenario)?;
    for round in 1..=arguments.runs {
        tracing::info!("{}, run {round} of {}", scenario.name(), arguments.runs);
        let (seen, figures) = run(setting, scenario, stage, arguments.rate)
            .await
            .inspect_err(|_| tracing::error!("{}", stage.system.log_tails(15)))?;
        let broken = scenario.promises(setting).broken(&figures);
        tell(&seen, &figures, &broken);
        if let Some(folder) = &arguments.plot {
            draw(folder, (setting, scenario), round, &seen)?;
        }
        report.add(scenario, figures, broken);
    }
    if scenario.needs_its_own()
        && let Some(own) = shared.take()
    {
        own.stop().await?;
    }
    Ok(())
}

/// What is not in the table.
fn tell(seen: &Seen, figures: &Figures, broken: &[String]) {
    tracing::info!(
        "accepting {:.2} s, reading {:.2} s, applying {:.2} s, telling {:.2} s; {} of {} accepted, p99 {:.1} ms",
        figures.accept_rto_s,
        figures.read_rto_s,
        figures.apply_rto_s,
        figures.notify_rto_s,
        figures.accepted,
        seen.sent.len(),
        figures.accept_p99_ms
    );
    for (what, count) in seen.refusals() {
        tracing::info!("{count} × {what}");
    }
    for (name, no, of) in seen.probes.unready() {
        tracing::info!("{name} was not ready at {no} of {of} questions");
    }
    for broken in broken {
        tracing::error!("{broken}");
    }
}

fn draw(folder: &Path, (setting, scenario): (Setting, Scenario), round: u32, seen: &Seen) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(ChaosError::file("create", folder))?;
    let path = folder.join(format!("{}-{round}.svg", scenario.name()));
    let title = format!("{}: {}", scenario.name(), scenario.what(setting));
    std::fs::write(&path, plot::svg(&title, seen)).map_err(ChaosError::file("write", path))
}

/// The date, in UTC.
async fn today() -> Result<String> {
    let output = Command::new("date").args(["-u", "+%F"]).output().await.map_err(ChaosError::file("run", "date"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
