//! Bodies of requests that act: JSON, read strictly. A field that nobody knows would otherwise be silently without effect.

use std::pin::Pin;
use std::time::Duration;

use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::{FromRequest, HttpRequest, dev, web};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use tocsin_service::http::{MAX_BODY_BYTES, Problem};
use tocsin_shared::ErrorCode;

/// Time that a body may take to arrive.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(10);

/// A body that was read. An empty one counts as `{}`.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

/// The body of a request that needs none.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let is_json = require_json(request.headers());
        let payload = web::Payload::from_request(request, payload).into_inner();
        Box::pin(async move {
            is_json?;
            let payload = payload.map_err(|error| Problem::new(ErrorCode::BadRequest).detail(error.to_string()))?;
            read(&whole(payload).await?).map(Self)
        })
    }
}

async fn whole(payload: web::Payload) -> Result<web::Bytes, Problem> {
    match tokio::time::timeout(ARRIVAL_TIMEOUT, payload.to_bytes_limited(MAX_BODY_BYTES)).await {
        Ok(Ok(Ok(bytes))) => Ok(bytes),
        Ok(Ok(Err(error))) => Err(Problem::new(ErrorCode::BadRequest).detail(error.to_string())),
        Ok(Err(_too_long)) => {
            let detail = format!("the body is longer than {MAX_BODY_BYTES} bytes");
            Err(Problem::new(ErrorCode::PayloadTooLarge).detail(detail))
        }
        Err(_elapsed) => {
            let detail = format!("the body did not arrive within {} s", ARRIVAL_TIMEOUT.as_secs());
            Err(Problem::new(ErrorCode::RequestTimeout).detail(detail))
        }
    }
}

/// Refuses what says that it is something other than JSON.
fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::UnsupportedMediaType).detail("send Content-Type: application/json"))
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Where an object is asked for, serde takes a list of its fields' values as well.
    if bytes.trim_ascii_start().starts_with(b"[") && serde_json::from_slice::<IgnoredAny>(bytes).is_ok() {
        return Err(Problem::new(ErrorCode::InvalidPayload).detail("body: expected an object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(if bytes.is_empty() { b"{}" } else { bytes });
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if bytes.is_empty() {
            Problem::new(ErrorCode::EmptyBody).detail(error.to_string())
        } else if error.is_data() {
            let field = if path == "." { "body".to_owned() } else { path };
            Problem::new(ErrorCode::InvalidPayload).detail(format!("{field}: {error}"))
        } else {
            Problem::new(ErrorCode::InvalidJson).detail(error.to_string())
        }
    })?;
    deserializer.end().map_err(|error| Problem::new(ErrorCode::InvalidJson).detail(error.to_string()))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Note {
        text: String,
    }

    fn refusal<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> (ErrorCode, String) {
        let problem = read::<T>(body.as_bytes()).unwrap_err();
        (problem.code(), problem.message().to_owned())
    }

    #[test]
    fn nothing_may_be_said_by_saying_nothing() {
        read::<Nothing>(b"").unwrap();
        read::<Nothing>(b" {} ").unwrap();
        assert_eq!(refusal::<Nothing>(r#"{"note": "x"}"#).0, ErrorCode::InvalidPayload);
        assert_eq!(refusal::<Nothing>(" []").0, ErrorCode::InvalidPayload);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let (code, told) = refusal::<Note>(r#"{"text": 1}"#);
        assert!(code == ErrorCode::InvalidPayload && told.starts_with("text: "), "{told}");
        let (code, told) = refusal::<Note>(r#"{"text": "a", "txet": "b"}"#);
        assert!(code == ErrorCode::InvalidPayload && told.contains("`txet`"), "{told}");
        for (body, code) in [
            ("", ErrorCode::EmptyBody),
            ("{", ErrorCode::InvalidJson),
            (r#"{"text": "a"} x"#, ErrorCode::InvalidJson),
            ("[]", ErrorCode::InvalidPayload),
        ] {
            assert_eq!(refusal::<Note>(body).0, code, "{body}");
        }
    }
}
