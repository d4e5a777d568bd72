//! What every answer of the API gets: validators, what caches may do with it, and where its caller stands.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, ContentType, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse};
use sha2::{Digest as _, Sha256};
use tocsin_service::http::Problem;

use crate::auth::Standing;

/// Kept by the browser and asked for again each time: what is shown is never older than the question.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("private, no-cache");
/// For refusals: they say how things stood once.
const FORGET: HeaderValue = HeaderValue::from_static("no-store");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
/// Bytes of a body's hash that make its validator.
const VALIDATOR_BYTES: usize = 16;
/// By which answers to reads of one thing are told apart where somebody compares them: it stays when the body does.
const KEPT: [HeaderName; 2] = [CACHE_CONTROL, ETAG];

pub(crate) async fn finish(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let known = request.headers().get(IF_NONE_MATCH).cloned();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = next.call(request).await?.map_into_boxed_body();
    // Here, because the server would write it without our headers.
    if let Some(problem) = response.response().error().and_then(|error| error.as_error::<Problem>()).cloned() {
        let answer = problem.answer(response.request());
        response = response.into_response(answer);
    }
    if is_read && response.status() == StatusCode::OK && is_json(response.headers()) {
        response = validated(response, known.as_ref());
    }
    let standing = response.request().extensions().get::<Standing>().copied();
    let is_ok = response.status().is_success();
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, if is_ok { ASK_AGAIN } else { FORGET });
    }
    if let Some(standing) = standing {
        standing.tell(headers);
    }
    Ok(response)
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(actix_web::http::header::CONTENT_TYPE).is_some_and(|value| *value == ContentType::json().0.as_ref())
}

/// Adds a validator, and leaves the body out where the client has it already.
///
/// The validator is a hash of the body and no incident's version: an alert that goes on, or a note, changes what is shown of an
/// incident and not its version. It is weak, because what is sent may be compressed.
fn validated(response: ServiceResponse<BoxBody>, known: Option<&HeaderValue>) -> ServiceResponse<BoxBody> {
    let (request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    let bytes = match body.try_into_bytes() {
        Ok(bytes) => bytes,
        Err(body) => return ServiceResponse::new(request, head.set_body(body)),
    };
    let etag = format!("W/\"{}\"", hex::encode(&Sha256::digest(&bytes)[..VALIDATOR_BYTES]));
    let matches = known.is_some_and(|known| is_among(known, &etag));
    let mut response = if matches {
        let mut unchanged = HttpResponse::NotModified().finish();
        for name in KEPT {
            if let Some(value) = head.headers().get(&name) {
                unchanged.headers_mut().insert(name, value.clone());
            }
        }
        unchanged
    } else {
        head.set_body(BoxBody::new(bytes))
    };
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::try_from(etag) {
        headers.insert(ETAG, etag);
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, ASK_AGAIN);
    }
    ServiceResponse::new(request, response)
}

/// Whether a list of validators (RFC 9110, section 13.1.2) holds ours, by the weak comparison.
fn is_among(known: &HeaderValue, etag: &str) -> bool {
    let opaque = |etag: &str| etag.trim().trim_start_matches("W/").to_owned();
    let known = known.to_str().unwrap_or_default();
    known.trim() == "*" || known.split(',').any(|one| opaque(one) == opaque(etag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validator_is_found_in_a_list_weak_or_not() {
        let is_among = |known: &'static str| is_among(&HeaderValue::from_static(known), "W/\"a\"");
        assert!(["W/\"a\"", "\"a\"", "\"b\", W/\"a\"", "*"].into_iter().all(is_among));
        assert!(!["W/\"b\"", "", "a", "\"ab\""].into_iter().any(is_among));
    }
}
