//! What the system page shows, gathered from Postgres and Redis. Without Redis it is what Postgres knows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tocsin_bus::{BusError, Overview, Stream};
use tocsin_service::http::Problem;
use tocsin_service::status::Status;
use tocsin_store::{Store, StoreError};
use tokio::sync::Mutex;

use crate::unavailable;
use crate::views::{Known, ReceiverView, StreamView, SystemView};

/// How long what was gathered is shown: many who look cost as much as one.
const KEEP: Duration = Duration::from_secs(2);

/// The streams that are shown.
const STREAMS: [(&str, Stream); 3] =
    [("events", Stream::Events), ("commands", Stream::Commands), ("notifications", Stream::Notifications)];

/// The kinds of receivers, by name, as the file gives them.
pub(crate) type Kinds = Vec<(String, &'static str)>;

/// Gathers it.
#[derive(Debug)]
pub(crate) struct System {
    store: Store,
    bus: Overview,
    kinds: tocsin_service::config::Reloading<Kinds>,
    last: Mutex<Option<(Instant, Arc<SystemView>)>>,
}

impl System {
    pub(crate) fn new(store: Store, bus: Overview, kinds: tocsin_service::config::Reloading<Kinds>) -> Self {
        Self { store, bus, kinds, last: Mutex::default() }
    }

    /// What there is now, or was two seconds ago. Who comes while it is being gathered waits for that.
    pub(crate) async fn view(&self) -> Result<Arc<SystemView>, Problem> {
        let mut last = self.last.lock().await;
        if let Some((at, view)) = &*last
            && at.elapsed() < KEEP
        {
            return Ok(Arc::clone(view));
        }
        let view = Arc::new(self.gather().await.map_err(unavailable)?);
        *last = Some((Instant::now(), Arc::clone(&view)));
        Ok(view)
    }

    async fn gather(&self) -> Result<SystemView, StoreError> {
        let (figures, receivers, known) =
            futures_util::join!(self.store.figures(), self.store.receiver_figures(), self.known());
        let known = known.inspect_err(|error| tracing::warn!(%error, "the system page lacks what Redis knows")).ok();
        let receivers = ReceiverView::all(&self.kinds.current(), receivers?);
        Ok(SystemView::new(figures?, receivers, known))
    }

    /// What only Redis knows.
    async fn known(&self) -> Result<Known, BusError> {
        let now = Utc::now();
        let present = |status: &Status| status.is_present(now);
        let statuses = self.bus.statuses().await?;
        let mut services: Vec<Status> = statuses.iter().filter_map(|text| Status::read(text)).filter(present).collect();
        services.sort_unstable_by(|a, b| (&a.service, &a.instance).cmp(&(&b.service, &b.instance)));
        let mut streams = Vec::with_capacity(STREAMS.len());
        for (name, stream) in STREAMS {
            streams.push(StreamView::new(name, self.bus.stream(stream).await?, now));
        }
        Ok(Known { services, streams })
    }
}
