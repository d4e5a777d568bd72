//! `tocsin alerts`.

use crate::args::{AlertList, Alerts, AlertsCommand};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::{self, Output};
use crate::table::{Cell, Table};
use crate::text::{labels, time};
use crate::views::Alert;

use super::lists;

const HEADING: [&str; 6] = ["STATUS", "SEVERITY", "SOURCE", "LAST SEEN", "ID", "TITLE"];

pub(super) async fn run(client: &Client, output: Output, args: Alerts) -> Result<Exit, Failure> {
    match args.command {
        Some(AlertsCommand::Show { alert }) => show(client, output, &alert).await,
        None => list(client, output, &args.list).await,
    }
}

async fn list(client: &Client, output: Output, args: &AlertList) -> Result<Exit, Failure> {
    let ask = || {
        let ask = lists::choosing(client.get(&["alerts"]), "status", &args.status);
        let ask = lists::choosing(ask, "severity", &args.severity);
        lists::searching(lists::choosing(ask, "source", &args.source), &args.search)
    };
    lists::show(client, output, &args.window, ask, &HEADING, row).await
}

async fn show(client: &Client, output: Output, id: &str) -> Result<Exit, Failure> {
    let answer = client.answer(&client.get(&["alerts", id])).await?;
    if output.json {
        output::body(&answer)?;
        return Ok(Exit::Done);
    }
    let alert: Alert = answer.read()?;
    let mut facts = vec![
        ("alert", Cell::new(&alert.title)),
        ("id", Cell::new(&alert.id)),
        ("status", Cell::word(&alert.status)),
        ("severity", Cell::word(&alert.severity)),
        ("source", Cell::new(&alert.source)),
        ("labels", Cell::new(labels(&alert.labels))),
        ("since", Cell::new(time(alert.started_at))),
        ("last seen", Cell::new(format!("{} ({} times)", time(alert.last_seen_at), alert.occurrences))),
    ];
    facts.extend(alert.ended_at.map(|at| ("until", Cell::new(time(at)))));
    facts.extend(alert.incident_id.as_ref().map(|id| ("incident", Cell::new(id))));
    facts.extend(alert.description.as_ref().map(|text| ("description", Cell::new(text))));
    output.facts(&facts)?;
    Ok(Exit::Done)
}

/// Alerts that are shown with something else.
pub(super) fn table(alerts: &[Alert]) -> Table {
    let mut table = Table::new(&HEADING);
    for alert in alerts {
        table.row(row(alert));
    }
    table
}

fn row(alert: &Alert) -> Vec<Cell> {
    vec![
        Cell::word(&alert.status),
        Cell::word(&alert.severity),
        Cell::new(&alert.source),
        Cell::new(time(alert.last_seen_at)),
        Cell::new(&alert.id),
        Cell::new(&alert.title),
    ]
}
