//! `tocsin ack`, `resolve`, `cancel`, `reopen` and `note`.

use serde_json::{Value, json};

use crate::args::{Closing, These};
use crate::client::{Answer, Client};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::views::{Asked, Incident};

use super::{incidents, show, to_each};

/// The same action on each of some incidents.
pub(super) async fn each(
    client: &Client,
    output: Output,
    These { incidents }: &These,
    action: &str,
    body: Option<&Value>,
) -> Result<Exit, Failure> {
    to_each(incidents, |id| act(client, output, id, action, body)).await
}

pub(super) async fn close(
    client: &Client,
    output: Output,
    Closing { these, note }: Closing,
    action: &str,
) -> Result<Exit, Failure> {
    let body = note.map(|note| json!({"note": note}));
    each(client, output, &these, action, body.as_ref()).await
}

pub(super) async fn note(client: &Client, output: Output, incident: &str, text: &str) -> Result<Exit, Failure> {
    act(client, output, incident, "notes", Some(&json!({"text": text}))).await
}

async fn act(client: &Client, output: Output, id: &str, action: &str, body: Option<&Value>) -> Result<Exit, Failure> {
    let ask = client.post(&["incidents", id, action]);
    let ask = body.into_iter().fold(ask, |ask, body| ask.body(body.clone()));
    let answer = client.answer(&ask).await?;
    show(output, &answer, || told(output, &answer, id))
}

/// The incident as it is now, or that it is done if that cannot be seen just now.
fn told(output: Output, answer: &Answer, id: &str) -> Result<String, Failure> {
    match answer.read::<Incident>() {
        Ok(incident) => Ok(incidents::line(output, &incident)),
        Err(_) => answer.read::<Asked>().map(|_| format!("#{id} done")),
    }
}
