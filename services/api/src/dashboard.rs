//! The dashboard: a web app over this same API, embedded in the binary. Its pages are one document, and its routes are the
//! browser's business: whatever is no address of the API is answered with that document.

use std::borrow::Cow;

use actix_web::http::Method;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, HeaderName, IF_NONE_MATCH, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, HttpResponseBuilder, web};
use rust_embed::{EmbeddedFile, RustEmbed};
use tocsin_service::http::{Problem, Route};
use tocsin_shared::ErrorCode;

/// What npm has built, if it has.
#[derive(RustEmbed)]
#[folder = "dashboard/dist"]
#[allow_missing = true]
struct Built;

/// The one document.
const PAGE: &str = "index.html";
/// Files whose names carry a hash of what they hold.
const HASHED: &str = "assets/";
/// The addresses of machines: below them nothing is a page.
const NO_PAGES: [&str; 6] = ["api/", "auth/", "integrations/", "v2/", "health", "assets/"];

/// Nothing but our own files, nothing inline, nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

const MISSING: &str = "This tocsin-api was built without its dashboard.

Build it, and then the binary again:
  cd services/api/dashboard && npm ci && npm run build
  cargo build --release --bin tocsin-api
(./dev up does both.)

The API itself is here: /api/v1/incidents
";

/// Answers what no route of the API answers.
pub(crate) async fn serve(request: HttpRequest) -> Result<HttpResponse, Problem> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Problem::new(ErrorCode::NotFound));
    }
    let path = request.path().trim_start_matches('/');
    if let Some(file) = Built::get(path) {
        request.extensions_mut().insert(Route("dashboard"));
        return Ok(answer(&request, path, file));
    }
    if !is_page(path) {
        return Err(Problem::new(ErrorCode::NotFound));
    }
    request.extensions_mut().insert(Route("dashboard"));
    Ok(match Built::get(PAGE) {
        Some(file) => answer(&request, PAGE, file),
        None => guarded(&mut HttpResponse::Ok()).content_type("text/plain; charset=utf-8").body(MISSING),
    })
}

/// Whether an address may be one of the browser's routes: none of them looks like a file.
fn is_page(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    path != "api" && !last.contains('.') && !NO_PAGES.iter().any(|prefix| path.starts_with(prefix))
}

fn answer(request: &HttpRequest, path: &str, file: EmbeddedFile) -> HttpResponse {
    let etag = format!("W/\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16]));
    let keep = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = request.headers().get(IF_NONE_MATCH).is_some_and(|given| given.as_bytes() == etag.as_bytes());
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    guarded(&mut response).insert_header((CACHE_CONTROL, keep)).insert_header((ETAG, etag));
    if known {
        return response.finish();
    }
    response.content_type(media_type(path)).body(match file.data {
        Cow::Borrowed(bytes) => web::Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    })
}

/// What keeps a page to itself.
pub(crate) fn guarded(response: &mut HttpResponseBuilder) -> &mut HttpResponseBuilder {
    response
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((X_FRAME_OPTIONS, "DENY"))
        .insert_header((CROSS_ORIGIN_OPENER_POLICY, "same-origin"))
        .insert_header((CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"))
        .insert_header((PERMISSIONS_POLICY, "camera=(), geolocation=(), microphone=(), payment=(), usb=()"))
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_browser_routes_is_a_page_and_what_machines_ask_for_is_not() {
        for path in ["", "incidents/7", "alerts/01990a3e-0000-7000-8000-000000000000", "sign-in", "system"] {
            assert!(is_page(path), "{path}");
        }
        for path in ["api", "api/v1/nothing", "favicon.ico", "assets/app-0.js", "health/x", "openapi.json", ".git/x.y"]
        {
            assert!(!is_page(path), "{path}");
        }
    }
}
