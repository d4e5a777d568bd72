//! A server in this process, with routes to try things on.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use tocsin_service::config::{LogFormat, ServiceConfig};
use tocsin_service::health::Readiness;
use tocsin_service::http::{HttpMetrics, Problem, ServeError, serve};
use tocsin_service::shutdown::Shutdown;
use tocsin_shared::ErrorCode;
use tocsin_testbed::{Port, http, poll};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// What awaiting something may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// The metrics of servers whose metrics nobody looks at.
pub(crate) const METRICS: HttpMetrics =
    HttpMetrics { requests: "tocsin_test_http_requests_total", duration: "tocsin_test_http_request_duration_seconds" };

/// A server that serves until its test ends.
pub(crate) struct Server {
    pub(crate) client: reqwest::Client,
    pub(crate) shutdown: Shutdown,
    pub(crate) serving: JoinHandle<Result<(), ServeError>>,
    /// `GET /slow` is answered once this has a permit; its forgotten ones count those that wait.
    pub(crate) gate: Arc<Gate>,
    port: Port,
}

/// Holds requests back.
pub(crate) struct Gate {
    pub(crate) arrived: Semaphore,
    pub(crate) open: Semaphore,
}

impl Server {
    /// A server that needs nothing in order to be ready.
    pub(crate) async fn start() -> Self {
        let shutdown = Shutdown::default();
        let readiness = Readiness::builder(&shutdown).build();
        Self::start_with(METRICS, readiness, shutdown).await
    }

    pub(crate) async fn start_with(metrics: HttpMetrics, readiness: Readiness, shutdown: Shutdown) -> Self {
        let port = Port::free().unwrap();
        let gate = Arc::new(Gate { arrived: Semaphore::new(0), open: Semaphore::new(0) });
        let (config, stop, held) = (config(port.number()), shutdown.clone(), web::Data::from(Arc::clone(&gate)));
        let serving = tokio::spawn(async move {
            serve(&config, metrics, readiness, stop, move |app| {
                app.app_data(held.clone());
                routes(app);
            })
            .await
        });
        let server = Self { client: http::client().unwrap(), shutdown, serving, gate, port };
        let health = server.url("/health");
        poll::until("the server to listen", DEADLINE, async || http::is_ok(&health).await).await.unwrap();
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port.number())
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    /// Sends bytes as they are, and returns the status and the body of the answer. The request must ask for the
    /// connection to be closed.
    pub(crate) async fn send_raw(&self, request: Vec<u8>) -> (u16, String) {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port.number())).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        // A server that has seen enough need not take the rest.
        let writing = tokio::spawn(async move { (writer.write_all(&request).await, writer) });
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(DEADLINE, reader.read_to_end(&mut answer)).await.expect("an answer in time");
        writing.abort();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_else(|| panic!("no status: {head:?}")), body.to_owned())
    }
}

pub(crate) fn config(port: u16) -> ServiceConfig {
    ServiceConfig {
        version: "1.2.3",
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        http_workers: 1,
        instance: "test-1".to_owned(),
        log_format: LogFormat::Json,
        log_filter: "info".to_owned(),
        otlp_endpoint: None,
        drain_delay: Duration::ZERO,
        shutdown_timeout: Duration::from_secs(5),
    }
}

fn routes(app: &mut web::ServiceConfig) {
    app.service(web::resource("/things/{id}").get(async || HttpResponse::Ok().body("a thing")))
        .service(web::resource("/numbers/{number}").get(async |_: web::Path<u32>| HttpResponse::Ok()))
        .service(web::resource("/bytes").post(async |body: web::Bytes| HttpResponse::Ok().body(body.len().to_string())))
        .service(web::resource("/json").post(async |_: web::Json<u32>| HttpResponse::Ok()))
        .service(web::resource("/refused").get(refused))
        .service(web::resource("/failed").get(failed))
        .service(web::resource("/bare").get(async || HttpResponse::BadGateway()))
        .service(web::resource("/slow").get(slow));
}

async fn refused() -> Result<HttpResponse, Problem> {
    Err(Problem::new(ErrorCode::NotDurable).detail("the log is full").retry_after(7))
}

/// Fails with what nobody outside should read.
async fn failed() -> Result<HttpResponse, actix_web::Error> {
    Err(actix_web::error::ErrorInternalServerError("password=hunter2"))
}

async fn slow(gate: web::Data<Gate>) -> HttpResponse {
    gate.arrived.add_permits(1);
    let _permit = gate.open.acquire().await;
    HttpResponse::Ok().body("late")
}
