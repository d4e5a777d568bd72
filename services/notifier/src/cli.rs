//! The notifier's commands.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

mod dead_letters;
mod preview;
mod test;

use std::process::ExitCode;

use clap::{Arg, ArgMatches, value_parser};
use tocsin_service::config::common;
use tocsin_shared::ledger::NoticeKind;

use crate::receivers::{Receiver, Receivers};
use crate::{Config, VARIABLES};

pub use self::dead_letters::{DeadLetters, dead_letters};
pub use self::preview::{IncidentName, preview};
pub use self::test::test;

/// What the notifier is asked to do.
#[derive(Debug)]
pub enum Command {
    /// Deliver.
    Run,
    /// Show what a receiver would be sent.
    Preview {
        /// Its name.
        receiver: String,
        /// What it would be told of.
        incident: IncidentName,
        /// Why; how the incident stands says it if nothing does.
        kind: Option<NoticeKind>,
    },
    /// Send a receiver a test.
    Test {
        /// Its name.
        receiver: String,
    },
    /// See to what could not be told.
    DeadLetters(DeadLetters),
}

/// Reads the command line; a faulty one ends the process, and so do `--help` and `--version`.
#[must_use]
pub fn parse(version: &'static str) -> Command {
    command(&command_line(version).get_matches())
}

fn command_line(version: &'static str) -> clap::Command {
    let about = "Delivers the ledger of notifications to receivers, and records what became of each";
    let receiver = || Arg::new("RECEIVER").required(true).help("The receiver's name in tocsin.yaml");
    let preview = clap::Command::new("preview")
        .about("Show what a receiver would be sent about an incident; nothing is sent")
        .arg(receiver())
        .arg(
            Arg::new("incident")
                .long("incident")
                .value_name("ID")
                .required(true)
                .value_parser(value_parser!(IncidentName))
                .help("The incident's number or id"),
        )
        .arg(
            Arg::new("kind")
                .long("kind")
                .value_name("KIND")
                .value_parser(value_parser!(NoticeKind))
                .help("Why it is told, such as triggered or resolved; as the incident stands unless given"),
        );
    let test = clap::Command::new("test")
        .about("Send a receiver a message that is marked as a test, and print the answer; exit 1 if it was not taken")
        .arg(receiver());
    tocsin_service::cli::command("tocsin-notifier", version, about, &[common::ALL, common::REDIS, VARIABLES])
        .subcommands([preview, test, dead_letters::command_line()])
}

fn command(matches: &ArgMatches) -> Command {
    let receiver = |matches: &ArgMatches| matches.get_one::<String>("RECEIVER").cloned().unwrap_or_default();
    match matches.subcommand() {
        Some(("preview", matches)) => match matches.get_one("incident") {
            Some(incident) => Command::Preview {
                receiver: receiver(matches),
                incident: *incident,
                kind: matches.get_one("kind").copied(),
            },
            None => Command::Run,
        },
        Some(("test", matches)) => Command::Test { receiver: receiver(matches) },
        Some(("dead-letters", matches)) => dead_letters::parsed(matches).map_or(Command::Run, Command::DeadLetters),
        _ => Command::Run,
    }
}

/// The receiver of this name, or what to say where there is none.
fn receiver<'a>(receivers: &'a Receivers, name: &str) -> Result<&'a Receiver, ExitCode> {
    receivers.get(name).ok_or_else(|| {
        let mut names: Vec<_> = receivers.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        eprintln!("no receiver is called `{name}`, or it is silent");
        if names.is_empty() {
            eprintln!("  remedy: set {} to a file with `receivers`", common::CONFIG.name());
        } else {
            eprintln!("  remedy: name one of {}", names.join(", "));
        }
        ExitCode::from(2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> String {
        let args = [&["tocsin-notifier"], args].concat();
        command_line("1")
            .try_get_matches_from(args)
            .map_or_else(|error| error.kind().to_string(), |matches| format!("{:?}", command(&matches)))
    }

    #[test]
    fn commands_are_read_as_they_are_meant() {
        assert_eq!(parsed(&[]), "Run");
        assert_eq!(parsed(&["test", "ops"]), r#"Test { receiver: "ops" }"#);
        assert_eq!(
            parsed(&["preview", "ops", "--incident", "12"]),
            r#"Preview { receiver: "ops", incident: Number(12), kind: None }"#
        );
        let by_id =
            parsed(&["preview", "ops", "--incident", "0192f0c1-2345-7000-8000-000000000001", "--kind", "resolved"]);
        assert!(by_id.contains("Id(") && by_id.contains("Some(Resolved)"), "{by_id}");
        let id = "0192f0c1-2345-7000-8000-000000000001";
        assert_eq!(
            parsed(&["dead-letters", "list", "--receiver", "ops"]),
            r#"DeadLetters(List { receiver: Some("ops"), limit: 50, json: false })"#
        );
        assert!(parsed(&["dead-letters", "redrive", id, id]).contains("Redrive(These(["));
        let matching = parsed(&["dead-letters", "redrive", "--receiver", "ops", "--since", "2026-01-31T09:00:00Z"]);
        assert!(matching.contains("Matching") && matching.contains("2026-01-31T09:00:00Z"), "{matching}");
        for wrong in [
            &["dead-letters", "redrive"][..],
            &["dead-letters", "show"],
            &["dead-letters"],
            &["dead-letters", "list", "--limit", "0"],
        ] {
            assert!(!parsed(wrong).starts_with("Dead"), "{}", parsed(wrong));
        }
        for wrong in [
            &["preview", "ops"][..],
            &["preview", "--incident", "1"],
            &["test"],
            &["preview", "ops", "--incident", "x"],
        ] {
            assert!(!parsed(wrong).starts_with(['P', 'T', 'R']), "{}", parsed(wrong));
        }
        assert!(!parsed(&["preview", "ops", "--incident", "1", "--kind", "new"]).starts_with('P'));
    }
}
