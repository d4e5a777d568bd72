//! What changes, as it changes: server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! The truth is in Postgres. The stream of changes, which the worker writes after each commit, only says where to look: one
//! reader per process (`follow.rs`) follows it, loads what each batch of entries names by one query, and hands the same bytes to
//! every client. While Redis is away it looks for changes in Postgres each second instead; and every few seconds it does so in any
//! case, because a worker may die between its commit and its word.
//!
//! An event's id is a position in the stream. A client that comes back with one gets what it has missed: what the stream tells
//! behind that position, and what only a look into Postgres finds, because that has no position. It may get the same state of an
//! incident twice (after a restart, say), and never misses it. If what it has missed is not known any more, or while nobody can
//! tell, it gets `reset` and loads everything anew. The same happens to a client that reads more slowly than things change: nobody
//! waits for it. One that reads nothing at all is cut off by the HTTP server. Clients that come back together, as after a restart,
//! share one answer (`resume.rs`).

mod follow;
mod frame;
mod resume;
mod seen;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;
use serde_json::json;
use tocsin_bus::{Changes, is_position};
use tocsin_service::http::Problem;
use tocsin_service::shutdown::Shutdown;
use tocsin_shared::ErrorCode;
use tocsin_store::Store;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::{Instant, Interval, interval_at};

use self::resume::Resumes;
use self::seen::Seen;
use crate::auth::{Door, Guest, Reader};
use crate::openapi::{Doc, Table, examples, params};
use crate::{RETRY_AFTER_SECS, metrics};

/// Most clients of one process.
const MAX_CLIENTS: usize = 4_096;
/// Batches of changes that a client may be behind.
const MAX_BEHIND: usize = 256;
/// Entries that a client which comes back may have missed, and incidents in them.
const MAX_MISSED: usize = 1_000;
const MAX_MISSED_INCIDENTS: usize = 2_000;
/// Time between two heartbeats. Below what any proxy takes for silence.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Frames that say when to come back, and that nothing has happened.
const HELLO: &str = "retry: 1000\n";
const BEAT: web::Bytes = web::Bytes::from_static(b": \n\n");

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The events of this process.
#[derive(Debug)]
pub(crate) struct Events {
    frames: broadcast::Sender<web::Bytes>,
    /// Up to which position what has changed was handed out; none while Redis is away.
    position: RwLock<Option<String>>,
    seen: Mutex<Seen>,
    clients: Arc<Semaphore>,
    resumes: Resumes,
    changes: Changes,
    store: Store,
    shutdown: Shutdown,
}

impl Events {
    /// Follows the changes until the shutdown stops the process. Must be called on a tokio runtime.
    pub(crate) fn start(changes: Changes, store: Store, shutdown: Shutdown) -> Arc<Self> {
        let events = Arc::new(Self {
            frames: broadcast::Sender::new(MAX_BEHIND),
            position: RwLock::default(),
            seen: Mutex::default(),
            clients: Arc::new(Semaphore::new(MAX_CLIENTS)),
            resumes: Resumes::default(),
            changes,
            store,
            shutdown,
        });
        tokio::spawn(follow::run(Arc::clone(&events)));
        events
    }

