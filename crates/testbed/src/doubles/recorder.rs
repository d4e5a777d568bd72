//! An HTTP server that records what it is sent.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, Shutdown, TcpListener};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use std::{io, thread};

use actix_web::dev::{Extensions, Server, ServerHandle};
use actix_web::http::{Method, StatusCode};
use actix_web::rt::System;
use actix_web::rt::net::TcpStream;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

use super::Answer;
use super::answer::End;
use crate::poll::{self, TimedOut, expect};
use crate::{Result, TestbedError};

/// How many requests are kept; the oldest go first.
const KEPT_REQUESTS: usize = 100_000;
/// Longest body that is read, in bytes.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// One request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The method, in capitals.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The headers in the order of arrival, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// When its body was complete.
    pub at: SystemTime,
}

impl Recorded {
    /// Whether it was sent to this path, whatever its query.
    fn is_at(&self, path: &str) -> bool {
        self.path.split('?').next() == Some(path)
    }

    /// The first header of this name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
    }
}

/// An HTTP server on a port of its own that records every request and answers as it was told to. It runs on threads of
/// its own, so that a test that blocks its runtime does not block it. Dropping it closes it.
///
/// Paths that were given a page by [`Recorder::set_page`] answer `GET` with it and are not recorded.
#[derive(Debug)]
pub struct Recorder {
    state: Arc<Mutex<State>>,
    server: ServerHandle,
    address: String,
}

#[derive(Default)]
struct State {
    requests: VecDeque<Recorded>,
    /// Used up, front first, before `default`.
    script: VecDeque<Answer>,
    default: Option<Answer>,
    pages: HashMap<String, Answer>,
    places: HashMap<String, Place>,
}

/// A path that answers in a way of its own: one destination of many.
#[derive(Default)]
struct Place {
    /// Used up, front first, before `behaviour`.
    script: VecDeque<Answer>,
    behaviour: Option<Behaviour>,
}

/// What answers requests.
type Behaviour = Box<dyn FnMut(&Recorded) -> Answer + Send>;

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("requests", &self.requests.len()).finish_non_exhaustive()
    }
}

impl Recorder {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When the operating system gives no port or thread.
    pub fn start() -> Result<Self> {
        Self::serve().map_err(|source| TestbedError::Spawn { name: "the recorder".to_owned(), source })
    }

    fn serve() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?.to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = web::Data::from(Arc::clone(&state));
        let (reply, started) = std::sync::mpsc::channel();
        thread::Builder::new().name("recorder".to_owned()).spawn(move || {
            System::new().block_on(async move {
                let server = match build(listener, shared) {
                    Ok(server) => server,
                    Err(error) => return drop(reply.send(Err(error))),
                };
                let _ = reply.send(Ok(server.handle()));
                if let Err(error) = server.await {
                    tracing::error!("the recorder failed: {error}");
                }
            });
        })?;
        let server = started.recv().map_err(io::Error::other)??;
        Ok(Self { state, server, address })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it stands in for a Slack incoming webhook.
    #[must_use]
    pub fn slack_webhook_url(&self) -> String {
        format!("{}/slack", self.url())
    }

    /// What it answers when the script is used up: [`Answer::ok`] unless set.
    pub fn set_default(&self, answer: Answer) {
        self.state().default = Some(answer);
    }

