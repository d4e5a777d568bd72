//! One request over HTTP, and what its answer comes to.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{RequestBuilder, StatusCode};
use tocsin_service::config::{ExposeSecret as _, SecretString};
use tocsin_service::with_causes;

use super::{Answer, Sent, bounded};
use crate::guard::Forbidden;

/// What stands where a provider repeated a secret of ours.
const REDACTED: &str = "[secret]";

/// What came back.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    /// The start of the body.
    pub(super) body: Vec<u8>,
    /// Why the body could not be read to its end or its bound.
    fault: Option<String>,
}

/// Sends a request and reads at most `max_bytes` of what comes back. The client bounds its time. Addresses may be secrets,
/// and are left out of what is told of failures.
pub(super) async fn call(request: RequestBuilder, max_bytes: usize) -> Result<Response, Sent> {
    let mut response = request.send().await.map_err(no_answer)?;
    let (status, retry_after) = (response.status(), retry_after(&response));
    let (mut body, mut fault) = (Vec::new(), None);
    while body.len() < max_bytes {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk[..chunk.len().min(max_bytes - body.len())]),
            Ok(None) => break,
            Err(error) => {
                fault = Some(with_causes(&error.without_url()));
                break;
            }
        }
    }
    Ok(Response { status, retry_after, body, fault })
}

impl Response {
    /// What the status says.
    pub(super) fn answer(&self) -> Answer {
        let may_pass = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
        if self.status.is_success() {
            Answer::Taken
        } else if self.status == StatusCode::GONE {
            Answer::Gone
        } else if may_pass.contains(&self.status) || self.status.is_server_error() {
            Answer::Failed { retry_after: self.retry_after }
        } else {
            Answer::Refused
        }
    }

    /// What is said of it in the ledger: the status and the start of the body, without `secrets`.
    pub(super) fn sent(&self, answer: Answer, secrets: &[&SecretString]) -> Sent {
        let body = match &self.fault {
            Some(fault) => format!("[unreadable: {fault}]"),
            None => redacted(&String::from_utf8_lossy(&self.body), secrets),
        };
        self.said(answer, &body)
    }

    /// The same, with our own words instead of the body.
    pub(super) fn said(&self, answer: Answer, words: &str) -> Sent {
        let status = self.status.as_u16();
        Sent { answer, http_status: Some(status), text: bounded(&format!("{status}: {words}")), message: None }
    }
}

/// A request that brought no answer.
fn no_answer(error: reqwest::Error) -> Sent {
    let error = error.without_url();
    let mut causes = std::iter::successors(Some(&error as &(dyn std::error::Error + 'static)), |error| error.source());
    match causes.find_map(|error| error.downcast_ref::<Forbidden>()) {
        Some(forbidden) => Sent::refused(&forbidden.to_string()),
        None => Sent::failed(&with_causes(&error)),
    }
}

/// A text without the secrets that a provider may repeat in what it answers.
pub(super) fn redacted(text: &str, secrets: &[&SecretString]) -> String {
    secrets
        .iter()
        .map(|secret| secret.expose_secret())
        .filter(|secret| !secret.is_empty())
        .fold(text.to_owned(), |text, secret| if text.contains(secret) { text.replace(secret, REDACTED) } else { text })
}

/// The `Retry-After` of a response, in seconds or as a date (RFC 9110, 10.2.3).
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let value = response.headers().get("retry-after")?.to_str().ok()?.trim();
    let seconds = value.parse().ok().map(Duration::from_secs);
    seconds.or_else(|| Some(until(DateTime::parse_from_rfc2822(value).ok()?.to_utc(), Utc::now())))
}

fn until(time: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (time - now).to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_repeats_of_our_secrets_is_not_kept() {
        let token: SecretString = "xoxb-1".into();
        assert_eq!(redacted("bad token xoxb-1, xoxb-1!", &[&token]), "bad token [secret], [secret]!");
    }

    #[test]
    fn a_date_to_retry_after_is_a_wait_from_now() {
        let date = DateTime::parse_from_rfc2822("Fri, 27 Nov 2026 10:00:30 GMT").unwrap().to_utc();
        let now = "2026-11-27T10:00:00Z".parse().unwrap();
        assert_eq!(until(date, now), Duration::from_secs(30));
        assert_eq!(until(now, date), Duration::ZERO, "it is past");
    }
}
