//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args, Parser, Subcommand};
use clap_complete::Shell;
use tocsin_shared::ledger::NoticeStatus;
use tocsin_shared::{AlertSeverity, AlertStatus, IncidentSeverity, IncidentStatus};
use url::Url;

/// Bounds of `--timeout`.
const TIMEOUTS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(10);

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  refused, or failed
  2  called in a way that means nothing
  3  there is no such thing
  4  the token or key is missing, not known, or does not allow it
  5  the server cannot be reached, or cannot serve now
  6  accepted, and nobody knows yet what becomes of it (202)

The token comes from --token-file, TOCSIN_TOKEN_FILE or TOCSIN_TOKEN; never as an argument, which everybody on the machine sees.";

/// Incidents and alerts, from a terminal or a script.
#[derive(Debug, Parser)]
#[command(name = "tocsin", version, max_term_width = 120, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of all commands")]
pub(crate) struct Common {
    /// Where Tocsin is.
    #[arg(long, global = true, env = "TOCSIN_URL", hide_env_values = true, default_value = "http://127.0.0.1:8080")]
    pub(crate) url: Url,
    /// A file with the API token; `-` is standard input.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// For whom one acts; the timeline then says `NAME via TOKEN`.
    #[arg(long = "as", global = true, value_name = "NAME", env = "TOCSIN_ACTOR", hide_env_values = true)]
    pub(crate) actor: Option<String>,
    /// Print what the API answers, as it is, one body after the other.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Longest that a request may take, all its attempts together (1s to 10m).
    #[arg(long, global = true, value_name = "DURATION", default_value = "30s", value_parser = timeout)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List incidents, newest first, or show one.
    Incidents(Incidents),
    /// List alerts, newest first, or show one.
    Alerts(Alerts),
    /// Acknowledge incidents: somebody takes them.
    Ack(These),
    /// Resolve incidents: they are over.
    Resolve(Closing),
    /// Cancel incidents: they were none.
    Cancel(Closing),
    /// Open incidents again.
    Reopen(These),
    /// Add a note to an incident's timeline.
    Note {
        #[arg(value_parser = incident)]
        incident: String,
        text: String,
    },
    /// Make, list and end silences.
    #[command(subcommand)]
    Silence(Silence),
    /// Follow what changes, until it is stopped.
    Tail(Tail),
    /// Send a test alert, as a monitoring system would.
    Send(Send),
    /// What could not be applied: list it, show it, have it tried again.
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// Who was told what: list it, show it with its attempts, have what is dead tried again.
    #[command(subcommand)]
    Notifications(Notifications),
    /// Print what a shell completes commands by.
    Completions { shell: Shell },
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Incidents {
    #[command(subcommand)]
    pub(crate) command: Option<IncidentsCommand>,
    #[command(flatten)]
    pub(crate) list: IncidentList,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IncidentsCommand {
    /// Show an incident with its alerts and its timeline.
    Show {
        #[arg(value_parser = incident)]
        incident: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct IncidentList {
    /// Several are separated by commas.
    #[arg(long, value_delimiter = ',', value_parser = words(IncidentStatus::ALL, IncidentStatus::as_str))]
    pub(crate) status: Vec<String>,
    /// Several are separated by commas.
    #[arg(long, value_delimiter = ',', value_parser = words(IncidentSeverity::ALL, IncidentSeverity::as_str))]
    pub(crate) severity: Vec<String>,
    #[command(flatten)]
    pub(crate) search: Search,
    /// Opened since then: `2h` (ago), or a time such as 2026-12-01T10:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = past)]
    pub(crate) since: Option<DateTime<Utc>>,
    /// Opened before then.
    #[arg(long, value_name = "TIME", value_parser = past)]
    pub(crate) until: Option<DateTime<Utc>>,
    #[command(flatten)]
    pub(crate) window: Window,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Alerts {
    #[command(subcommand)]
    pub(crate) command: Option<AlertsCommand>,
    #[command(flatten)]
    pub(crate) list: AlertList,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// Show an alert.
    Show {
        #[arg(value_parser = id)]
        alert: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AlertList {
    /// Several are separated by commas.
    #[arg(long, value_delimiter = ',', value_parser = words(AlertStatus::ALL, AlertStatus::as_str))]
    pub(crate) status: Vec<String>,
    /// Several are separated by commas.
    #[arg(long, value_delimiter = ',', value_parser = words(AlertSeverity::ALL, AlertSeverity::as_str))]
    pub(crate) severity: Vec<String>,
    /// Who sent it: prometheus, grafana, generic…
    #[arg(long, value_delimiter = ',')]
    pub(crate) source: Vec<String>,
    #[command(flatten)]
    pub(crate) search: Search,
    #[command(flatten)]
    pub(crate) window: Window,
}

#[derive(Debug, Args)]
pub(crate) struct Search {
    /// `name=value`, or with `!=`, `=~` (regular expression) or `!~`; all that are given must match.
    #[arg(short, long, value_name = "MATCHER")]
    pub(crate) label: Vec<String>,
    /// Words to look for.
    #[arg(short = 'q', long = "text", value_name = "TEXT")]
    pub(crate) text: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Window {
    /// Most items of a request.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=250))]
    pub(crate) limit: u16,
    /// All there are, by as many requests as that takes.
    #[arg(long)]
    pub(crate) all: bool,
    /// Go on where a list has ended.
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct These {
    /// By number or id.
    #[arg(required = true, value_name = "INCIDENT", value_parser = incident)]
    pub(crate) incidents: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Closing {
    #[command(flatten)]
    pub(crate) these: These,
    /// A word about it, for the timeline.
    #[arg(long)]
    pub(crate) note: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Silence {
    /// Tell nobody of alerts that match, for a time.
    Create(NewSilence),
    /// List silences that are in force or to come.
    List {
        /// Those that are over, too.
        #[arg(long)]
        expired: bool,
        #[command(flatten)]
        window: Window,
    },
    /// End silences now.
    Expire {
        #[arg(required = true, value_name = "SILENCE", value_parser = id)]
        silences: Vec<String>,
    },
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["matchers", "incident", "alert"]))]
#[command(group = ArgGroup::new("end").required(true).args(["duration", "until"]))]
pub(crate) struct NewSilence {
    /// As Alertmanager writes them: `alertname="DiskFull"` `host=~"db-.*"`; all of them must match.
    #[arg(value_name = "MATCHER")]
    pub(crate) matchers: Vec<String>,
    /// What the alerts of this incident have in common.
    #[arg(long, value_parser = incident, conflicts_with_all = ["until", "starts", "comment"])]
    pub(crate) incident: Option<String>,
    /// All labels of this alert.
    #[arg(long, value_parser = id)]
    pub(crate) alert: Option<String>,
    /// For how long, such as 2h.
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) duration: Option<Duration>,
    /// Until when.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<DateTime<Utc>>,
    /// From when on; at once unless given.
    #[arg(long, value_name = "TIME")]
    pub(crate) starts: Option<DateTime<Utc>>,
    /// Why.
    #[arg(long)]
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// Begin behind this position, which an earlier run has printed with --json; otherwise with what comes next.
    #[arg(long, value_name = "POSITION")]
    pub(crate) after: Option<String>,
    /// End after so many events.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// Names the alert, together with its labels.
    pub(crate) title: String,
    #[arg(long, default_value = "warning", value_parser = words(AlertSeverity::ALL, AlertSeverity::as_str))]
    pub(crate) severity: String,
    /// `name=value`, any number of times.
    #[arg(short, long, value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// Names the alert instead of its labels and title.
    #[arg(long, value_name = "ID")]
    pub(crate) external_id: Option<String>,
    /// It does not fire any more.
    #[arg(long)]
    pub(crate) resolved: bool,
    /// A file with the integration key, where keyless webhooks are switched off; also
    /// `TOCSIN_KEY_FILE` or `TOCSIN_KEY`.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// List them, newest first.
    List {
        #[command(flatten)]
        window: Window,
    },
    /// Show one with all it holds.
    Show { id: i64 },
    /// Have them tried again. Takes the scope `admin`.
    #[command(group = ArgGroup::new("which").required(true).args(["ids", "all"]))]
    Redrive {
        #[arg(value_name = "ID")]
        ids: Vec<i64>,
        /// All there are at this moment.
        #[arg(long)]
        all: bool,
        /// Of all only those whose reason holds this text.
        #[arg(long, value_name = "TEXT", requires = "all")]
        reason: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Notifications {
    /// List them, newest first.
    List(NoticeList),
    /// Show one with each attempt.
    Show {
        #[arg(value_parser = id)]
        notification: String,
    },
    /// Have what is dead tried again. Takes the scope `admin`.
    Redrive(Redrive),
}

#[derive(Debug, Args)]
pub(crate) struct NoticeList {
    /// Several are separated by commas.
    #[arg(long, value_delimiter = ',', value_parser = words(NoticeStatus::ALL, NoticeStatus::as_str))]
    pub(crate) status: Vec<String>,
    /// Several are separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub(crate) receiver: Vec<String>,
    #[arg(long, value_parser = incident)]
    pub(crate) incident: Option<String>,
    #[command(flatten)]
    pub(crate) window: Window,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["notifications", "dead"]))]
pub(crate) struct Redrive {
    #[arg(value_name = "NOTIFICATION", value_parser = id)]
    pub(crate) notifications: Vec<String>,
    /// All that are dead and that no newer one has overtaken, the oldest first, at most 1,000 of them.
    #[arg(long)]
    pub(crate) dead: bool,
    /// Of those only this receiver's.
    #[arg(long, requires = "dead")]
    pub(crate) receiver: Option<String>,
    /// Of those only what was written since then: `2h` (ago), or a time.
    #[arg(long, requires = "dead", value_name = "TIME", value_parser = past)]
    pub(crate) since: Option<DateTime<Utc>>,
    /// Of those at most so many.
    #[arg(long, requires = "dead", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: Option<u32>,
}

/// The names that the API knows of something.
fn words<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str) -> PossibleValuesParser {
    PossibleValuesParser::new(all.iter().map(|one| name(*one)))
}

/// An id as part of an address.
fn id(text: &str) -> Result<String, &'static str> {
    let is_one = !text.is_empty() && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '-');
    if is_one { Ok(text.to_owned()) } else { Err("an id has letters, digits and hyphens") }
}

/// The number of an incident, also as `#12`, or its id.
fn incident(text: &str) -> Result<String, &'static str> {
    id(text.strip_prefix('#').unwrap_or(text)).map_err(|_| "an incident goes by its number or its id")
}

fn label(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a label is written as name=value"),
    }
}

/// A time, or how long ago it was.
fn past(text: &str) -> Result<DateTime<Utc>, &'static str> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago = humantime::parse_duration(text).ok().and_then(|ago| chrono::TimeDelta::from_std(ago).ok());
    let time = ago.and_then(|ago| Utc::now().checked_sub_signed(ago));
    time.ok_or("a time is written as 2026-12-01T10:00:00Z, or as 2h (ago)")
}

fn timeout(text: &str) -> Result<Duration, &'static str> {
    let timeout = humantime::parse_duration(text).ok().filter(|timeout| TIMEOUTS.contains(timeout));
    timeout.ok_or("use a duration from 1s to 10m")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_can_be_no_id_never_becomes_a_part_of_an_address() {
        for wrong in ["", "..", "a/b", "a?b", "ü"] {
            assert!(id(wrong).is_err() && incident(wrong).is_err(), "{wrong}");
        }
        assert_eq!(incident("#12").as_deref(), Ok("12"));
    }

    #[test]
    fn a_time_may_be_told_by_how_long_ago_it_was() {
        assert_eq!(past("2026-12-01T11:00:00+01:00").unwrap().to_rfc3339(), "2026-12-01T10:00:00+00:00");
        let time = past("1h30m").unwrap();
        let ago = Utc::now() - time;
        assert!((5400..5460).contains(&ago.num_seconds()), "{ago}");
        assert!(past("yesterday").is_err());
        assert!(timeout("500ms").is_err() && timeout("11m").is_err() && timeout("1m").is_ok());
    }
}
