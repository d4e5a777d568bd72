//! `tocsin-notifier`: delivers the notification ledger. Also shows what receivers would be sent, and tries them out.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;
use tocsin_notifier::cli::{self, Command};
use tocsin_notifier::{Config, run};
use tocsin_service::config::Environment;

/// A notice makes some hundred small allocations and frees them all, on any thread.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[tokio::main]
async fn main() -> ExitCode {
    let command = cli::parse(VERSION);
    let config = Config::read(&mut Environment::of_process(), VERSION);
    match (command, config) {
        (Command::Run, config) => tocsin_service::run_service(config, |config| &config.service, run).await,
        (_, Err(error)) => tocsin_service::report(&error),
        (Command::Preview { receiver, incident, kind }, Ok(config)) => {
            cli::preview(&config, &receiver, incident, kind).await
        }
        (Command::Test { receiver }, Ok(config)) => cli::test(&config, &receiver).await,
        (Command::DeadLetters(what), Ok(config)) => cli::dead_letters(&config, what).await,
    }
}
