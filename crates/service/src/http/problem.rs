//! Refusals, as RFC 9457 documents.

use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, ResponseError};
use serde::Serialize;
use tocsin_shared::ErrorCode;

use super::RequestId;

/// Media type of a problem document.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request is refused. Handlers return it; the server adds the request's id and writes the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    code: ErrorCode,
    detail: Option<String>,
    retry_after_secs: Option<u32>,
}

impl Problem {
    /// A refusal for this reason.
    #[must_use]
    pub const fn new(code: ErrorCode) -> Self {
        Self { code, detail: None, retry_after_secs: None }
    }

    /// Adds what is wrong with this very request. It is sent to the client: never put internals in it.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says when to try again, in seconds.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_secs = Some(seconds);
        self
    }

    /// The reason.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The answer to `request`. For handlers that add headers of their own; the others just return the problem.
    #[must_use]
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        self.to_response(request.extensions().get::<RequestId>())
    }

    /// What is wrong with this very request, as it is told to the client.
    #[must_use]
    pub fn message(&self) -> &str {
        self.detail.as_deref().unwrap_or(self.code.title())
    }

    /// The document that a request of this id is answered with, for descriptions of the API.
    #[must_use]
    pub fn document<'a>(&'a self, request_id: Option<&'a str>) -> impl Serialize {
        let (code, title) = (self.code.as_str(), self.code.title());
        Document {
            r#type: self.code.type_uri(),
            title,
            status: self.code.status(),
            detail: self.detail.as_deref(),
            code,
            request_id,
            error: LegacyError { code, message: self.message(), details: self.detail.as_deref(), request_id },
        }
    }

    pub(crate) fn to_response(&self, request_id: Option<&RequestId>) -> HttpResponse {
        let document = self.document(request_id.map(RequestId::as_str));
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        if let Some(seconds) = self.retry_after_secs {
            response.insert_header((RETRY_AFTER, seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header(("WWW-Authenticate", "Bearer"));
        }
        // `json` keeps a content type that is set already.
        response.insert_header((CONTENT_TYPE, MEDIA_TYPE)).json(document)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message())
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        self.to_response(None)
    }
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    error: LegacyError<'a>,
}

/// The form that clients of the tool before Tocsin read.
#[derive(Serialize)]
struct LegacyError<'a> {
    code: &'a str,
    message: &'a str,
    details: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}
