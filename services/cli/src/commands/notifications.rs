//! `tocsin notifications`.

use serde_json::{Map, json};

use crate::args::{NoticeList, Notifications, Redrive};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::{self, Output};
use crate::table::{Cell, Table};
use crate::text::time;
use crate::views::{Asked, Notice, NoticeDetail};

use super::{lists, show, to_each};

pub(super) async fn run(client: &Client, output: Output, args: Notifications) -> Result<Exit, Failure> {
    match args {
        Notifications::List(args) => list(client, output, &args).await,
        Notifications::Show { notification } => show_one(client, output, &notification).await,
        Notifications::Redrive(args) if args.dead => redrive_matching(client, output, args).await,
        Notifications::Redrive(args) => to_each(&args.notifications, |id| redrive(client, output, id)).await,
    }
}

async fn list(client: &Client, output: Output, args: &NoticeList) -> Result<Exit, Failure> {
    let ask = || {
        let ask = lists::choosing(client.get(&["notifications"]), "status", &args.status);
        let ask = lists::choosing(ask, "receiver", &args.receiver);
        args.incident.iter().fold(ask, |ask, incident| ask.parameter("incident", incident))
    };
    let heading = ["ID", "STATUS", "RECEIVER", "KIND", "ATTEMPTS", "WRITTEN", "REASON"];
    lists::show(client, output, &args.window, ask, &heading, |notice: &Notice| {
        vec![
            Cell::new(&notice.id),
            Cell::word(&notice.status),
            Cell::new(&notice.receiver),
            Cell::new(&notice.kind),
            Cell::new(notice.attempts.to_string()),
            Cell::new(time(notice.created_at)),
            Cell::new(notice.reason.as_deref().unwrap_or_default()),
        ]
    })
    .await
}

async fn show_one(client: &Client, output: Output, id: &str) -> Result<Exit, Failure> {
    let answer = client.answer(&client.get(&["notifications", id])).await?;
    if output.json {
        output::body(&answer)?;
        return Ok(Exit::Done);
    }
    let NoticeDetail { notice, deliveries } = answer.read()?;
    let mut facts = vec![
        ("notification", Cell::new(&notice.id)),
        ("incident", Cell::new(&notice.incident_id)),
        ("receiver", Cell::new(&notice.receiver)),
        ("kind", Cell::new(&notice.kind)),
        ("status", Cell::word(&notice.status)),
        ("written", Cell::new(time(notice.created_at))),
    ];
    facts.extend(notice.finished_at.map(|at| ("finished", Cell::new(time(at)))));
    facts.extend(notice.reason.as_ref().map(|reason| ("reason", Cell::new(reason))));
    facts.extend(notice.instead_of.as_ref().map(|other| ("instead of", Cell::new(other))));
    facts.extend(notice.because.as_ref().map(|because| ("because", Cell::new(because))));
    output.facts(&facts)?;
    output::line("")?;
    let mut table = Table::new(&["ATTEMPT", "TIME", "MS", "STATUS", "ANSWER"]);
    for delivery in &deliveries {
        table.row([
            Cell::new(delivery.attempt.to_string()),
            Cell::new(time(delivery.at)),
            Cell::new(delivery.latency_ms.to_string()),
            Cell::new(delivery.http_status.map_or_else(String::new, |status| status.to_string())),
            Cell::new(&delivery.answer),
        ]);
    }
    output.table(&table)?;
    Ok(Exit::Done)
}

async fn redrive(client: &Client, output: Output, id: &str) -> Result<Exit, Failure> {
    let answer = client.answer(&client.post(&["notifications", id, "redrive"])).await?;
    show(output, &answer, || {
        let Asked { changed, .. } = answer.read()?;
        Ok(format!("notification {id} is {}", if changed { "tried again" } else { "not dead" }))
    })
}

async fn redrive_matching(client: &Client, output: Output, args: Redrive) -> Result<Exit, Failure> {
    let mut filter = Map::new();
    filter.extend(args.receiver.map(|receiver| ("receiver".to_owned(), json!(receiver))));
    filter.extend(args.since.map(|since| ("since".to_owned(), json!(since))));
    filter.extend(args.limit.map(|limit| ("limit".to_owned(), json!(limit))));
    let answer = client.answer(&client.post(&["notifications", "redrive"]).body(filter.into())).await?;
    show(output, &answer, || {
        let Asked { count, .. } = answer.read()?;
        Ok(format!("{} notifications are tried again", count.unwrap_or_default()))
    })
}
