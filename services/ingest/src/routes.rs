//! The HTTP surface of ingest: a webhook's way from its first byte to its answer.
//!
//! Who sends it → is that one within the limit → body → is it authentic → what does it say → make it durable → answer. What is
//! cheap to refuse is refused first; only a sender that puts its key into the body has its body read before.

use std::sync::Arc;

use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use tocsin_service::config::Reloading;
use tocsin_service::config::document::OverLimit;
use tocsin_service::http::{Problem, Route, TrustedProxies};
use tocsin_service::telemetry::trace;
use tocsin_shared::{ErrorCode, EventId, TraceContext};
use tracing::Instrument as _;

use crate::accept::{AcceptError, Acceptor, Delivery};
use crate::body::Body;
use crate::limits::{Key, Limiter, Standing, Verdict};
use crate::metrics;
use crate::sources::{self, Accepted, KeyPlace, Parsed, Request, Signed, Source, SourceError};
use crate::trust::{self, Integration, Integrations, Sns};

/// Headers that name a delivery, in order of preference.
const DELIVERY_ID_HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("webhook-id"), HeaderName::from_static("idempotency-key")];
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const X_RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RATELIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
/// Longest delivery id, in bytes.
const MAX_DELIVERY_ID_BYTES: usize = 256;
/// When to send again what could not be accepted, in seconds.
const RETRY_AFTER_SECS: u32 = 1;

/// What a request is judged and accepted with. One per thread; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Ingest {
    pub(crate) acceptor: Acceptor,
    pub(crate) limiter: Limiter,
    pub(crate) integrations: Reloading<Integrations>,
    pub(crate) proxies: Arc<TrustedProxies>,
    pub(crate) sns: Arc<Sns>,
}

/// Adds the routes of each source.
pub(crate) fn add(app: &mut web::ServiceConfig) {
    // Before the sources: `schema` could be a key.
    app.service(web::resource("/api/v1/webhooks/generic/schema").get(generic_schema));
    for source in sources::ALL {
        let handler = move |request, payload, ingest| webhook(source, request, payload, ingest);
        app.service(web::resource(source.path).post(handler));
        if matches!(source.key, KeyPlace::Path) {
            app.service(web::resource(format!("{}/{{key}}", source.path)).post(handler));
        }
    }
    app.service(web::resource("/api/v1/webhooks/{source}").to(unknown_source));
}

async fn generic_schema() -> HttpResponse {
    HttpResponse::Ok().content_type("application/schema+json").body(sources::generic::SCHEMA)
}

async fn unknown_source() -> Result<HttpResponse, Problem> {
    let paths: Vec<_> = sources::ALL.iter().map(|source| source.path).collect();
    Err(Problem::new(ErrorCode::UnknownSource).detail(format!("webhooks are taken at {}", paths.join(", "))))
}

async fn webhook(
    source: &'static Source,
    request: HttpRequest,
    payload: web::Payload,
    ingest: web::Data<Ingest>,
) -> HttpResponse {
    request.extensions_mut().insert(Route(source.path));
    // Of a level that costs nothing unless somebody looks: a tracer takes it, a log of that level does, and no other.
    let span = tracing::debug_span!("webhook", source = source.name, event.id = tracing::field::Empty);
    // Before the span begins: then it is part of a trace, of whichever.
    let parent = traceparent(request.headers());
    if let Some(parent) = parent {
        trace::continue_from(&span, parent);
    }
    let mut standing = None;
    let result = ingest.take(source, &request, payload, parent, &mut standing).instrument(span).await;
    let mut response = match result {
        Ok(accepted) => {
            metrics::accepted(source.name, accepted.received);
            (source.answer)(&accepted)
        }
        Err(problem) => {
            metrics::refused(source.name, problem.code().as_str());
            let mut response = source.refuse.map_or_else(|| problem.answer(&request), |refuse| refuse(&problem));
            if matches!(problem.code(), ErrorCode::RequestTimeout | ErrorCode::PayloadTooLarge) {
                // There is more of the body to come, for which nobody waits any longer.
                response.head_mut().set_connection_type(ConnectionType::Close);
            }
            response
        }
    };
    if let Some(standing) = standing {
        tell(standing, response.headers_mut());
    }
    response
}

impl Ingest {
    async fn take(
        &self,
        source: &'static Source,
        request: &HttpRequest,
        payload: web::Payload,
        parent: Option<TraceContext>,
        standing: &mut Option<Standing>,
    ) -> Result<Accepted, Problem> {
        let headers = request.headers();
        let (integration, body) = if let KeyPlace::Body(key_in) = source.key {
            let body = Body::read(source, headers, payload).await?;
            let key = key_in(body.bytes()).or_else(|| trust::key_of(None, headers));
            (self.admit(source, request, key, standing).await?, body)
        } else {
            let key = trust::key_of(request.match_info().get("key"), headers);
            let integration = self.admit(source, request, key, standing).await?;
            (integration, Body::read(source, headers, payload).await?)
        };
        let received_at = Utc::now();
        self.authenticate(source, &integration, headers, body.bytes(), received_at).await?;
        let parsed = (source.parse)(&Request { headers, body: body.bytes(), received_at })?;
        drop(body);
        self.accept(source, &integration, headers, parsed, received_at, parent).await
    }

