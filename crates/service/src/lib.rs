//! What the main function of every Tocsin service needs: configuration, telemetry, health, shutdown, an HTTP server whose
//! every refusal is a problem+json document, and nothing of what any one service does.

pub mod cli;
pub mod config;
pub mod health;
pub mod http;
pub mod shutdown;
pub mod standard_webhooks;
pub mod status;
pub mod telemetry;

use std::process::ExitCode;

use config::{ConfigError, ServiceConfig};
use shutdown::Shutdown;
use telemetry::{MetricsPage, Telemetry};
pub use tocsin_shared::with_causes;

/// Runs a service from its configuration to its last log line, and turns how it ended into an exit code: 0 after a
/// clean shutdown, 1 after a failure, 2 for a configuration that cannot be used.
pub async fn run_service<C, E>(
    config: Result<C, ConfigError>,
    common: impl FnOnce(&C) -> &ServiceConfig,
    run: impl AsyncFnOnce(C, Shutdown) -> Result<(), E>,
) -> ExitCode
where
    E: std::error::Error + 'static,
{
    let config = match config {
        Ok(config) => config,
        Err(error) => return report(&error),
    };
    let service = common(&config).clone();
    let telemetry = match Telemetry::start(&service) {
        Ok(telemetry) => telemetry,
        Err(error) => return report(&error),
    };
    if let Err(error) = MetricsPage::install() {
        tracing::error!(%error, "cannot record metrics");
        return ExitCode::FAILURE;
    }
    let shutdown = match Shutdown::on_signals(service.drain_delay, service.shutdown_timeout) {
        Ok(shutdown) => shutdown,
        Err(error) => {
            tracing::error!(%error, "cannot listen for signals");
            return ExitCode::FAILURE;
        }
    };
    tracing::info!(version = service.version, listen = %service.listen, instance = %service.instance, "starting");
    let code = match run(config, shutdown).await {
        Ok(()) => {
            tracing::info!("stopped cleanly");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "stopped by an error");
            ExitCode::FAILURE
        }
    };
    telemetry.flush();
    code
}

/// Prints a configuration error where an operator looks for it, before logging is up.
#[allow(clippy::print_stderr, reason = "there is no log yet that could take it")]
#[must_use]
pub fn report(error: &ConfigError) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(2)
}
