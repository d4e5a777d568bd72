//! `tocsin silence`.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use tocsin_shared::{MatchOp, Matcher};

use crate::args::{NewSilence, Silence as Args};
use crate::client::{Answer, Client};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::table::Cell;
use crate::text::{clean, time};
use crate::views::{Alert, Asked, Silence};

use super::{lists, show, to_each};

pub(super) async fn run(client: &Client, output: Output, args: Args) -> Result<Exit, Failure> {
    match args {
        Args::Create(new) => create(client, output, new).await,
        Args::List { expired, window } => {
            let ask = || {
                let ask = client.get(&["silences"]);
                if expired { ask.parameter("include_expired", "true") } else { ask }
            };
            let heading = ["ID", "STATUS", "FROM", "UNTIL", "BY", "MATCHERS", "COMMENT"];
            lists::show(client, output, &window, ask, &heading, |silence: &Silence| {
                vec![
                    Cell::new(&silence.id),
                    Cell::word(&silence.status),
                    Cell::new(time(silence.starts_at)),
                    Cell::new(time(silence.ends_at)),
                    Cell::new(&silence.author),
                    Cell::new(matchers(&silence.matchers)),
                    Cell::new(&silence.comment),
                ]
            })
            .await
        }
        Args::Expire { silences } => to_each(&silences, |id| expire(client, output, id)).await,
    }
}

async fn create(client: &Client, output: Output, new: NewSilence) -> Result<Exit, Failure> {
    let ask = if let Some(incident) = &new.incident {
        // The server knows what its alerts have in common.
        let seconds = new.duration.unwrap_or_default().as_secs();
        client.post(&["incidents", incident, "silence"]).body(json!({"duration": format!("{seconds}s")}))
    } else {
        let asked_for = match &new.alert {
            Some(id) => labels_of(client, id).await?,
            None => new.matchers,
        };
        let begin = new.starts.unwrap_or_else(Utc::now);
        let lasting = new.duration.and_then(|duration| TimeDelta::from_std(duration).ok()).unwrap_or(TimeDelta::MAX);
        let end = new.until.or_else(|| begin.checked_add_signed(lasting)).unwrap_or(chrono::DateTime::<Utc>::MAX_UTC);
        let mut body = json!({"matchers": asked_for, "ends_at": end, "comment": new.comment.unwrap_or_default()});
        if let (Some(starts), Some(fields)) = (new.starts, body.as_object_mut()) {
            fields.insert("starts_at".to_owned(), json!(starts));
        }
        client.post(&["silences"]).body(body)
    };
    let answer = client.answer(&ask).await?;
    show(output, &answer, || told(&answer))
}

/// Matchers that ask for each label of an alert.
async fn labels_of(client: &Client, id: &str) -> Result<Vec<String>, Failure> {
    let alert: Alert = client.answer(&client.get(&["alerts", id])).await?.read()?;
    let matchers = alert.labels.iter().filter_map(|(name, value)| Matcher::new(name, MatchOp::Equal, value).ok());
    let matchers: Vec<String> = matchers.map(|matcher| matcher.to_string()).collect();
    // With fewer labels it would silence more than was meant.
    if matchers.is_empty() || matchers.len() < alert.labels.len() { Err(Failure::NoLabels) } else { Ok(matchers) }
}

async fn expire(client: &Client, output: Output, id: &str) -> Result<Exit, Failure> {
    let answer = client.answer(&client.post(&["silences", id, "end"])).await?;
    show(output, &answer, || told(&answer))
}

/// The silence as it is now, or that it is done if that cannot be seen just now.
fn told(answer: &Answer) -> Result<String, Failure> {
    match answer.read::<Silence>() {
        Ok(silence) => Ok(format!(
            "silence {} {} until {}: {}",
            clean(&silence.id),
            clean(&silence.status),
            time(silence.ends_at),
            matchers(&silence.matchers)
        )),
        Err(_) => answer.read::<Asked>().map(|_| "done".to_owned()),
    }
}

fn matchers(matchers: &Value) -> String {
    match matchers {
        Value::Array(all) => all.iter().filter_map(Value::as_str).map(clean).collect::<Vec<_>>().join(", "),
        other => clean(other.as_str().unwrap_or_default()),
    }
}
