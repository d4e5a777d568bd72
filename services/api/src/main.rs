//! `tocsin-api`: serves incidents and alerts to dashboards and scripts, and takes what responders do.

use std::process::ExitCode;

use tocsin_api::{Config, VARIABLES, run};
use tocsin_service::config::{Environment, common};

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[tokio::main]
async fn main() -> ExitCode {
    let about = "Serves incidents and alerts to dashboards and scripts";
    tocsin_service::cli::command("tocsin-api", VERSION, about, &[common::ALL, common::REDIS, VARIABLES]).get_matches();
    let config = Config::read(&mut Environment::of_process(), VERSION);
    tocsin_service::run_service(config, |config| &config.service, run).await
}
