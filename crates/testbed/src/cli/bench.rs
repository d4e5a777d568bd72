//! `bench`: measures, prints a table, and writes JSON.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tocsin_testbed::bench::worker::Pace;
use tocsin_testbed::bench::{self, Bare, Report};

use super::error::CliError;
use super::run_folder::RunFolder;
use super::with_stores::Signals;

/// The pace at which it is measured how soon webhooks can be read.
const WEBHOOKS_PER_SECOND: u32 = 500;
/// The pace at which it is measured how soon people are told.
const NOTICES_PER_SECOND: u32 = 50;

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What is measured; everything, each as long as it is by itself, unless given.
    #[command(subcommand)]
    bench: Option<Bench>,
    /// Of everything: how often each is measured, where that can be chosen, instead of as often as by itself.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: Option<u32>,
    /// Write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE", global = true)]
    json: Option<PathBuf>,
    /// Keep the folder with data and logs.
    #[arg(long, global = true)]
    keep: bool,
}

/// One bench as it is without options.
#[derive(Debug, Parser)]
struct Plain {
    #[command(subcommand)]
    bench: Bench,
}

/// All of them, in the order of a webhook's way, and whether each goes in rounds.
const ALL: [(&str, bool); 7] = [
    ("ingest", true),
    ("flood", false),
    ("store-loss", false),
    ("worker", true),
    ("notify", true),
    ("api", true),
    ("live", false),
];

#[derive(Debug, Subcommand)]
enum Bench {
    /// How fast ingest accepts, against a bare server and Alertmanager.
    Ingest {
        /// How often each subject is measured.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        rounds: u32,
        /// How many seconds each time.
        #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
        seconds: u64,
        /// Connections of the load generator. A storm comes over many; over few, what is measured is how long a disk takes.
        #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        connections: u32,
    },
    /// What 500 clients of one address get that send far more than they may.
    Flood {
        /// For how many seconds.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
        seconds: u64,
    },
    /// What senders notice when a store goes and comes back.
    StoreLoss,
    /// How fast the api reads, from a small and from a large database, against a bare server.
    Api {
        /// How often each is measured.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        rounds: u32,
        /// How many seconds each time.
        #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
        seconds: u64,
        /// How many incidents the large database has; the small one has a thousand.
        #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..))]
        incidents: u32,
        /// How many alerts each incident has.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        alerts: u32,
        /// Clients, each with a connection of its own.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        clients: u32,
    },
    /// How soon those who watch see what changes, with many streams open at one api.
    Live {
        /// Clients that watch.
        #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=4_000))]
        clients: u32,
        /// New incidents in a second.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        per_second: u32,
        /// For how many seconds.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
        seconds: u64,
    },
    /// How fast the worker applies alerts, against a bare upsert, and how soon they can be read.
    Worker {
        /// How often each is measured.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        rounds: u32,
        /// How many events each time.
        #[arg(long, default_value_t = 40_000)]
        alerts: usize,
        /// How many alerts the large database has before.
        #[arg(long, default_value_t = 1_000_000)]
        existing: usize,
        /// For how many seconds webhooks come while it is measured how soon they can be read.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
        seconds: u64,
    },
    /// How soon people are told, how fast one notifier delivers, and what a destination that hangs does to the others.
    Notify {
        /// How often each is measured.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        rounds: u32,
        /// How many notices one notifier delivers each time.
        #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
        notices: u32,
        /// For how many seconds webhooks come while it is measured how soon people are told.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
        seconds: u64,
    },
}

#[derive(Debug, Args)]
pub(crate) struct BareServerArgs {
    /// The port on 127.0.0.1.
    #[arg(long)]
    port: u16,
    /// Threads that serve.
    #[arg(long)]
    workers: usize,
    /// Parse what comes as alerts.
    #[arg(long)]
    parse: bool,
}

