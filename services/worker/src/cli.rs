//! The worker's commands.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, value_parser};
use tocsin_service::config::{Document, Environment, SecretString, common};
use tocsin_store::{Privileges, StoreError};
use tocsin_worker::VARIABLES;

pub(crate) use self::verify::verify;

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the worker is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    Run,
    Migrate,
    CheckConfig { file: PathBuf },
    Verify { json: bool },
}

pub(crate) fn parse() -> Command {
    let about = "Applies accepted alerts to Postgres as incidents, and writes the ledger of notifications";
    let migrate = clap::Command::new("migrate").about("Bring the database's schema up to date, and end");
    let file = Arg::new("FILE").required(true).value_parser(value_parser!(PathBuf)).help("Path of a tocsin.yaml");
    let check = clap::Command::new("check-config").about("Say everything that is wrong with a tocsin.yaml").arg(file);
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON");
    let verify =
        clap::Command::new("verify").about("Say where the state is not as it must be; exit 1 if it is so").arg(json);
    let matches = tocsin_service::cli::command("tocsin-worker", VERSION, about, &[common::ALL, VARIABLES])
        .subcommands([migrate, check, verify])
        .get_matches();
    match matches.subcommand() {
        Some(("migrate", _)) => Command::Migrate,
        Some(("check-config", matches)) => {
            Command::CheckConfig { file: matches.get_one::<PathBuf>("FILE").cloned().unwrap_or_default() }
        }
        Some(("verify", matches)) => Command::Verify { json: matches.get_flag("json") },
        _ => Command::Run,
    }
}

pub(crate) async fn migrate(env: &mut Environment) -> ExitCode {
    let url = env.get(&common::DATABASE_URL);
    if let Err(error) = env.finish() {
        return tocsin_service::report(&error);
    }
    match bring_up_to_date(&url).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", tocsin_service::with_causes(&error));
            eprintln!("  {} names the database; nothing was half applied", common::DATABASE_URL.name());
            ExitCode::FAILURE
        }
    }
}

async fn bring_up_to_date(url: &SecretString) -> Result<(), StoreError> {
    let applied = tocsin_store::migrate(url).await?;
    if applied.is_empty() {
        println!("the schema is up to date");
    }
    for migration in applied {
        println!("applied {migration}");
    }
    match tocsin_store::grant_privileges(url).await? {
        Privileges::Granted => println!("the roles of the services have just what they need"),
        Privileges::RolesMissing => {
            eprintln!("warning: the services have no roles of their own, and this user may not make them");
            eprintln!("  remedy: have an administrator run crates/store/privileges/roles.sql, then migrate again");
            eprintln!("  until then, let the services use the user that owns the tables");
        }
    }
    Ok(())
}

pub(crate) fn check_config(file: &Path) -> ExitCode {
    match Document::load(Some(file)) {
        Ok(_) => {
            println!("{}: ok", file.display());
            ExitCode::SUCCESS
        }
        Err(error) => tocsin_service::report(&error),
    }
}
