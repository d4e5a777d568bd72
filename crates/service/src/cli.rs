//! The command line that every service has: `--help`, which lists its variables, and `--version`.

use clap::Command;

use crate::config::{Documented, help_table};

/// The command of a service. Everything else is configured by the environment and `tocsin.yaml`.
#[must_use]
pub fn command(
    name: &'static str,
    version: &'static str,
    about: &'static str,
    variables: &[&[&dyn Documented]],
) -> Command {
    Command::new(name).version(version).about(about).after_help(help_table(variables))
}
