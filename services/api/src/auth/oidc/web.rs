//! The way to the provider.

use std::pin::Pin;
use std::time::Duration;

use openidconnect::http::Method;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse, http};
use tocsin_service::config::is_encrypted_or_near;
use tocsin_service::http::client_builder;

/// Longest that one request may take, answer included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest answer, in bytes.
const MAX_ANSWER_BYTES: usize = 512 * 1024;
/// How often what changes nothing is asked for, at most.
const READS: usize = 2;

/// Nothing that can be used was there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebError {
    /// The provider names an address where anybody could read along.
    #[error("the provider names an address without https")]
    Plain,
    /// There was no answer, or none in time.
    #[error("the provider did not answer")]
    NoAnswer(#[source] reqwest::Error),
    /// It says itself that it cannot.
    #[error("the provider answered {0}")]
    Status(reqwest::StatusCode),
    /// The answer has no end.
    #[error("the provider's answer has more than {MAX_ANSWER_BYTES} bytes")]
    TooLong,
    /// What was to be sent, or what came, is no message.
    #[error("not a message of HTTP")]
    Malformed(#[from] http::Error),
}

/// Sends requests: with TLS alone, without following redirects, within bounds. Reads are sent once more if there is no answer.
#[derive(Debug)]
pub(super) struct Web(reqwest::Client);

impl Web {
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        client_builder().timeout(REQUEST_TIMEOUT).build().map(Self)
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, WebError> {
        let is_safe = url::Url::parse(&request.uri().to_string()).is_ok_and(|url| is_encrypted_or_near(&url));
        if !is_safe {
            return Err(WebError::Plain);
        }
        // A code can be exchanged once: whoever asks again for lack of an answer is told that it is used up.
        let tries = if request.method() == Method::GET { READS } else { 1 };
        for _ in 1..tries {
            if let Ok(answer) = self.send_once(request.clone()).await {
                return Ok(answer);
            }
        }
        self.send_once(request).await
    }

    async fn send_once(&self, request: HttpRequest) -> Result<HttpResponse, WebError> {
        let no_answer = |error: reqwest::Error| WebError::NoAnswer(error.without_url());
        let request = reqwest::Request::try_from(request).map_err(no_answer)?;
        let mut response = self.0.execute(request).await.map_err(no_answer)?;
        if response.status().is_server_error() || response.status() == reqwest::StatusCode::TOO_MANY_REQUESTS {
            return Err(WebError::Status(response.status()));
        }
        let mut answer = http::Response::builder().status(response.status());
        if let Some(headers) = answer.headers_mut() {
            headers.clone_from(response.headers());
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(WebError::TooLong);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(answer.body(bytes)?)
    }
}

impl<'c> AsyncHttpClient<'c> for Web {
    type Error = WebError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, WebError>> + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
