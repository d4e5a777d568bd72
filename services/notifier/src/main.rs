//! `tocsin-notifier`: delivers the notification ledger.

use std::process::ExitCode;

use tocsin_notifier::{Config, VARIABLES, run};
use tocsin_service::config::{Environment, common};

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[tokio::main]
async fn main() -> ExitCode {
    let about = "Delivers the ledger of notifications to Slack, and records what became of each";
    tocsin_service::cli::command("tocsin-notifier", VERSION, about, &[common::ALL, VARIABLES]).get_matches();
    let config = Config::read(&mut Environment::of_process(), VERSION);
    tocsin_service::run_service(config, |config| &config.service, run).await
}
