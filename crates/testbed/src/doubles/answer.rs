//! What a [`Recorder`](super::Recorder) answers.

use std::time::Duration;

/// One answer: by default a status with headers and a body, at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) delay: Duration,
    pub(super) body_delay: Duration,
    pub(super) end: End,
}

/// How the connection fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It stays.
    Stays,
    /// It is closed instead of an answer.
    HangsUp,
    /// It is reset in the middle of the answer's body.
    Resets,
}

impl Answer {
    /// What Slack's incoming webhooks answer when all is well: 200 and the text `ok`.
    #[must_use]
    pub fn ok() -> Self {
        Self::status(200).body("ok")
    }

    /// An empty answer with this status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        let (delay, body_delay) = (Duration::ZERO, Duration::ZERO);
        Self { status, headers: Vec::new(), body: String::new(), delay, body_delay, end: End::Stays }
    }

    /// No answer: the connection is closed after the request was read and recorded, which leaves the client in doubt.
    #[must_use]
    pub fn hang_up() -> Self {
        Self { end: End::HangsUp, ..Self::ok() }
    }

    /// Half an answer: the connection is reset (RST) while its body is sent.
    #[must_use]
    pub fn reset() -> Self {
        Self { end: End::Resets, ..Self::ok() }
    }

    /// What Slack's Web API answers, as JSON. Errors come with the status 200, too.
    #[must_use]
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::status(status).header("Content-Type", "application/json; charset=utf-8").body(body.to_string())
    }

    /// What a Teams workflow answers when all is well: 202, and nothing.
    #[must_use]
    pub fn teams_accepted() -> Self {
        Self::status(202)
    }

    /// What Teams answers to whoever posts too often: a status that says that all is well, and a text that says otherwise.
    #[must_use]
    pub fn teams_throttled() -> Self {
        Self::status(200).body(
            "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId \
             tcid=0000000000000000000",
        )
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// Waits before answering. The request counts as recorded when it arrived.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sends the headers at once, and the body only after this long.
    #[must_use]
    pub fn body_after(mut self, delay: Duration) -> Self {
        self.body_delay = delay;
        self
    }
}
