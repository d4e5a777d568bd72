//! The HTTP server that every service runs: its own routes, beside `/health`, `/ready` and `/metrics`. And the client
//! of those that send.

mod client;
mod problem;
mod proxies;
mod request;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, guard, middleware, web};

pub use client::client_builder;
use socket2::SockRef;
use tokio::net::TcpSocket;

pub use problem::Problem;
pub use proxies::{TRUSTED_PROXIES, TrustedProxies};
pub use request::{RequestId, Route};

use self::request::Meters;
use crate::config::ServiceConfig;
use crate::health::{self, Readiness};
use crate::shutdown::Shutdown;
use crate::telemetry::MetricsPage;

/// Longest body of any request, in bytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Time a client has to send its request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Time an idle connection is kept. Longer than the proxy keeps its own, so that the proxy is the one that closes.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Most connections that one worker thread holds open.
const MAX_CONNECTIONS_PER_WORKER: usize = 5_000;

/// Most connections that wait to be taken by a thread; the kernel may allow fewer (`net.core.somaxconn`).
const BACKLOG: u32 = 4_096;

/// How long a client may take nothing of what is sent to it. One that holds its connection and never reads is cut off after that;
/// one that reads slowly is not.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(20);

/// The metrics of a service's HTTP server, named by the service.
#[derive(Debug, Clone, Copy)]
pub struct HttpMetrics {
    /// Counter: requests by route, method and status.
    pub requests: &'static str,
    /// Histogram: time from the request's head to the response's, in seconds, by route and method.
    pub duration: &'static str,
}

impl HttpMetrics {
    fn describe(self) {
        metrics::describe_counter!(self.requests, "HTTP requests answered, by route, method and status");
        metrics::describe_histogram!(self.duration, metrics::Unit::Seconds, "Time to answer, by route and method");
    }
}

/// A server that could not start or run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be had.
    #[error("cannot listen on {address} (TOCSIN_LISTEN)")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Metrics could not be set up.
    #[error("cannot record metrics")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// The server failed.
    #[error("the HTTP server failed")]
    Serve(#[from] io::Error),
}

/// Serves until `shutdown` stops it and every request in flight is answered.
///
/// `routes` adds the service's own routes, once per worker thread. Every answer carries `X-Request-Id`, and every
/// refusal, the HTTP library's own included, is a problem+json document.
pub async fn serve(
    config: &ServiceConfig,
    metrics: HttpMetrics,
    readiness: Readiness,
    shutdown: Shutdown,
    routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
) -> Result<(), ServeError> {
    let version = config.version;
    let page = web::Data::new(MetricsPage::install()?);
    metrics.describe();
    let readiness = web::Data::new(readiness);
    let listener = listen(config.listen).map_err(|source| ServeError::Bind { address: config.listen, source })?;
    let draining = shutdown.clone();
    let server = HttpServer::new(move || {
        let draining = Rc::new(draining.clone());
        let meters = Rc::new(Meters::new(metrics));
        App::new()
            .app_data(web::PayloadConfig::new(MAX_BODY_BYTES))
            .app_data(readiness.clone())
            .app_data(page.clone())
            .wrap(middleware::from_fn(move |request, next| {
                request::around(request, next, Rc::clone(&meters), Rc::clone(&draining))
            }))
            .service(web::resource("/health").route(read().to(move || async move { health::health(version) })))
            .service(web::resource("/ready").route(read().to(health::ready)))
            .service(web::resource("/metrics").route(read().to(metrics_page)))
            .configure(routes.clone())
            .default_service(web::to(nothing_here))
    })
    .workers(config.http_workers)
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(HEAD_TIMEOUT)
    .max_connections(MAX_CONNECTIONS_PER_WORKER)
    .shutdown_timeout(config.shutdown_timeout.as_secs().max(1))
    .disable_signals()
    .listen(listener)?
    .run();

    let handle = server.handle();
    tokio::spawn(async move {
        shutdown.stopping().await;
        handle.stop(true).await;
    });
    server.await?;
    Ok(())
}

/// A route for `GET`, and for `HEAD`: the server leaves the body out by itself.
#[must_use]
pub fn read() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// Listens with a queue that a storm of new connections does not overflow; the standard library's has 128 places.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As the standard library does: a restart shall not wait for connections that are long gone.
    socket.set_reuseaddr(true)?;
    // Connections have it from the socket that they were accepted on.
    SockRef::from(&socket).set_tcp_user_timeout(Some(UNREAD_TIMEOUT))?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

async fn metrics_page(page: web::Data<MetricsPage>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(page.render())
}

async fn nothing_here() -> Result<HttpResponse, Problem> {
    Err(Problem::new(tocsin_shared::ErrorCode::NotFound))
}