    /// Whose request it is, if that one may send now.
    async fn admit(
        &self,
        source: &Source,
        request: &HttpRequest,
        key: Option<String>,
        standing: &mut Option<Standing>,
    ) -> Result<Arc<Integration>, Problem> {
        let integrations = self.integrations.current();
        let named = key.as_deref().and_then(|key| integrations.by_key(key)).filter(|known| known.accepts(source));
        // Where a sender cannot do without a key, one says nothing unless there is an integration that it could be of.
        let must_be_known = !matches!(source.key, KeyPlace::Body(_)) || integrations.are_for(source);
        let known = match (named, &key) {
            (Some(integration), _) => Ok(Arc::clone(integration)),
            (None, Some(_)) if must_be_known => Err(ErrorCode::InvalidKey),
            _ => integrations.keyless().cloned().ok_or(ErrorCode::MissingKey),
        };
        // Who cannot name an integration is limited by address, so that keys cannot be guessed at full speed.
        let limit_key = match named {
            Some(integration) => Key::Integration(integration.name.clone()),
            None => Key::of_address(self.client_address(request)),
        };
        let limit = known.as_ref().map_or_else(|_| integrations.address_limit(), |integration| integration.limit);
        match self.limiter.check(&limit_key, limit.per_minute).await {
            Verdict::Allowed(now) => *standing = Some(now),
            Verdict::Denied(now, retry_in) => {
                *standing = Some(now);
                let code = match limit.over_limit {
                    OverLimit::Reject => ErrorCode::RateLimited,
                    OverLimit::RetryLater => ErrorCode::RateLimitedRetryLater,
                };
                return Err(Problem::new(code).retry_after(whole_seconds(retry_in).max(1)));
            }
        }
        known.map_err(Problem::new)
    }

    fn client_address(&self, request: &HttpRequest) -> std::net::IpAddr {
        let peer = request.peer_addr().map_or(std::net::Ipv4Addr::UNSPECIFIED.into(), |address| address.ip());
        self.proxies.client_address(peer, request.headers())
    }

    async fn authenticate(
        &self,
        source: &Source,
        integration: &Integration,
        headers: &HeaderMap,
        body: &[u8],
        received_at: DateTime<Utc>,
    ) -> Result<(), Problem> {
        integration.verify(headers, body, received_at)?;
        match source.signed {
            Signed::AsConfigured => Ok(()),
            Signed::BySns => self.sns.verify(body, integration.topics()).await,
        }
    }

    async fn accept(
        &self,
        source: &'static Source,
        integration: &Integration,
        headers: &HeaderMap,
        parsed: Parsed,
        received_at: DateTime<Utc>,
        parent: Option<TraceContext>,
    ) -> Result<Accepted, Problem> {
        let Parsed { alerts, acknowledged, delivery_id, dedup_key, confirm } = parsed;
        if let Some(url) = confirm {
            self.sns.confirm(&url).await?;
        }
        let received = alerts.len();
        if received == 0 && acknowledged.is_empty() {
            // A subscription, or news that is of no alert: there is nothing to lose.
            return Ok(Accepted {
                source: source.name,
                received,
                event_id: EventId::received_at(received_at),
                dedup_key,
            });
        }
        let delivery_id = match delivery_id {
            Some(id) => Some(id),
            None => header_delivery_id(headers)?,
        };
        // The sender's trace goes on; where it has none, one begins here.
        let trace = trace::context_of(&tracing::Span::current(), parent.unwrap_or_else(TraceContext::random));
        let integration = integration.name.clone();
        let delivery =
            Delivery { source: source.name, integration, delivery_id, received_at, trace, alerts, acknowledged };
        let event_id = self.acceptor.accept(delivery).await?;
        tracing::Span::current().record("event.id", tracing::field::display(event_id));
        Ok(Accepted { source: source.name, received, event_id, dedup_key })
    }
}

/// The headers of a limited route.
fn tell(standing: Standing, headers: &mut HeaderMap) {
    headers.insert(X_RATELIMIT_LIMIT, standing.limit.into());
    headers.insert(X_RATELIMIT_REMAINING, standing.remaining.into());
    headers.insert(X_RATELIMIT_RESET, whole_seconds(standing.whole_in).into());
}

fn whole_seconds(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
}

/// The trace that the sender names, if it names one.
fn traceparent(headers: &HeaderMap) -> Option<TraceContext> {
    headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok())
}

fn header_delivery_id(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    for name in DELIVERY_ID_HEADERS {
        if let Some(value) = headers.get(&name) {
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

impl From<AcceptError> for Problem {
    fn from(error: AcceptError) -> Self {
        let code = match error {
            AcceptError::Overloaded => ErrorCode::Overloaded,
            AcceptError::NotDurable => ErrorCode::NotDurable,
        };
        Self::new(code).retry_after(RETRY_AFTER_SECS)
    }
}
