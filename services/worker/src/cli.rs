//! The worker's commands.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

mod import;
mod route_test;
mod verify;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, value_parser};
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
    RouteTest { config: Option<PathBuf>, labels: Vec<String>, json: bool },
    ImportAlertmanager { file: PathBuf, output: Option<PathBuf> },
    Verify { json: bool },
}

pub(crate) fn parse() -> Command {
    let about = "Applies accepted alerts to Postgres as incidents, and writes the ledger of notifications";
    let migrate = clap::Command::new("migrate").about("Bring the database's schema up to date, and end");
    let file = |help: &'static str| Arg::new("FILE").required(true).value_parser(value_parser!(PathBuf)).help(help);
    let check = clap::Command::new("check-config")
        .about("Say everything that is wrong with a tocsin.yaml")
        .arg(file("Path of a tocsin.yaml"));
    let import = clap::Command::new("import-alertmanager")
        .about("Make a tocsin.yaml of an alertmanager.yml, and list what cannot be carried over")
        .arg(file("Path of an alertmanager.yml"))
        .arg(path("output").help("Write there instead of to standard output; nothing is overwritten"));
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON");
    let verify =
        clap::Command::new("verify").about("Say where the state is not as it must be; exit 1 if it is so").arg(json);
    let matches =
        tocsin_service::cli::command("tocsin-worker", VERSION, about, &[common::ALL, common::REDIS, VARIABLES])
            .subcommands([migrate, check, route_test(), import, verify])
            .get_matches();
    let one = |matches: &ArgMatches, name| matches.get_one::<PathBuf>(name).cloned();
    match matches.subcommand() {
        Some(("migrate", _)) => Command::Migrate,
        Some(("check-config", matches)) => Command::CheckConfig { file: one(matches, "FILE").unwrap_or_default() },
        Some(("route-test", matches)) => Command::RouteTest {
            config: one(matches, "config"),
            labels: matches.get_many("LABELS").unwrap_or_default().cloned().collect(),
            json: matches.get_flag("json"),
        },
        Some(("import-alertmanager", matches)) => Command::ImportAlertmanager {
            file: one(matches, "FILE").unwrap_or_default(),
            output: one(matches, "output"),
        },
        Some(("verify", matches)) => Command::Verify { json: matches.get_flag("json") },
        _ => Command::Run,
    }
}

fn route_test() -> clap::Command {
    clap::Command::new("route-test")
        .about("Show which routes an alert with these labels takes, and why")
        .arg(path("config").help("Path of a tocsin.yaml, instead of that of TOCSIN_CONFIG"))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON"))
        .arg(Arg::new("LABELS").num_args(0..).help("The alert's labels, such as severity=critical team=db"))
}

fn path(name: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf))
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

pub(crate) fn test_routes(env: &mut Environment, config: Option<PathBuf>, labels: &[String], json: bool) -> ExitCode {
    let config = config.or_else(|| env.get(&common::CONFIG));
    let document = match env.finish().and_then(|()| Document::load(config.as_deref())) {
        Ok(document) => document,
        Err(error) => return tocsin_service::report(&error),
    };
    match route_test::labels(labels) {
        Ok(labels) => {
            let verdict = route_test::Verdict::of(&document.policy(), &labels);
            print!("{}", if json { verdict.to_json() } else { verdict.to_string() });
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}", tocsin_service::with_causes(&error));
            eprintln!("  remedy: write each label as name=value, such as severity=critical");
            ExitCode::from(2)
        }
    }
}

pub(crate) fn import_alertmanager(file: &Path, output: Option<&Path>) -> ExitCode {
    let imported = match import::read(file) {
        Ok(imported) => imported,
        Err(error) => return tocsin_service::report(&error),
    };
    for note in &imported.notes {
        eprintln!("{note}");
    }
    let written =
        output.map(|path| File::create_new(path).and_then(|mut file| file.write_all(imported.yaml.as_bytes())));
    match (output, written) {
        (Some(path), Some(Err(error))) => {
            eprintln!("cannot write `{}`: {error}", path.display());
            eprintln!("  remedy: name a file that is not there yet, in a folder that this user may write to");
            ExitCode::FAILURE
        }
        (Some(path), _) => {
            println!("{}: written", path.display());
            ExitCode::SUCCESS
        }
        (None, _) => {
            print!("{}", imported.yaml);
            ExitCode::SUCCESS
        }
    }
}
