//! `tocsin dead-letters`.

use crate::args::{DeadLetters, Window};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::{self, Output};
use crate::table::Cell;
use crate::text::{clean, time};
use crate::views::{Asked, DeadLetter, Page};

use super::{lists, show, to_each};

const ALL: Window = Window { limit: 250, all: true, cursor: None };

pub(super) async fn run(client: &Client, output: Output, args: DeadLetters) -> Result<Exit, Failure> {
    match args {
        DeadLetters::List { window } => {
            let heading = ["ID", "STREAM", "KEPT", "REASON"];
            lists::show(
                client,
                output,
                &window,
                || client.get(&["dead-letters"]),
                &heading,
                |letter: &DeadLetter| {
                    vec![
                        Cell::new(letter.id.to_string()),
                        Cell::new(&letter.stream),
                        Cell::new(time(letter.created_at)),
                        Cell::new(&letter.reason),
                    ]
                },
            )
            .await
        }
        DeadLetters::Show { id } => show_one(client, output, id).await,
        DeadLetters::Redrive { ids, all: false, .. } => to_each(&ids, |id| redrive(client, output, *id)).await,
        DeadLetters::Redrive { all: true, reason, .. } => {
            let mut ids = matching(client, reason.as_deref()).await?;
            // In the order in which they came.
            ids.sort_unstable();
            to_each(&ids, |id| redrive(client, output, *id)).await
        }
    }
}

async fn matching(client: &Client, reason: Option<&str>) -> Result<Vec<i64>, Failure> {
    let mut ids = Vec::new();
    let ask = || client.get(&["dead-letters"]);
    lists::each_page(client, &ALL, ask, |_, page: &Page<DeadLetter>| {
        let wanted = page.data.iter().filter(|letter| reason.is_none_or(|reason| letter.reason.contains(reason)));
        ids.extend(wanted.map(|letter| letter.id));
        Ok(())
    })
    .await?;
    Ok(ids)
}

async fn show_one(client: &Client, output: Output, id: i64) -> Result<Exit, Failure> {
    let answer = client.answer(&client.get(&["dead-letters", &id.to_string()])).await?;
    if output.json {
        output::body(&answer)?;
        return Ok(Exit::Done);
    }
    let letter: DeadLetter = answer.read()?;
    output.facts(&[
        ("dead letter", Cell::new(letter.id.to_string())),
        ("stream", Cell::new(&letter.stream)),
        ("entry", Cell::new(&letter.entry_id)),
        ("kept", Cell::new(time(letter.created_at))),
        ("reason", Cell::new(&letter.reason)),
    ])?;
    output::line("")?;
    for line in serde_json::to_string_pretty(&letter.fields)?.lines() {
        output::line(&clean(line))?;
    }
    Ok(Exit::Done)
}

async fn redrive(client: &Client, output: Output, id: i64) -> Result<Exit, Failure> {
    let answer = client.answer(&client.post(&["dead-letters", &id.to_string(), "redrive"])).await?;
    show(output, &answer, || {
        let Asked { .. } = answer.read()?;
        Ok(format!("dead letter {id} is tried again"))
    })
}
