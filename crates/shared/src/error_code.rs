//! The one table of public error codes. A code, once published, keeps its meaning and its status.

use std::borrow::Cow;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a request was refused, as the outside world sees it (RFC 9457 `type`, and the extension member `code`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The request is not understood: a parameter or header.
    BadRequest,
    /// Signing in at the provider came to nothing that can be trusted.
    SignInFailed,
    /// The body is empty where one is needed.
    EmptyBody,
    /// The body is not JSON.
    InvalidJson,
    /// The body is JSON, but not of the documented shape.
    InvalidPayload,
    /// A query parameter is unknown or cannot be read.
    InvalidParameter,
    /// No token was sent.
    MissingToken,
    /// A token was sent that is not known.
    InvalidToken,
    /// No integration key was sent, and webhooks without one are switched off.
    MissingKey,
    /// An integration key was sent that is not known, or not for this sender.
    InvalidKey,
    /// The signature is missing, wrong, or too old.
    InvalidSignature,
    /// The token lacks the scope that the route needs.
    InsufficientScope,
    /// The provider knows who it is, and they may not come in.
    SignInRefused,
    /// Another site's page may have sent it in the name of somebody who is signed in.
    ForeignRequest,
    /// Nothing has this address.
    NotFound,
    /// No sender of this name exists.
    UnknownSource,
    /// The address exists, the method does not.
    MethodNotAllowed,
    /// What is asked for is not possible as things stand.
    InvalidTransition,
    /// The client took too long to send its request.
    RequestTimeout,
    /// The body is over its bound.
    PayloadTooLarge,
    /// The body's media type is not the documented one.
    UnsupportedMediaType,
    /// The body's coding is not one that can be undone.
    UnsupportedEncoding,
    /// Too many requests from one client or integration.
    RateLimited,
    /// Something failed that should not.
    Internal,
    /// As `RateLimited`, for senders that never repeat a 429.
    RateLimitedRetryLater,
    /// Accepted deliveries wait faster than they are applied.
    Overloaded,
    /// No store could make the request durable.
    NotDurable,
    /// The certificate that signs a message could not be fetched in time.
    CertificateUnavailable,
    /// The subscription that a message asks to confirm could not be confirmed.
    SubscriptionUnconfirmed,
    /// The database did not answer in time.
    DatabaseUnavailable,
    /// The provider at which people sign in did not answer in time.
    ProviderUnavailable,
    /// What is asked for could not be sent to who does it.
    RedisUnavailable,
    /// As many event streams are open as one process serves.
    TooManyStreams,
}

/// What is said of a code.
struct Row {
    code: &'static str,
    status: u16,
    title: &'static str,
}

