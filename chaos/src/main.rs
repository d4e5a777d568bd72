//! Breaks a running Tocsin, one thing at a time, and finds out what became of everything that it had promised.
//!
//! A run is: steady traffic, a fault, its end, calm. [`traffic`] sends webhooks and reads at a fixed rate whatever the answers
//! do, [`probes`] asks every process how it is, [`fault`] does the harm. When everything is drained, [`ledger`] compares what
//! was acknowledged with what is in the database and what the receiver got. [`figures`] makes numbers of that, [`report`] a
//! table and a file, and a broken promise an exit code.

mod cli;
mod error;
mod fault;
mod figures;
mod ledger;
mod plot;
mod probes;
mod promises;
mod report;
mod run;
mod scenario;
mod stage;
mod table;
mod timeline;
mod traffic;
mod wire;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    cli::main().await
}
