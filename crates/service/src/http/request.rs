//! What surrounds every request: its id, its measurement, and the form of its refusal.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_http::ConnectionType;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ALLOW, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};
use metrics::{Counter, Histogram, counter, histogram};
use tocsin_shared::ErrorCode;
use uuid::Uuid;

use super::{HttpMetrics, Problem};
use crate::shutdown::Shutdown;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest request id that is taken over from a client.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// The route of a request, where its handler knows it: finding it again takes a match against every pattern.
#[derive(Debug, Clone, Copy)]
pub struct Route(pub &'static str);

/// Names one request in its answer and in the logs.
#[derive(Debug, Clone)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The client's or proxy's own id if it sent a reasonable one, else a new one.
    fn of(request: &ServiceRequest) -> Self {
        let reasonable = |value: &&HeaderValue| {
            let bytes = value.as_bytes();
            !bytes.is_empty()
                && bytes.len() <= MAX_REQUEST_ID_BYTES
                && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(b))
        };
        let given = request.headers().get(&X_REQUEST_ID).filter(reasonable).cloned();
        Self(given.unwrap_or_else(|| {
            let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
            let text = Uuid::now_v7().hyphenated().encode_lower(&mut text);
            HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
        }))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// What one thread measures of its requests. Looking a counter up by its labels costs more than counting does, so each is
/// looked up once.
#[derive(Debug)]
pub(super) struct Meters {
    metrics: HttpMetrics,
    known: RefCell<HashMap<Labels, Meter>>,
}

/// Route, method and status. The route is the pattern, never the path: a label's values must be few.
type Labels = (Cow<'static, str>, &'static str, u16);

#[derive(Debug)]
struct Meter {
    requests: Counter,
    duration: Histogram,
}

impl Meters {
    pub(super) fn new(metrics: HttpMetrics) -> Self {
        Self { metrics, known: RefCell::default() }
    }

    fn count(&self, labels: Labels, took: Duration) {
        let mut known = self.known.borrow_mut();
        let meter = known.entry(labels).or_insert_with_key(|labels| self.look_up(labels));
        meter.requests.increment(1);
        meter.duration.record(took);
    }

    fn look_up(&self, (route, method, status): &Labels) -> Meter {
        let (requests, duration) = (self.metrics.requests, self.metrics.duration);
        let status = status.to_string();
        Meter {
            requests: counter!(requests, "route" => route.clone(), "method" => *method, "status" => status),
            duration: histogram!(duration, "route" => route.clone(), "method" => *method),
        }
    }
}

pub(super) async fn around(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    meters: Rc<Meters>,
    shutdown: Rc<Shutdown>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = RequestId::of(&request);
    request.extensions_mut().insert(id.clone());
    let method = known_method(request.method().as_str());

    let mut response = next.call(request).await?.map_into_boxed_body();
    if let Some(problem) = refusal(&response) {
        let allow = response.headers().get(ALLOW).cloned();
        let mut document = problem.to_response(Some(&id));
        if let Some(allow) = allow {
            document.headers_mut().insert(ALLOW, allow);
        }
        response = response.into_response(document);
    }
    response.headers_mut().insert(X_REQUEST_ID, id.0);
    if shutdown.is_draining() {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }

    let known = response.request().extensions().get::<Route>().map(|route| Cow::Borrowed(route.0));
    let route =
        known.or_else(|| response.request().match_pattern().map(Cow::Owned)).unwrap_or(Cow::Borrowed("unmatched"));
    meters.count((route, method, response.status().as_u16()), started.elapsed());
    Ok(response)
}

/// The problem that a response stands for, if it is a refusal that does not speak for itself: a handler's [`Problem`],
/// an error of the HTTP library, or a bare status.
fn refusal(response: &ServiceResponse) -> Option<Problem> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    let error = response.response().error();
    if let Some(problem) = error.and_then(|error| error.as_error::<Problem>()) {
        return Some(problem.clone());
    }
    let problem = Problem::new(ErrorCode::for_status(status.as_u16()));
    match error {
        Some(error) if status.is_client_error() => Some(problem.detail(error.to_string())),
        Some(error) => {
            tracing::error!(%error, "request failed");
            Some(problem)
        }
        None => matches!(response.response().body().size(), BodySize::None | BodySize::Sized(0)).then_some(problem),
    }
}

fn known_method(method: &str) -> &'static str {
    ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}
