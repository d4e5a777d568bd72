//! `demo`: Tocsin at work.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use tocsin_testbed::demo::storm::{self, MIN_WEBHOOKS, Options};

use super::error::CliError;
use super::run_folder::RunFolder;
use super::with_stores::Signals;

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    #[command(subcommand)]
    demo: Demo,
    /// Keep the folder with data and logs.
    #[arg(long, global = true)]
    keep: bool,
}

#[derive(Debug, Subcommand)]
enum Demo {
    /// One database fails, forty services alert, some flap, all recover.
    Storm {
        /// How many webhooks.
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(i64::from(MIN_WEBHOOKS)..=1_000_000))]
        webhooks: u32,
        /// For how many seconds.
        #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=3_600))]
        seconds: u64,
        /// Which of all storms.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

/// Shows it. What does not end as it must is a failure.
pub(crate) async fn demo(args: DemoArgs) -> Result<ExitCode, CliError> {
    let Demo::Storm { webhooks, seconds, seed } = args.demo;
    let mut signals = Signals::new()?;
    let folder = RunFolder::create()?;
    let options = Options { webhooks, during: Duration::from_secs(seconds), seed };
    // What was started is dropped with the future, and thereby killed.
    let story = tokio::select! {
        story = storm::run(options, folder.path()) => story.map_err(CliError::from),
        _signal = signals.next() => Err(CliError::Interrupted),
    };
    if args.keep {
        eprintln!("kept {}", folder.keep().display());
    } else {
        folder.remove()?;
    }
    println!("\n{}", story?);
    println!("Everything that was accepted was applied once, and the state is as it must be.");
    Ok(ExitCode::SUCCESS)
}