/// Measures and reports. A figure below its goal is no failure; a check that fails is.
pub(crate) async fn bench(args: BenchArgs) -> Result<ExitCode, CliError> {
    let mut signals = Signals::new()?;
    let folder = RunFolder::create()?;
    // What was started is dropped with the future, and thereby killed.
    let measured = tokio::select! {
        measured = measure_what_is_asked(args.bench.as_ref(), args.rounds, &folder) => measured,
        _signal = signals.next() => Err(CliError::Interrupted),
    };
    if args.keep {
        eprintln!("kept {}", folder.keep().display());
    } else {
        folder.remove()?;
    }
    let (report, failed) = measured?;
    println!("{report}");
    if let Some(path) = args.json {
        let json = serde_json::to_string_pretty(&report).map_err(CliError::Report)?;
        std::fs::write(&path, json + "\n").map_err(CliError::file("write", path))?;
    }
    failed.map_or(Ok(ExitCode::SUCCESS), Err)
}

/// One bench, or all of them in one report. Of all, one that fails does not keep the others from being measured; the first
/// failure comes with the report.
async fn measure_what_is_asked(
    bench: Option<&Bench>,
    rounds: Option<u32>,
    folder: &RunFolder,
) -> Result<(Report, Option<CliError>), CliError> {
    if let Some(bench) = bench {
        return Ok((measure(bench, folder.path()).await?, None));
    }
    let (mut all, mut failed) = (bench::report(Vec::new(), Vec::new()).await, None);
    for (name, in_rounds) in ALL {
        let rounds = rounds.filter(|_| in_rounds).map(|rounds| format!("--rounds={rounds}"));
        let words = ["bench", name].into_iter().chain(rounds.as_deref());
        let Plain { bench } = Plain::try_parse_from(words).map_err(CliError::Usage)?;
        tracing::info!("bench {name}");
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder).map_err(CliError::file("create", &folder))?;
        match measure(&bench, &folder).await {
            Ok(report) => {
                all.metrics.extend(report.metrics);
                all.notes.extend(report.notes);
            }
            Err(error) => {
                tracing::error!("bench {name}: {error}");
                all.notes.push(format!("bench {name} failed: {error}"));
                failed.get_or_insert(error);
            }
        }
    }
    Ok((all, failed))
}

async fn measure(bench: &Bench, folder: &Path) -> Result<Report, CliError> {
    let report = match *bench {
        Bench::Ingest { rounds, seconds, connections } => {
            let duration = Duration::from_secs(seconds);
            bench::ingest::run(bench::ingest::Options { rounds, duration, connections, warm_up: true }, folder).await
        }
        Bench::Flood { seconds } => bench::flood::run(Duration::from_secs(seconds), folder).await,
        Bench::StoreLoss => bench::store_loss::run(folder).await,
        Bench::Api { rounds, seconds, incidents, alerts, clients } => {
            let duration = Duration::from_secs(seconds);
            bench::api::run(bench::api::Options { rounds, duration, incidents, alerts, clients }, folder).await
        }
        Bench::Live { clients, per_second, seconds } => {
            let during = Duration::from_secs(seconds);
            bench::live::run(bench::live::Options { clients, per_second, during }, folder).await
        }
        Bench::Worker { rounds, alerts, existing, seconds } => {
            let pace = Pace { per_second: WEBHOOKS_PER_SECOND, during: Duration::from_secs(seconds) };
            bench::worker::run(bench::worker::Options { rounds, alerts, existing, pace }, folder).await
        }
        Bench::Notify { rounds, notices, seconds } => {
            let during = Duration::from_secs(seconds);
            let pace = bench::notify::Pace { per_second: NOTICES_PER_SECOND, during };
            let notices = notices as usize;
            bench::notify::run(bench::notify::Options { rounds, notices, pace }, folder).await
        }
    };
    Ok(report?)
}

/// Serves what ingest is measured against, until the process is asked to stop.
pub(crate) async fn serve_bare(args: BareServerArgs) -> Result<ExitCode, CliError> {
    let bare = if args.parse { Bare::Parses } else { Bare::Reads };
    let served = bench::serve_bare(bare, args.port, args.workers).await;
    served.map_err(|source| CliError::Run { program: "bare-server".to_owned(), source })?;
    Ok(ExitCode::SUCCESS)
}