    /// Appends answers to the script. Each is used once, in order, whatever the path.
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state().script.extend(answers);
    }

    /// Appends answers to the script of one path. They come before everything else.
    pub fn script_at(&self, path: impl Into<String>, answers: impl IntoIterator<Item = Answer>) {
        self.state().places.entry(path.into()).or_default().script.extend(answers);
    }

    /// Lets requests at one path be answered by `behaviour` from now on, where its script is used up.
    pub fn behave_at(&self, path: impl Into<String>, behaviour: impl FnMut(&Recorded) -> Answer + Send + 'static) {
        self.state().places.entry(path.into()).or_default().behaviour = Some(Box::new(behaviour));
    }

    /// Sets what one path answers from now on.
    pub fn set_default_at(&self, path: impl Into<String>, answer: Answer) {
        self.behave_at(path, move |_request| answer.clone());
    }

    /// Sets the text that `GET path` answers with from now on, such as a `/metrics` page.
    pub fn set_page(&self, path: impl Into<String>, text: impl Into<String>) {
        let text_type = "text/plain; version=0.0.4; charset=utf-8";
        self.set_page_answer(path, Answer::status(200).header("Content-Type", text_type).body(text));
    }

    /// Sets the whole answer to `GET path`, such as a `/ready` that says 503.
    pub fn set_page_answer(&self, path: impl Into<String>, answer: Answer) {
        self.state().pages.insert(path.into(), answer);
    }

    /// The recorded requests, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.state().requests.iter().cloned().collect()
    }

    /// The requests at one path, oldest first.
    #[must_use]
    pub fn requests_at(&self, path: &str) -> Vec<Recorded> {
        self.state().requests.iter().filter(|request| request.is_at(path)).cloned().collect()
    }

    /// How many requests are recorded of one path.
    #[must_use]
    pub fn count_at(&self, path: &str) -> usize {
        self.state().requests.iter().filter(|request| request.is_at(path)).count()
    }

    /// How many requests are recorded.
    #[must_use]
    pub fn count(&self) -> usize {
        self.state().requests.len()
    }

    /// Forgets the recorded requests.
    pub fn clear(&self) {
        self.state().requests.clear();
    }

    /// Waits for at least `count` requests, and returns all.
    ///
    /// # Errors
    /// [`TimedOut`], with how many there were.
    pub async fn wait_for(&self, count: usize, deadline: Duration) -> Result<Vec<Recorded>, TimedOut> {
        let what = format!("{count} requests at {}", self.address);
        poll::until(what, deadline, async || expect(self.count(), |seen| *seen >= count)).await?;
        Ok(self.requests())
    }

    /// Waits for a request that the predicate likes, and returns the first. `what` completes "waited 5s for …".
    ///
    /// # Errors
    /// [`TimedOut`], with the number of requests and the text of the last one.
    pub async fn wait_for_request(
        &self,
        what: &str,
        deadline: Duration,
        is_wanted: impl Fn(&Recorded) -> bool,
    ) -> Result<Recorded, TimedOut> {
        poll::until(what, deadline, async || {
            let state = self.state();
            state.requests.iter().find(|request| is_wanted(request)).cloned().ok_or_else(|| {
                let last = state.requests.back().map(Recorded::text).unwrap_or_default();
                format!("{} requests, the last one: {last}", state.requests.len())
            })
        })
        .await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // The order to stop is sent by this call; the future only waits for the end.
        drop(self.server.stop(false));
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn build(listener: TcpListener, state: web::Data<Mutex<State>>) -> io::Result<Server> {
    let app = move || {
        App::new()
            .app_data(state.clone())
            .app_data(web::PayloadConfig::new(MAX_BODY_BYTES))
            .default_service(web::to(handle))
    };
    let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0).on_connect(keep_socket);
    Ok(server.listen(listener)?.run())
}

/// The connection's socket, by which a handler can hang up.
struct Socket(std::net::TcpStream);

fn keep_socket(connection: &dyn Any, extensions: &mut Extensions) {
    let stream = connection.downcast_ref::<TcpStream>();
    if let Some(Ok(descriptor)) = stream.map(|stream| stream.as_fd().try_clone_to_owned()) {
        extensions.insert(Socket(descriptor.into()));
    }
}

async fn handle(request: HttpRequest, body: web::Bytes, state: web::Data<Mutex<State>>) -> HttpResponse {
    let answer = lock(&state).take_answer(&request, &body);
    if !answer.delay.is_zero() {
        actix_web::rt::time::sleep(answer.delay).await;
    }
    let socket = request.conn_data::<Socket>().map(|Socket(socket)| socket);
    match (answer.end, socket) {
        (End::HangsUp, Some(socket)) => {
            let _ = socket.shutdown(Shutdown::Both);
        }
        (End::Resets, Some(socket)) => {
            // What is closed without lingering is reset.
            let _ = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO));
        }
        _ => {}
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in &answer.headers {
        response.append_header((name.as_str(), value.as_str()));
    }
    if answer.end == End::Resets {
        let half = web::Bytes::from(answer.body);
        let broken = futures_util::stream::iter([Ok(half), Err(io::Error::from(io::ErrorKind::ConnectionReset))]);
        return response.streaming(broken);
    }
    if !answer.body_delay.is_zero() {
        let late = async move {
            actix_web::rt::time::sleep(answer.body_delay).await;
            Ok::<_, io::Error>(web::Bytes::from(answer.body))
        };
        return response.streaming(futures_util::stream::once(Box::pin(late)));
    }
    response.body(answer.body)
}

impl State {
    /// The page, or else records the request and takes the next scripted answer.
    fn take_answer(&mut self, request: &HttpRequest, body: &web::Bytes) -> Answer {
        if request.method() == Method::GET
            && let Some(page) = self.pages.get(request.path())
        {
            return page.clone();
        }
        if self.requests.len() == KEPT_REQUESTS {
            self.requests.pop_front();
        }
        let recorded = record(request, body);
        let place = self.places.get_mut(request.path());
        let placed = place.and_then(|place| {
            let scripted = place.script.pop_front();
            scripted.or_else(|| place.behaviour.as_mut().map(|behaviour| behaviour(&recorded)))
        });
        self.requests.push_back(recorded);
        let scripted = placed.or_else(|| self.script.pop_front());
        scripted.or_else(|| self.default.clone()).unwrap_or_else(Answer::ok)
    }
}

fn record(request: &HttpRequest, body: &web::Bytes) -> Recorded {
    let headers = request.headers().iter();
    Recorded {
        method: request.method().to_string(),
        path: request.uri().to_string(),
        headers: headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: body.to_vec(),
        at: SystemTime::now(),
    }
}
