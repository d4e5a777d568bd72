//! Those who send while a store is away, and what they keep of the answers.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::bench::BenchError;
use crate::load::Timed;
use crate::{Result, Topology, http};

/// Of so many requests, the last repeats an earlier delivery.
const REPEAT_EVERY: u32 = 10;
/// How many requests before it that one was: 10 ms at 500 in a second, so that the two may meet.
const REPEAT_AFTER: u32 = 5;
/// Requests that are sent at a time before the load begins, so that connections are there as they are in a steady state.
const WARM_UP: u32 = 50;
/// The number of the first of them; the load's are below it.
const FIRST_WARM_UP: u32 = 1_000_000;

/// Senders of one integration.
pub(super) struct Senders {
    client: Client,
    url: String,
    key: String,
}

/// What came of one request.
#[derive(Debug)]
pub(super) struct Answer {
    /// `None` when there was none.
    pub status: Option<StatusCode>,
    says_when: bool,
    event_id: Option<String>,
    /// The code of the problem, of a refusal.
    pub code: Option<String>,
}

impl Answer {
    /// 2xx.
    pub(super) fn is_accepted(&self) -> bool {
        self.status.is_some_and(|status| status.is_success())
    }

    /// 503 with `Retry-After`.
    pub(super) fn is_come_again(&self) -> bool {
        self.status == Some(StatusCode::SERVICE_UNAVAILABLE) && self.says_when
    }
}

impl Senders {
    pub(super) fn new(topology: &Topology, key: &str) -> Result<Self> {
        let url = format!("{}/api/v1/webhooks/generic", topology.url());
        Ok(Self { client: http::client()?, url, key: key.to_owned() })
    }

    pub(super) async fn warm_up(self: &Arc<Self>) -> Result<(), BenchError> {
        let answers =
            join_all((0..WARM_UP).map(|number| Arc::clone(self).send(FIRST_WARM_UP + number * REPEAT_EVERY))).await;
        if answers.iter().all(Answer::is_accepted) {
            return Ok(());
        }
        Err(BenchError::Broken { what: "requests are refused while all is well" })
    }

    /// Sends the request of this number, which is a delivery of its own or repeats one.
    pub(super) async fn send(self: Arc<Self>, number: u32) -> Answer {
        let is_repeat = number % REPEAT_EVERY == REPEAT_EVERY - 1;
        let delivery = if is_repeat { number - REPEAT_AFTER } else { number };
        let name = format!("delivery-{delivery}");
        let alert =
            json!({"title": name, "external_id": name, "severity": "critical", "labels": {"alertname": "Loss"}});
        let request = self.client.post(&self.url).bearer_auth(&self.key).header("Idempotency-Key", name).json(&alert);
        let Ok(response) = request.send().await else {
            return Answer { status: None, says_when: false, event_id: None, code: None };
        };
        let (status, says_when) = (response.status(), response.headers().contains_key(RETRY_AFTER));
        let body: Value = response.json().await.unwrap_or_default();
        let text = |member: &str| body[member].as_str().map(str::to_owned);
        Answer { status: Some(status), says_when, event_id: text("event_id"), code: text("code") }
    }
}

/// How many of the deliveries that were accepted are not in the database.
pub(super) async fn missing(topology: &Topology, answers: &[Timed<Answer>]) -> Result<usize, BenchError> {
    let rows = topology.tenant().sql("SELECT id FROM event_ids").await?;
    let applied: HashSet<String> = rows.into_iter().flatten().collect();
    let accepted = answers.iter().map(|answer| &answer.value).filter(|answer| answer.is_accepted());
    // An accepted answer without an event id counts as missing: nobody can find it.
    Ok(accepted.filter(|answer| !answer.event_id.as_ref().is_some_and(|id| applied.contains(id))).count())
}
