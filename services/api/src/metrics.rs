//! What the api measures.

use tocsin_service::http::HttpMetrics;

pub(crate) const HTTP: HttpMetrics =
    HttpMetrics { requests: "tocsin_api_http_requests_total", duration: "tocsin_api_http_request_duration_seconds" };
