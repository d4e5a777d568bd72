//! `tocsin`: what dashboards do, for terminals and scripts. It speaks the HTTP API, and to ingest where it sends a test alert;
//! it knows no store and no bus.
//!
//! `args.rs` says what can be typed, `commands/` has a file for each command, `client.rs` makes requests and repeats them where
//! that is safe, `failure.rs` says how each way to fail is told and which exit code it has.

#![allow(clippy::print_stderr, reason = "a command line tells what is wrong on standard error")]

mod args;
mod client;
mod commands;
mod credentials;
mod event_stream;
mod failure;
mod output;
mod table;
mod text;
mod views;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match commands::run(Cli::parse()).await {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.tell();
            failure.exit().into()
        }
    }
}
