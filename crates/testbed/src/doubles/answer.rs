//! What a [`Recorder`](super::Recorder) answers.

use std::time::Duration;

/// One answer: by default a status with headers and a body, at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) delay: Duration,
    pub(super) hangs_up: bool,
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
        Self { status, headers: Vec::new(), body: String::new(), delay: Duration::ZERO, hangs_up: false }
    }

    /// No answer: the connection is closed after the request was read and recorded, which leaves the client in doubt.
    #[must_use]
    pub fn hang_up() -> Self {
        Self { hangs_up: true, ..Self::ok() }
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
}
