//! The ways in which a command fails, how each is told, and the exit codes.

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;

use crate::text::clean;

/// How a command ended. The numbers are documented, and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It is done.
    Done = 0,
    /// It was refused, or it failed.
    Failed = 1,
    /// It was called in a way that means nothing. (clap ends with this number, too.)
    Usage = 2,
    /// There is no such thing.
    NotFound = 3,
    /// The token or key is missing, not known, or does not allow it.
    Unauthorized = 4,
    /// The server cannot be reached, or cannot serve now.
    Unavailable = 5,
    /// It was accepted, and nobody knows yet what becomes of it.
    Unknown = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the address {0} cannot be used; it looks like http://127.0.0.1:8080")]
    Address(url::Url),
    #[error("set {0} or {0}_FILE, not both")]
    TwoSecrets(&'static str),
    #[error("cannot read the secret in {}", path.display())]
    Secret { path: PathBuf, source: io::Error },
    #[error("{0} is empty, or holds what no secret can")]
    UnusableSecret(&'static str),
    #[error("the alert has no labels that a silence could ask for; give matchers")]
    NoLabels,
    #[error("{}", .0.sentence())]
    Refused(Refusal),
    #[error("{url} answered {status}, and not as Tocsin does; is the address right?")]
    Foreign { url: String, status: StatusCode },
    #[error("cannot reach {url}")]
    Unreachable { url: String, source: reqwest::Error },
    #[error("{url} did not answer within {} s", waited.as_secs())]
    Silent { url: String, waited: Duration },
    #[error("the answer is longer than {0} MiB")]
    TooLong(usize),
    #[error("the answer cannot be read")]
    Unreadable(#[from] serde_json::Error),
    #[error("cannot write")]
    Output(#[from] io::Error),
    #[error("cannot start the HTTP client")]
    Client(#[source] reqwest::Error),
}

/// What the server says of a request that it does not do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    title: String,
    detail: Option<String>,
    code: String,
    request_id: Option<String>,
    /// What the answer's `Retry-After` says.
    #[serde(skip)]
    pub(crate) retry_after: Option<Duration>,
}

impl Refusal {
    fn sentence(&self) -> String {
        let mut text = clean(&self.title);
        // Writing to a String does not fail.
        if let Some(detail) = &self.detail {
            let _ = write!(text, ": {}", clean(detail));
        }
        let _ = write!(text, " ({}", clean(&self.code));
        if let Some(id) = &self.request_id {
            let _ = write!(text, ", request {}", clean(id));
        }
        text.push(')');
        text
    }
}

impl Failure {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Address(_) | Self::TwoSecrets(_) | Self::Secret { .. } | Self::UnusableSecret(_) | Self::NoLabels => {
                Exit::Usage
            }
            Self::Refused(refusal) => match refusal.status {
                401 | 403 => Exit::Unauthorized,
                404 => Exit::NotFound,
                _ if self.passes() => Exit::Unavailable,
                _ => Exit::Failed,
            },
            Self::Unreachable { .. } | Self::Silent { .. } => Exit::Unavailable,
            Self::Foreign { .. } if self.passes() => Exit::Unavailable,
            // Whoever reads our output has enough of it.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Foreign { .. } | Self::TooLong(_) | Self::Unreadable(_) | Self::Output(_) | Self::Client(_) => {
                Exit::Failed
            }
        }
    }

    /// Whether the same request may have another answer in a moment.
    pub(crate) fn passes(&self) -> bool {
        let may_pass = |status| matches!(status, 408 | 429 | 502..=504);
        match self {
            Self::Refused(refusal) => may_pass(refusal.status),
            Self::Foreign { status, .. } => may_pass(status.as_u16()),
            Self::Unreachable { .. } | Self::Silent { .. } => true,
            _ => false,
        }
    }

    /// When to ask again, if the server says so.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refusal) => refusal.retry_after,
            _ => None,
        }
    }

    /// Says it on standard error, with all its causes.
    pub(crate) fn tell(&self) {
        if self.exit() != Exit::Done {
            eprintln!("error: {}", self.with_causes());
        }
    }

    fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let _ = write!(text, ": {}", clean(&error.to_string()));
            cause = error.source();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16) -> Failure {
        let body = serde_json::json!({
            "status": status, "title": "Not so", "detail": "limit: use a \u{1b}[31mnumber", "code": "some_code",
            "request_id": "r-1",
        });
        Failure::Refused(serde_json::from_value(body).unwrap())
    }

    #[test]
    fn a_refusal_is_a_sentence_with_the_field_and_without_control_characters() {
        assert_eq!(refused(400).to_string(), "Not so: limit: use a \u{fffd}[31mnumber (some_code, request r-1)");
    }

    #[test]
    fn each_status_has_its_exit_code() {
        for (status, exit) in [
            (400, Exit::Failed),
            (401, Exit::Unauthorized),
            (403, Exit::Unauthorized),
            (404, Exit::NotFound),
            (408, Exit::Unavailable),
            (409, Exit::Failed),
            (429, Exit::Unavailable),
            (500, Exit::Failed),
            (503, Exit::Unavailable),
        ] {
            assert_eq!(refused(status).exit(), exit, "{status}");
        }
        let foreign = |status| Failure::Foreign { url: String::new(), status };
        assert_eq!(
            foreign(StatusCode::NOT_FOUND).exit(),
            Exit::Failed,
            "what is not Tocsin knows nothing of incidents"
        );
        assert_eq!(foreign(StatusCode::BAD_GATEWAY).exit(), Exit::Unavailable);
        let closed = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(Failure::Output(closed).exit(), Exit::Done);
    }
}