    fn position(&self) -> Option<String> {
        self.position.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_position(&self, position: Option<&str>) {
        *self.position.write().unwrap_or_else(PoisonError::into_inner) = position.map(str::to_owned);
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a client gets first: what it has missed, and where it is.
    async fn first(&self, last_id: Option<&str>) -> Arc<[web::Bytes]> {
        let Some(last_id) = last_id else {
            // It loads everything, having asked for this first.
            return opening([frame::position(self.position().as_deref())]);
        };
        self.resumes.shared(last_id, || self.missed(last_id)).await.unwrap_or_else(|| {
            tracing::debug!("it takes too long to tell a client what it has missed");
            opening([frame::reset(self.position().as_deref())])
        })
    }

    /// What has changed since a position that a client was told.
    async fn missed(&self, last_id: &str) -> Arc<[web::Bytes]> {
        let position = self.position();
        let reset = |position: Option<&str>| opening([frame::reset(position)]);
        let missed = if is_position(last_id) { self.changes.since(last_id, MAX_MISSED).await } else { Ok(None) };
        let missed = match missed {
            Ok(missed) => missed,
            Err(error) => {
                tracing::debug!(%error, "cannot tell a client what it has missed");
                None
            }
        };
        let Some(missed) = missed else {
            return reset(position.as_deref());
        };
        let newest = missed.last().map_or(last_id, |(newest, _)| newest);
        match follow::load(self, last_id, &missed).await {
            Ok(Some(frames)) => opening(frame::parts(&frames, Some(newest))),
            Ok(None) => reset(Some(newest)),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot load what clients have missed");
                reset(position.as_deref())
            }
        }
    }
}

/// What a stream begins with.
fn opening(parts: impl IntoIterator<Item = String>) -> Arc<[web::Bytes]> {
    let mut hello = HELLO;
    parts.into_iter().map(|part| web::Bytes::from(std::mem::take(&mut hello).to_owned() + &part)).collect()
}

/// Adds the route.
pub(crate) fn add(table: &mut Table) {
    let doc = Doc::reads("watch", "live", "What changes, as it changes: server-sent events, without end").about(
        "`incident` has an incident, `silence` the id of one that has changed, `dead_letter` nothing. `reset` says that something \
         was missed: load everything anew. Come back with the last id that was read, in `Last-Event-ID`.",
    );
    let about = "The id of the last event that was read.";
    let doc = doc
        .with(params::header("Last-Event-ID", about, false, &json!({"type": "string"})))
        .codes(&[ErrorCode::TooManyStreams])
        .gives_text("text/event-stream", "Events.", &examples::events());
    table.endless("/api/v1/events", open, doc);
}

async fn open(
    Reader(guest): Reader,
    request: HttpRequest,
    door: web::Data<Door>,
    events: web::Data<Events>,
) -> Result<HttpResponse, Problem> {
    let events = events.into_inner();
    let Ok(permit) = Arc::clone(&events.clients).try_acquire_owned() else {
        return Err(Problem::new(ErrorCode::TooManyStreams).retry_after(RETRY_AFTER_SECS));
    };
    let last_id = request.headers().get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or_default());
    // Before looking what was missed: what comes meanwhile waits here.
    let frames = events.frames.subscribe();
    let first = events.first(last_id).await;
    let heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    let first = first.iter().cloned().collect();
    let client = Client { frames, first, heartbeat, guest, door, events, _open: Open::new(permit) };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((X_ACCEL_BUFFERING, "no"))
        // An encoder would keep events back until it has enough of them.
        .insert_header((CONTENT_ENCODING, "identity"))
        .streaming(stream::unfold(client, Client::next)))
}

/// One who watches.
struct Client {
    frames: broadcast::Receiver<web::Bytes>,
    first: VecDeque<web::Bytes>,
    heartbeat: Interval,
    guest: Guest,
    door: web::Data<Door>,
    events: Arc<Events>,
    _open: Open,
}

impl Client {
    /// What it gets next; nothing more once the process stops, so that it comes back elsewhere, or once it would not be let in
    /// any more.
    async fn next(mut self) -> Option<(Result<web::Bytes, std::convert::Infallible>, Self)> {
        if let Some(first) = self.first.pop_front() {
            return Some((Ok(first), self));
        }
        let bytes = tokio::select! {
            () = self.events.shutdown.stopping() => return None,
            frame = self.frames.recv() => match frame {
                Ok(bytes) => bytes,
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    self.frames = self.frames.resubscribe();
                    frame::reset(self.events.position().as_deref()).into()
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            },
            _ = self.heartbeat.tick() => {
                if !self.door.still_admits(&self.guest) {
                    return None;
                }
                BEAT
            }
        };
        Some((Ok(bytes), self))
    }
}

/// Counts a client for as long as it is there.
struct Open(OwnedSemaphorePermit);

impl Open {
    fn new(permit: OwnedSemaphorePermit) -> Self {
        metrics::watching(1.0);
        Self(permit)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        debug_assert_eq!(self.0.num_permits(), 1);
        metrics::watching(-1.0);
    }
}
