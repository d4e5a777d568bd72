//! The way out to SNS.

use std::time::Duration;

use reqwest::StatusCode;
use tocsin_service::http::client_builder;
use url::Url;

/// Longest that one request may take, answer included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// Gets what an address holds. The only way in which trust reaches out, so that tests can stand in its place.
pub(crate) trait Fetch {
    /// What is there, if it has at most `max_bytes`.
    async fn get(&self, url: &Url, max_bytes: usize) -> Result<Vec<u8>, FetchError>;
}

/// Nothing that can be used was there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// There was no answer, or none in time.
    #[error("no answer")]
    NoAnswer(#[source] reqwest::Error),
    /// There was another answer.
    #[error("answered {0}")]
    Status(StatusCode),
    /// The answer has no end.
    #[error("the answer has more than {0} bytes")]
    TooLong(usize),
}

/// The network.
#[derive(Debug)]
pub(crate) struct Web(reqwest::Client);

impl Web {
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        client_builder().https_only(true).timeout(REQUEST_TIMEOUT).build().map(Self)
    }
}

impl Fetch for Web {
    async fn get(&self, url: &Url, max_bytes: usize) -> Result<Vec<u8>, FetchError> {
        let no_answer = |error: reqwest::Error| FetchError::NoAnswer(error.without_url());
        let mut response = self.0.get(url.clone()).send().await.map_err(no_answer)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            if bytes.len() + chunk.len() > max_bytes {
                return Err(FetchError::TooLong(max_bytes));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}
