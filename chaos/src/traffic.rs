//! Steady traffic: webhooks and reads, each sent when it is due, whatever became of those before.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tocsin_testbed::http;
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use crate::error::{ChaosError, Result};
use crate::timeline::Timeline;

/// Of so many webhooks, reads are two: the list and one incident, by turns.
const WEBHOOKS_FOR_TWO_READS: u32 = 5;
/// Of so many webhooks, the last repeats an earlier one under its `webhook-id`.
const REPEAT_EVERY: u32 = 10;
/// How many before it that one was.
const REPEAT_AFTER: u32 = 5;
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everybody who sends requests to the front door.
#[derive(Debug)]
pub(crate) struct Traffic {
    client: Client,
    url: String,
    key: String,
    token: String,
    /// Names the run in everything that it sends.
    run: String,
    /// Webhooks in a second.
    rate: u32,
}

/// What came of one webhook.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// Which delivery it was, or repeated.
    pub(crate) delivery: u32,
    /// When it was due.
    pub(crate) due: Duration,
    /// How long the answer took, from then.
    pub(crate) took: Duration,
    /// `None` when there was none.
    pub(crate) status: Option<u16>,
    /// Under which id it was accepted.
    pub(crate) event_id: Option<String>,
    /// The code of the problem, of a refusal, or why there was no answer.
    pub(crate) code: Option<String>,
}

/// What came of one read.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    /// When it was due.
    pub(crate) due: Duration,
    /// How long the answer took, from then.
    pub(crate) took: Duration,
    /// Why it failed.
    pub(crate) failed: Option<String>,
}

impl Sent {
    /// 2xx.
    pub(crate) fn is_accepted(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// 5xx, or no answer at all.
    pub(crate) fn is_server_error(&self) -> bool {
        self.status.is_none_or(|status| status >= 500)
    }

    /// When it was answered.
    pub(crate) fn answered(&self) -> Duration {
        self.due + self.took
    }
}

impl Traffic {
    pub(crate) fn new(url: String, key: &str, token: &str, run: String, rate: u32) -> Result<Arc<Self>> {
        let client = http::client_builder().timeout(PATIENCE).build().map_err(tocsin_testbed::TestbedError::from)?;
        Ok(Arc::new(Self { client, url, key: key.to_owned(), token: token.to_owned(), run, rate }))
    }

    /// Sends one webhook that does not count, and says of which incident a reader may ask.
    pub(crate) async fn warm_up(self: &Arc<Self>) -> Result<()> {
        let answer = self.post("before", true).await;
        match answer {
            (Some(200..300), _) => Ok(()),
            (status, body) => Err(ChaosError::Unwell { answer: format!("{status:?} {body}") }),
        }
    }

    /// An incident that is there.
    pub(crate) async fn any_incident(&self) -> Result<String, String> {
        let answer = self.get("/api/v1/incidents?limit=1").send().await.map_err(|error| error.to_string())?;
        let body: Value = answer.json().await.map_err(|error| error.to_string())?;
        body["data"][0]["id"].as_str().map(str::to_owned).ok_or_else(|| body.to_string())
    }

    /// Sends webhooks until `ended`.
    pub(crate) async fn webhooks(self: Arc<Self>, time: Arc<Timeline>, ended: CancellationToken) -> Vec<Sent> {
        at_rate(self.rate, Arc::clone(&time), ended, move |number, due| {
            let (traffic, time) = (Arc::clone(&self), Arc::clone(&time));
            async move {
                let is_repeat = number % REPEAT_EVERY == REPEAT_EVERY - 1;
                let delivery = if is_repeat { number - REPEAT_AFTER } else { number };
                let is_named = delivery % REPEAT_EVERY == REPEAT_EVERY - 1 - REPEAT_AFTER;
                let (status, body) = traffic.post(&delivery.to_string(), is_named).await;
                let text = |member: &str| body[member].as_str().map(str::to_owned);
                let (event_id, code) = (text("event_id"), text("code"));
                Sent { delivery, due, took: time.now().saturating_sub(due), status, event_id, code }
            }
        })
        .await
    }

    /// Reads the list and one incident until `ended`.
    pub(crate) async fn reads(
        self: Arc<Self>,
        time: Arc<Timeline>,
        incident: String,
        ended: CancellationToken,
    ) -> Vec<Read> {
        at_rate((2 * self.rate / WEBHOOKS_FOR_TWO_READS).max(1), Arc::clone(&time), ended, move |number, due| {
            let (traffic, time) = (Arc::clone(&self), Arc::clone(&time));
            let path =
                if number % 2 == 0 { "/api/v1/incidents".to_owned() } else { format!("/api/v1/incidents/{incident}") };
            async move {
                let answer = traffic.get(&path).send().await;
                let failed = match answer {
                    Ok(answer) if answer.status().is_success() => {
                        answer.bytes().await.err().map(|error| format!("broke off: {error}"))
                    }
                    Ok(answer) => Some(format!("status {}", answer.status().as_u16())),
                    Err(error) if error.is_timeout() => Some("no answer in time".to_owned()),
                    Err(_) => Some("no connection".to_owned()),
                };
                Read { due, took: time.now().saturating_sub(due), failed }
            }
        })
        .await
    }

    /// The name of this run.
    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    async fn post(&self, delivery: &str, is_named: bool) -> (Option<u16>, Value) {
        let name = format!("{}-{delivery}", self.run);
        let alert = json!({
            "title": "Requests are slow", "external_id": name, "severity": "critical",
            "labels": {"alertname": "Chaos", "run": self.run, "number": delivery},
        });
        let mut request = self.client.post(format!("{}/api/v1/webhooks/generic", self.url)).bearer_auth(&self.key);
        if is_named {
            request = request.header("webhook-id", name);
        }
        match request.json(&alert).send().await {
            Ok(response) => (Some(response.status().as_u16()), response.json().await.unwrap_or_default()),
            Err(error) if error.is_timeout() => (None, json!({"code": "no answer in time"})),
            Err(_) => (None, json!({"code": "no connection"})),
        }
    }
}

/// Starts something `per_second` times a second until `ended`, and gives what came of all of it. What it starts must bound its
/// own time.
async fn at_rate<T, F>(
    per_second: u32,
    time: Arc<Timeline>,
    ended: CancellationToken,
    mut begin: impl FnMut(u32, Duration) -> F,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let interval = Duration::from_secs(1) / per_second;
    let mut open = JoinSet::new();
    for number in 0.. {
        let due = interval * number;
        tokio::select! {
            () = sleep_until(time.at(due)) => {}
            () = ended.cancelled() => break,
        }
        open.spawn(begin(number, due));
    }
    open.join_all().await
}
