//! `dead-letters`: what could not be told, and why; and having it tried again. A running notifier finds what is to be tried
//! again within a second.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use serde_json::{Value, json};
use tocsin_service::with_causes;
use tocsin_shared::NotificationId;
use tocsin_shared::ledger::{DeadNotices, MAX_DEAD_NOTICES, NoticeStatus};
use tocsin_store::{DeliveryRecord, NoticeFilter, NoticeRecord, NoticesRedriven, Store, StoreError, Window};

use super::Config;

/// What to do with dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadLetters {
    /// Show the newest.
    List {
        /// Only those for this receiver.
        receiver: Option<String>,
        /// Most of them.
        limit: u32,
        /// One JSON object per line.
        json: bool,
    },
    /// Show one, with its attempts.
    Show {
        /// Which.
        id: NotificationId,
    },
    /// Have some tried again.
    Redrive(DeadNotices),
}

pub(super) fn command_line() -> clap::Command {
    let receiver = || Arg::new("receiver").long("receiver").value_name("NAME").help("Only those for this receiver");
    let limit = || {
        let range = value_parser!(u32).range(1..=i64::from(MAX_DEAD_NOTICES));
        Arg::new("limit").long("limit").value_name("N").value_parser(range)
    };
    let id = || Arg::new("ID").value_parser(value_parser!(NotificationId));
    let list = clap::Command::new("list")
        .about("Show the newest notices that could not be told, with the reason")
        .arg(receiver())
        .arg(limit().default_value("50").help("Most of them"))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON object per line"));
    let show = clap::Command::new("show")
        .about("Show a notice with all attempts, as JSON")
        .arg(id().required(true).help("The notice's id"));
    let redrive = clap::Command::new("redrive")
        .about("Have notices tried again, with all the attempts and time of new ones")
        .arg(id().action(ArgAction::Append).help("The notices' ids"))
        .arg(receiver())
        .arg(
            Arg::new("since")
                .long("since")
                .value_name("TIME")
                .value_parser(value_parser!(DateTime<Utc>))
                .help("Only those that died at this time or later, such as 2026-01-31T09:00:00Z"),
        )
        .arg(limit().default_value("1000").help("Most of them, the oldest first"))
        .group(clap::ArgGroup::new("which").args(["ID", "receiver", "since"]).required(true).multiple(true));
    clap::Command::new("dead-letters")
        .about("Show what could not be told, or have it tried again")
        .subcommand_required(true)
        .subcommands([list, show, redrive])
}

/// Reads what [`command_line`] matched.
pub(super) fn parsed(matches: &ArgMatches) -> Option<DeadLetters> {
    let limit = |matches: &ArgMatches| matches.get_one("limit").copied().unwrap_or(MAX_DEAD_NOTICES);
    match matches.subcommand()? {
        ("list", matches) => Some(DeadLetters::List {
            receiver: matches.get_one("receiver").cloned(),
            limit: limit(matches),
            json: matches.get_flag("json"),
        }),
        ("show", matches) => matches.get_one("ID").map(|id| DeadLetters::Show { id: *id }),
        ("redrive", matches) => Some(DeadLetters::Redrive(match matches.get_many("ID") {
            Some(ids) => DeadNotices::These(ids.copied().collect()),
            None => DeadNotices::Matching {
                receiver: matches.get_one("receiver").cloned(),
                since: matches.get_one("since").copied(),
                limit: limit(matches),
            },
        })),
        _ => None,
    }
}

/// Does it, and prints what came of it.
pub async fn dead_letters(config: &Config, what: DeadLetters) -> ExitCode {
    let store = Store::new(&config.store);
    let done = match what {
        DeadLetters::List { receiver, limit, json } => list(&store, receiver, limit, json).await,
        DeadLetters::Show { id } => show(&store, id).await,
        DeadLetters::Redrive(which) => redrive(&store, &which).await,
    };
    done.unwrap_or_else(|error| {
        eprintln!("{}", with_causes(&error));
        ExitCode::FAILURE
    })
}

async fn list(store: &Store, receiver: Option<String>, limit: u32, json: bool) -> Result<ExitCode, StoreError> {
    let filter =
        NoticeFilter { status: vec![NoticeStatus::Dead], receiver: receiver.into_iter().collect(), incident: None };
    let page = store.notice_list(&filter, Window { before: None, offset: 0, limit: i64::from(limit) }).await?;
    for notice in &page.items {
        if json {
            println!("{}", notice_json(notice));
        } else {
            let at = notice.finished_at.map(|at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default();
            let reason = notice.reason.as_deref().unwrap_or_default().replace(char::is_control, " ");
            println!("{}  {at}  {}  {}  {reason}", notice.id, notice.receiver, notice.kind);
        }
    }
    eprintln!("{} of {}", page.items.len(), page.total.count);
    Ok(ExitCode::SUCCESS)
}

async fn show(store: &Store, id: NotificationId) -> Result<ExitCode, StoreError> {
    let Some(notice) = store.notice_get(id).await? else {
        eprintln!("there is no such notice");
        return Ok(ExitCode::FAILURE);
    };
    let attempts = store.notice_deliveries(id).await?;
    let mut shown = notice_json(&notice);
    shown["deliveries"] = attempts.iter().map(delivery_json).collect();
    println!("{shown:#}");
    Ok(ExitCode::SUCCESS)
}

async fn redrive(store: &Store, which: &DeadNotices) -> Result<ExitCode, StoreError> {
    match store.notices_redrive(which).await? {
        NoticesRedriven::Done(notices) => {
            for notice in &notices {
                println!("{}  {}", notice.id, notice.receiver);
            }
            eprintln!("{} are tried again", notices.len());
            Ok(ExitCode::SUCCESS)
        }
        NoticesRedriven::Unknown(id) => {
            eprintln!("there is no notice {id}; nothing was done");
            Ok(ExitCode::FAILURE)
        }
        NoticesRedriven::NotDead { id, status } => {
            eprintln!("{id} is not dead but {status}; nothing was done");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn notice_json(notice: &NoticeRecord) -> Value {
    json!({
        "id": notice.id,
        "incident_id": notice.incident_id,
        "receiver": notice.receiver,
        "revision": notice.revision,
        "kind": notice.kind,
        "status": notice.status,
        "reason": notice.reason,
        "attempts": notice.attempts,
        "created_at": notice.created_at,
        "finished_at": notice.finished_at,
        "redriven_at": notice.redriven_at,
        "instead_of": notice.instead_of,
        "because": notice.because,
    })
}

fn delivery_json(delivery: &DeliveryRecord) -> Value {
    json!({
        "attempt": delivery.attempt,
        "at": delivery.at,
        "latency_ms": delivery.latency_ms,
        "http_status": delivery.http_status,
        "answer": delivery.answer,
    })
}
