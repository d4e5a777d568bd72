//! `tocsin send`.

use std::collections::BTreeMap;

use serde_json::json;

use crate::args::Send;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::{self, Output};
use crate::text::clean;
use crate::views::Received;

pub(super) async fn send(client: &Client, output: Output, args: Send) -> Result<Exit, Failure> {
    let body = json!({
        "title": args.title,
        "severity": args.severity,
        "status": if args.resolved { "resolved" } else { "firing" },
        "labels": args.label.into_iter().collect::<BTreeMap<_, _>>(),
        "description": args.description,
        "external_id": args.external_id,
    });
    let answer = client.answer(&client.post(&["webhooks", "generic"]).body(body)).await?;
    if output.json {
        output::body(&answer)?;
        return Ok(Exit::Done);
    }
    let Received { received, event_id } = answer.read()?;
    output::line(&format!("accepted {received} alert as {}", clean(&event_id)))?;
    Ok(Exit::Done)
}
