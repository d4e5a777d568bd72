//! The HTTP surface of ingest.

use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use tocsin_service::http::Problem;
use tocsin_service::telemetry::trace;
use tocsin_shared::{ErrorCode, TraceContext};
use tracing::Instrument as _;

use crate::accept::{Acceptor, Delivery};
use crate::metrics;
use crate::sources::{self, Accepted, Parsed, Request, Source, SourceError};

/// Headers that name a delivery, in order of preference.
const DELIVERY_ID_HEADERS: [&str; 2] = ["webhook-id", "idempotency-key"];
/// Longest delivery id, in bytes.
const MAX_DELIVERY_ID_BYTES: usize = 256;
/// When to send again what could not be made durable, in seconds.
const RETRY_AFTER_SECS: u32 = 1;

/// Adds a route for each source.
pub(crate) fn add(app: &mut web::ServiceConfig) {
    for source in sources::ALL {
        let handler = move |request, body, acceptor| webhook(source, request, body, acceptor);
        app.service(web::resource(source.path).post(handler));
    }
    app.service(web::resource("/api/v1/webhooks/{source}").to(unknown_source));
}

async fn unknown_source() -> Result<HttpResponse, Problem> {
    let paths: Vec<_> = sources::ALL.iter().map(|source| source.path).collect();
    Err(Problem::new(ErrorCode::UnknownSource).detail(format!("webhooks are taken at {}", paths.join(", "))))
}

async fn webhook(
    source: &'static Source,
    request: HttpRequest,
    body: web::Bytes,
    acceptor: web::Data<Acceptor>,
) -> Result<HttpResponse, Problem> {
    let span = tracing::info_span!("webhook", source = source.name, event.id = tracing::field::Empty);
    // Before the span begins: then it is part of a trace, of whichever.
    let parent = traceparent(request.headers());
    if let Some(parent) = parent {
        trace::continue_from(&span, parent);
    }
    let result = take(&request, source, &body, parent, &acceptor).instrument(span).await;
    match &result {
        Ok(accepted) => metrics::accepted(source.name, accepted.received),
        Err(problem) => metrics::refused(source.name, problem.code().as_str()),
    }
    result.map(|accepted| (source.answer)(&accepted))
}

async fn take(
    request: &HttpRequest,
    source: &'static Source,
    body: &[u8],
    parent: Option<TraceContext>,
    acceptor: &Acceptor,
) -> Result<Accepted, Problem> {
    let headers = request.headers();
    let received_at = Utc::now();
    if body.is_empty() {
        return Err(Problem::new(ErrorCode::EmptyBody));
    }
    require_json(headers)?;
    let delivery_id = delivery_id(headers)?;
    let Parsed { alerts, acknowledged, dedup_key, .. } = (source.parse)(&Request { headers, body, received_at })?;
    let received = alerts.len();
    // The sender's trace goes on; where it has none, one begins here.
    let trace = trace::context_of(&tracing::Span::current(), parent.unwrap_or_else(TraceContext::random));
    let delivery = Delivery { source: source.name, delivery_id, received_at, trace, alerts, acknowledged };
    let event_id = acceptor.accept(delivery).await.map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "could not make a delivery durable");
        Problem::new(ErrorCode::NotDurable).retry_after(RETRY_AFTER_SECS)
    })?;
    tracing::Span::current().record("event.id", tracing::field::display(event_id));
    Ok(Accepted { source: source.name, received, event_id, dedup_key })
}

/// The trace that the sender names, if it names one.
fn traceparent(headers: &HeaderMap) -> Option<TraceContext> {
    headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok())
}

/// Refuses what says that it is something other than JSON. A sender that says nothing is believed to mean it.
fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::UnsupportedMediaType).detail("send Content-Type: application/json"))
}

fn delivery_id(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    for name in DELIVERY_ID_HEADERS {
        if let Some(value) = headers.get(name) {
            return match value.to_str() {
                Ok(id) if !id.is_empty() && id.len() <= MAX_DELIVERY_ID_BYTES => Ok(Some(id.to_owned())),
                _ => Err(Problem::new(ErrorCode::BadRequest)
                    .detail(format!("header {name}: use 1 to {MAX_DELIVERY_ID_BYTES} visible ASCII characters"))),
            };
        }
    }
    Ok(None)
}

impl From<SourceError> for Problem {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::InvalidJson(error) => Self::new(ErrorCode::InvalidJson).detail(error.to_string()),
            SourceError::InvalidPayload { field, message } => {
                Self::new(ErrorCode::InvalidPayload).detail(format!("{field}: {message}"))
            }
        }
    }
}
