//! Answers to whoever clicked: a message that only they see, posted to the address that came with the click
//! (<https://docs.slack.dev/interactivity/handling-user-interaction#message_responses>).

use std::time::Duration;

use serde_json::json;
use tocsin_service::http::client_builder;
use url::Url;

/// Longest that one attempt may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// Attempts, and the pause between two.
const ATTEMPTS: usize = 2;
const PAUSE: Duration = Duration::from_millis(500);

/// The way to Slack. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Replies(reqwest::Client);

impl Replies {
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        client_builder().timeout(REQUEST_TIMEOUT).build().map(Self)
    }

    /// Posts a text, and says how that ended, for the metrics. The address is a secret: whoever knows it can post.
    pub(super) async fn post(&self, address: Url, text: &str) -> &'static str {
        let body = json!({"response_type": "ephemeral", "replace_original": false, "text": escape(text)});
        for attempt in 1..=ATTEMPTS {
            let answer = self.0.post(address.clone()).json(&body).send().await.map(|answer| answer.status());
            match answer {
                Ok(status) if status.is_success() => return "posted",
                // It is used up, or too old: that does not pass.
                Ok(status) if status.is_client_error() && status.as_u16() != 429 => {
                    tracing::debug!(%status, "Slack does not take an answer");
                    return "failed";
                }
                Ok(status) => tracing::debug!(%status, attempt, "Slack did not take an answer"),
                Err(error) => {
                    let error = error.without_url();
                    tracing::debug!(error = &error as &dyn std::error::Error, attempt, "Slack cannot be reached");
                }
            }
            if attempt < ATTEMPTS {
                tokio::time::sleep(PAUSE).await;
            }
        }
        "failed"
    }
}

/// The address, if it is one of Slack's: below `prefix`.
pub(super) fn allowed(text: &str, prefix: &Url) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let origin = |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
    let is_bare = url.username().is_empty() && url.password().is_none();
    let is_below = origin(&url) == origin(prefix) && url.path().starts_with(prefix.path());
    (is_bare && is_below).then_some(url)
}

/// <https://docs.slack.dev/messaging/formatting-message-text#escaping>
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slacks_own_addresses_are_answered_to() {
        let prefix = Url::parse("https://hooks.slack.com/").unwrap();
        for allowed_url in ["https://hooks.slack.com/actions/T1/2/x", "https://HOOKS.slack.com:443/a"] {
            assert!(allowed(allowed_url, &prefix).is_some(), "{allowed_url}");
        }
        for other in [
            "http://hooks.slack.com/actions/T1/2/x",
            "https://hooks.slack.com.example.org/x",
            "https://hooks.slack.com@example.org/x",
            "https://user@hooks.slack.com/x",
            "https://hooks.slack.com:8443/x",
            "https://169.254.169.254/latest",
            "file:///etc/passwd",
            "x",
        ] {
            assert_eq!(allowed(other, &prefix), None, "{other}");
        }
        let below = Url::parse("http://127.0.0.1:9/responses/").unwrap();
        assert!(allowed("http://127.0.0.1:9/responses/1", &below).is_some());
        assert!(allowed("http://127.0.0.1:9/responses/../other", &below).is_none());
    }

    #[test]
    fn a_text_is_only_a_text() {
        assert_eq!(escape("<!channel> & co"), "&lt;!channel&gt; &amp; co");
    }
}