impl ErrorCode {
    /// Every code, for documentation and for the tests that walk the table.
    pub const ALL: &'static [Self] = &[
        Self::BadRequest,
        Self::EmptyBody,
        Self::InvalidJson,
        Self::InvalidPayload,
        Self::InvalidParameter,
        Self::SignInFailed,
        Self::MissingToken,
        Self::InvalidToken,
        Self::MissingKey,
        Self::InvalidKey,
        Self::InvalidSignature,
        Self::InsufficientScope,
        Self::SignInRefused,
        Self::ForeignRequest,
        Self::NotFound,
        Self::UnknownSource,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::InvalidTransition,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::UnsupportedEncoding,
        Self::RateLimited,
        Self::Internal,
        Self::RateLimitedRetryLater,
        Self::Overloaded,
        Self::NotDurable,
        Self::CertificateUnavailable,
        Self::SubscriptionUnconfirmed,
        Self::DatabaseUnavailable,
        Self::RedisUnavailable,
        Self::ProviderUnavailable,
        Self::TooManyStreams,
    ];

    const fn row(self) -> Row {
        let (code, status, title) = match self {
            Self::BadRequest => ("bad_request", 400, "The request was not understood"),
            Self::EmptyBody => ("empty_body", 400, "The body is empty"),
            Self::InvalidJson => ("invalid_json", 400, "The body is not valid JSON"),
            Self::InvalidPayload => ("invalid_payload", 400, "The body does not have the documented shape"),
            Self::InvalidParameter => ("invalid_parameter", 400, "A query parameter is invalid"),
            Self::SignInFailed => ("sign_in_failed", 400, "Signing in did not work; begin again"),
            Self::MissingToken => ("missing_token", 401, "A bearer token is needed"),
            Self::InvalidToken => ("invalid_token", 401, "The bearer token is not valid"),
            Self::MissingKey => ("missing_key", 401, "An integration key is needed"),
            Self::InvalidKey => ("invalid_key", 401, "The integration key is not valid here"),
            Self::InvalidSignature => ("invalid_signature", 401, "The signature is missing, wrong, or too old"),
            Self::InsufficientScope => ("insufficient_scope", 403, "The token lacks the scope this needs"),
            Self::SignInRefused => ("sign_in_refused", 403, "Whoever signed in may not come in"),
            Self::ForeignRequest => ("foreign_request", 403, "The request may come from another site"),
            Self::NotFound => ("not_found", 404, "Nothing is at this address"),
            Self::UnknownSource => ("unknown_source", 404, "No sender of this name exists"),
            Self::MethodNotAllowed => ("method_not_allowed", 405, "This address does not take this method"),
            Self::RequestTimeout => ("request_timeout", 408, "The request took too long to arrive"),
            Self::InvalidTransition => ("invalid_transition", 409, "That is not possible as things stand"),
            Self::PayloadTooLarge => ("payload_too_large", 413, "The body is too large"),
            Self::UnsupportedMediaType => ("unsupported_media_type", 415, "The body's media type is not supported"),
            Self::UnsupportedEncoding => ("unsupported_encoding", 415, "The body's coding is not supported"),
            Self::RateLimited => ("rate_limited", 429, "Too many requests; try again later"),
            Self::RateLimitedRetryLater => ("rate_limited_retry_later", 503, "Too many requests; send it again later"),
            Self::Overloaded => ("overloaded", 503, "Too much waits to be applied; send it again later"),
            Self::Internal => ("internal", 500, "Something failed on our side"),
            Self::NotDurable => ("not_durable", 503, "No store could make this durable; send it again"),
            Self::CertificateUnavailable => {
                ("certificate_unavailable", 503, "The signing certificate could not be fetched; send it again")
            }
            Self::SubscriptionUnconfirmed => {
                ("subscription_unconfirmed", 503, "The subscription could not be confirmed; send it again")
            }
            Self::DatabaseUnavailable => ("database_unavailable", 503, "The database did not answer; try again"),
            Self::ProviderUnavailable => {
                ("provider_unavailable", 503, "The sign-in provider did not answer; try again")
            }
            Self::RedisUnavailable => ("redis_unavailable", 503, "Redis did not answer; try again"),
            Self::TooManyStreams => ("too_many_streams", 503, "Too many event streams are open; try again"),
        };
        Row { code, status, title }
    }

    /// The stable word that clients may match on.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().code
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().status
    }

    /// One sentence, the same for every occurrence.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row().title
    }

    /// The RFC 9457 `type`.
    #[must_use]
    pub fn type_uri(self) -> String {
        format!("urn:tocsin:problem:{}", self.as_str())
    }

    /// The code that stands for a bare HTTP status, for answers that the HTTP library makes by itself.
    #[must_use]
    pub const fn for_status(status: u16) -> Self {
        match status {
            401 => Self::MissingToken,
            403 => Self::InsufficientScope,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            408 => Self::RequestTimeout,
            413 => Self::PayloadTooLarge,
            415 => Self::UnsupportedMediaType,
            400..=499 => Self::BadRequest,
            _ => Self::Internal,
        }
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = Cow::<str>::deserialize(deserializer)?;
        let known = Self::ALL.iter().find(|code| code.as_str() == word);
        known.copied().ok_or_else(|| D::Error::custom(format_args!("`{word}` is no error code")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_published_table_does_not_change_by_accident() {
        let table: Vec<_> = ErrorCode::ALL.iter().map(|code| format!("{} {}", code.status(), code.as_str())).collect();
        insta::assert_debug_snapshot!(table);
    }

    #[test]
    fn a_code_travels_as_its_word() {
        for code in ErrorCode::ALL {
            let text = serde_json::to_string(code).unwrap();
            assert_eq!(text, format!("\"{}\"", code.as_str()));
            assert_eq!(&serde_json::from_str::<ErrorCode>(&text).unwrap(), code);
        }
        assert!(serde_json::from_str::<ErrorCode>("\"no_such_code\"").is_err());
    }

    #[test]
    fn no_two_codes_share_a_name() {
        let names: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), ErrorCode::ALL.len());
    }
}
