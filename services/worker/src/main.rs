//! `tocsin-worker`: applies what ingest accepted. Also migrates the database, verifies what it holds, and checks
//! configuration files.

mod cli;

use std::process::ExitCode;

use cli::Command;
use tocsin_service::config::Environment;
use tocsin_worker::{Config, run};

#[tokio::main]
async fn main() -> ExitCode {
    let mut env = Environment::of_process();
    match cli::parse() {
        Command::Run => {
            tocsin_service::run_service(Config::read(&mut env, cli::VERSION), |config| &config.service, run).await
        }
        Command::Migrate => cli::migrate(&mut env).await,
        Command::CheckConfig { file } => cli::check_config(&file),
        Command::RouteTest { config, labels, json } => cli::test_routes(&mut env, config, &labels, json),
        Command::ImportAlertmanager { file, output } => cli::import_alertmanager(&file, output.as_deref()),
        Command::Verify { json } => cli::verify(&mut env, json).await,
    }
}
