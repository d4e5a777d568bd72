//! `tocsin incidents`.

use crate::args::{IncidentList, Incidents, IncidentsCommand};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::{self, Output};
use crate::table::{Cell, Table};
use crate::text::{clean, labels, time};
use crate::views::{Incident, IncidentDetail};

use super::{alerts, lists};

pub(super) async fn run(client: &Client, output: Output, args: Incidents) -> Result<Exit, Failure> {
    match args.command {
        Some(IncidentsCommand::Show { incident }) => show(client, output, &incident).await,
        None => list(client, output, &args.list).await,
    }
}

async fn list(client: &Client, output: Output, args: &IncidentList) -> Result<Exit, Failure> {
    let ask = || {
        let ask = lists::choosing(client.get(&["incidents"]), "status", &args.status);
        let ask = lists::searching(lists::choosing(ask, "severity", &args.severity), &args.search);
        let bounds = [("created_after", args.since), ("created_before", args.until)];
        bounds.into_iter().fold(ask, |ask, (name, bound)| match bound {
            Some(bound) => ask.parameter(name, bound.to_rfc3339()),
            None => ask,
        })
    };
    let heading = ["NUMBER", "STATUS", "SEVERITY", "FIRING", "OPENED", "TITLE"];
    lists::show(client, output, &args.window, ask, &heading, |incident: &Incident| {
        vec![
            Cell::new(incident.number.to_string()),
            Cell::word(&incident.status),
            Cell::word(&incident.severity),
            Cell::new(firing(incident)),
            Cell::new(time(incident.created_at)),
            Cell::new(&incident.title),
        ]
    })
    .await
}

/// How many of how many alerts fire.
fn firing(incident: &Incident) -> String {
    format!("{}/{}", incident.firing_count, incident.alert_count)
}

async fn show(client: &Client, output: Output, id: &str) -> Result<Exit, Failure> {
    let answer = client.answer(&client.get(&["incidents", id])).await?;
    if output.json {
        output::body(&answer)?;
        return Ok(Exit::Done);
    }
    let IncidentDetail { incident, alerts, timeline } = answer.read()?;
    let taken = incident.acknowledged_at.map(|at| {
        let by = incident.acknowledged_by.as_deref().unwrap_or("somebody");
        ("acknowledged", Cell::new(format!("{} by {by}", time(at))))
    });
    let mut facts = vec![
        ("incident", Cell::new(format!("#{} {}", incident.number, incident.title))),
        ("id", Cell::new(&incident.id)),
        ("status", Cell::word(&incident.status)),
        ("severity", Cell::word(&incident.severity)),
        ("firing", Cell::new(firing(&incident))),
        ("labels", Cell::new(labels(&incident.labels))),
        ("opened", Cell::new(time(incident.created_at))),
    ];
    facts.extend(taken);
    facts.extend(incident.resolved_at.map(|at| ("resolved", Cell::new(time(at)))));
    facts.extend(incident.summary.as_ref().map(|summary| ("summary", Cell::new(summary))));
    output.facts(&facts)?;
    output::line("")?;
    output.table(&alerts::table(&alerts))?;
    output::line("")?;
    let mut table = Table::new(&["TIME", "TYPE", "WHO", "WHAT"]);
    for entry in &timeline {
        table.row([
            Cell::new(time(entry.timestamp)),
            Cell::new(&entry.r#type),
            Cell::new(entry.actor_name.as_deref().unwrap_or_default()),
            Cell::new(&entry.content),
        ]);
    }
    output.table(&table)?;
    Ok(Exit::Done)
}

/// An incident on one line.
pub(super) fn line(output: Output, incident: &Incident) -> String {
    let styled = |word: &str| output.paint.styled(&Cell::word(word));
    format!(
        "#{} {} {} {} firing: {}",
        incident.number,
        styled(&incident.status),
        styled(&incident.severity),
        firing(incident),
        clean(&incident.title)
    )
}
