//! `tocsin-testbed`: runs Tocsin with real stores on this machine, for people (`up`) and for tests (`with-stores`).

mod cli;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    cli::main().await
}
