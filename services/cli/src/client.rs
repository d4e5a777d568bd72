//! Requests to the API.
//!
//! Each attempt has a deadline, and all attempts of a request together have one. What may pass (429, 503, a broken connection) is
//! tried again after what the server asks for: reads, and what has an idempotency key, which all commands have.

use std::time::Duration;

use rand::Rng as _;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};
use url::Url;
use uuid::Uuid;

use crate::failure::{Failure, Refusal};

/// Longest that one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);
/// Longest that a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// Pause after the first attempt; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Longest body that is read.
const MAX_BODY_MIB: usize = 256;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const X_TOCSIN_ACTOR: HeaderName = HeaderName::from_static("x-tocsin-actor");

/// The way to one server.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    bearer: Option<HeaderValue>,
    actor: Option<HeaderValue>,
    /// For all attempts of one request.
    patience: Duration,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Ask {
    method: Method,
    url: Url,
    body: Option<Value>,
    /// Names what is to be done, however often it is asked for.
    key: Option<Uuid>,
}

impl Ask {
    pub(crate) fn parameter(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.url.query_pairs_mut().append_pair(name, value.as_ref());
        self
    }

    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

/// A 2xx.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

/// Waiting longer and longer, so that many clients do not come back at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    /// Between half and the whole of what it would be.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause.mul_f64(rand::rng().random_range(0.5..1.0))
    }
}

impl Client {
    pub(crate) fn new(
        base: Url,
        bearer: Option<HeaderValue>,
        actor: Option<HeaderValue>,
        patience: Duration,
    ) -> Result<Self, Failure> {
        if !matches!(base.scheme(), "http" | "https") {
            return Err(Failure::Address(base));
        }
        // An error means that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            // A token goes to the address that was given, and nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .user_agent(concat!("tocsin-cli/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(Failure::Client)?;
        Ok(Self { http, base, bearer, actor, patience })
    }

    /// A read of what is at this path, which is given in segments.
    pub(crate) fn get(&self, path: &[&str]) -> Ask {
        Ask { method: Method::GET, url: self.url(path), body: None, key: None }
    }

    /// Asks for something to be done, once.
    pub(crate) fn post(&self, path: &[&str]) -> Ask {
        Ask { method: Method::POST, url: self.url(path), body: None, key: Some(Uuid::now_v7()) }
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        // Nobody refuses segments: the scheme is one that has them.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        url.set_query(None);
        url
    }

    /// Asks until there is an answer, or nothing more to be hoped for.
    pub(crate) async fn answer(&self, ask: &Ask) -> Result<Answer, Failure> {
        self.patiently(async |limit| {
            let attempt = async { self.whole(self.send(self.request(ask)).await?).await };
            timeout(limit, attempt).await.unwrap_or_else(|_elapsed| Err(self.silent(limit)))
        })
        .await
    }

    /// Opens the stream of events, once. Only the beginning of the answer has a deadline.
    pub(crate) async fn open(&self, last_id: Option<&str>) -> Result<Response, Failure> {
        let ask = self.get(&["events"]);
        let mut request = self.request(&ask).header(ACCEPT, "text/event-stream");
        if let Some(last_id) = last_id {
            request = request.header(LAST_EVENT_ID, last_id);
        }
        timeout(ATTEMPT, self.send(request)).await.unwrap_or_else(|_elapsed| Err(self.silent(ATTEMPT)))
    }

    /// As [`Client::open`], again and again while that may help.
    pub(crate) async fn open_patiently(&self, last_id: Option<&str>) -> Result<Response, Failure> {
        self.patiently(async |_limit| self.open(last_id).await).await
    }

    async fn patiently<T>(&self, attempt: impl AsyncFn(Duration) -> Result<T, Failure>) -> Result<T, Failure> {
        let end = Instant::now() + self.patience;
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let failure = match attempt(left.min(ATTEMPT)).await {
                Err(failure) if failure.passes() => failure,
                done => return done,
            };
            let pause = failure.retry_after().unwrap_or_else(|| backoff.pause());
            if Instant::now() + pause >= end {
                return Err(failure);
            }
            sleep(pause).await;
        }
    }

    fn request(&self, ask: &Ask) -> RequestBuilder {
        let mut request = self.http.request(ask.method.clone(), ask.url.clone());
        if let Some(bearer) = &self.bearer {
            request = request.header(AUTHORIZATION, bearer);
        }
        if let Some(key) = ask.key {
            request = request.header(IDEMPOTENCY_KEY, key.to_string());
            if let Some(actor) = &self.actor {
                request = request.header(X_TOCSIN_ACTOR, actor);
            }
        }
        match &ask.body {
            Some(body) => request.json(body),
            None => request,
        }
    }

    /// The answer, if it is a 2xx.
    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let is_problem =
            headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/problem+json"));
        let body = self.whole(response).await?.body;
        let refusal: Option<Refusal> = serde_json::from_slice(&body).ok().filter(|_| is_problem);
        let Some(mut refusal) = refusal else {
            return Err(Failure::Foreign { url: self.base.to_string(), status });
        };
        let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        refusal.retry_after = seconds.map(Duration::from_secs);
        Err(Failure::Refused(refusal))
    }

    async fn whole(&self, mut response: Response) -> Result<Answer, Failure> {
        let (status, mut body) = (response.status(), Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            if body.len() + chunk.len() > MAX_BODY_MIB << 20 {
                return Err(Failure::TooLong(MAX_BODY_MIB));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body })
    }

    pub(crate) fn unreachable(&self, source: reqwest::Error) -> Failure {
        Failure::Unreachable { url: self.base.to_string(), source: source.without_url() }
    }

    pub(crate) fn silent(&self, waited: Duration) -> Failure {
        Failure::Silent { url: self.base.to_string(), waited }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(base: &str) -> Result<Client, Failure> {
        Client::new(base.parse().unwrap(), None, None, Duration::from_secs(1))
    }

    #[test]
    fn a_path_is_put_behind_the_address_that_was_given() {
        let url = |base: &str| client(base).unwrap().get(&["incidents", "a/b"]).parameter("q", "a b&c").url.to_string();
        assert_eq!(url("http://h:1"), "http://h:1/api/v1/incidents/a%2Fb?q=a+b%26c");
        assert_eq!(url("https://h/tocsin/?x=1"), "https://h/tocsin/api/v1/incidents/a%2Fb?q=a+b%26c");
        assert!(matches!(client("ftp://h"), Err(Failure::Address(_))));
    }

    #[test]
    fn pauses_grow_to_a_bound() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(300));
        for longest in [100, 200, 300, 300] {
            let (pause, longest) = (backoff.pause(), Duration::from_millis(longest));
            assert!(pause >= longest / 2 && pause <= longest, "{pause:?} of {longest:?}");
        }
    }
}
