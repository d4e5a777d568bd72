//! The one reader of a process that follows what changes.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use tocsin_bus::Change;
use tocsin_shared::{IncidentId, SilenceId};
use tocsin_store::{IncidentRecord, Store, StoreError};

use super::frame::{self, Frame};
use super::{Events, MAX_MISSED_INCIDENTS, metrics};

/// Longest wait for entries of the stream.
const BLOCK: Duration = Duration::from_secs(1);
/// Time between two looks into Postgres: while the stream is followed, and while it cannot be.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
const LOOK_INTERVAL_ALONE: Duration = Duration::from_secs(1);
/// How far a look goes back: further than clocks differ and commits take.
const LOOK_BACK: TimeDelta = TimeDelta::seconds(30);
/// Most incidents whose last state is remembered.
const MAX_SEEN: usize = 20_000;

/// Which state of each incident was handed out last, as a hash, so that it is not handed out twice.
#[derive(Debug, Default)]
struct Seen(HashMap<IncidentId, u64>);

impl Seen {
    /// The event of an incident, unless it was the last one of it.
    fn fresh(&mut self, record: IncidentRecord) -> Option<Frame> {
        let id = record.incident.id;
        let frame = written(Frame::incident(record))?;
        let mut hasher = DefaultHasher::new();
        frame.data().hash(&mut hasher);
        if self.0.len() >= MAX_SEEN {
            self.0.clear();
        }
        let is_new = self.0.insert(id, hasher.finish()) != Some(hasher.finish());
        is_new.then_some(frame)
    }
}

pub(super) async fn run(events: Arc<Events>) {
    let follower = async {
        let mut seen = Seen::default();
        let mut is_first = true;
        loop {
            let position = reconnect(&events, &mut seen).await;
            events.set_position(Some(&position));
            if !is_first {
                tracing::info!("the stream of changes is followed again; clients load everything anew");
                hand_out(&events, [frame::reset(Some(&position))]);
            }
            is_first = false;
            follow(&events, &mut seen, position).await;
            events.set_position(None);
        }
    };
    tokio::select! {
        () = follower => {}
        () = events.shutdown.stopping() => {}
    }
}

/// Waits for Redis, and looks into Postgres meanwhile. Gives the position behind the newest entry.
async fn reconnect(events: &Events, seen: &mut Seen) -> String {
    loop {
        match events.changes.position().await {
            Ok(position) => return position,
            Err(error) => tracing::debug!(%error, "cannot follow the stream of changes; looking into Postgres instead"),
        }
        look(events, seen).await;
        tokio::time::sleep(LOOK_INTERVAL_ALONE).await;
    }
}

/// Follows the stream until that fails.
async fn follow(events: &Events, seen: &mut Seen, mut position: String) {
    let mut looked_at = Instant::now();
    loop {
        let entries = match events.changes.read(&position, BLOCK).await {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the stream of changes cannot be followed");
                return;
            }
        };
        if let Some((newest, _)) = entries.last() {
            newest.clone_into(&mut position);
            pass_on(events, seen, &entries, &position).await;
            events.set_position(Some(&position));
        }
        if looked_at.elapsed() >= LOOK_INTERVAL {
            look(events, seen).await;
            looked_at = Instant::now();
        }
    }
}

/// Hands out what entries of the stream name. While Postgres is away it is tried again: nothing changes meanwhile.
async fn pass_on(events: &Events, seen: &mut Seen, entries: &[(String, Change)], position: &str) {
    let Some(named) = Named::in_all(entries) else {
        hand_out(events, [frame::reset(Some(position))]);
        return;
    };
    // Without clients there is nobody to load anything for.
    if events.frames.receiver_count() == 0 {
        return;
    }
    let records = loop {
        match events.store.incidents_get(&named.incidents).await {
            Ok(records) => break records,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot load what has changed");
                tokio::time::sleep(LOOK_INTERVAL_ALONE).await;
            }
        }
    };
    let mut frames: Vec<Frame> = records.into_iter().filter_map(|record| seen.fresh(record)).collect();
    frames.extend(named.others());
    if !frames.is_empty() {
        metrics::told(frames.len());
        hand_out(events, frame::parts(&frames, Some(position)));
    }
}

/// Looks into Postgres for what nobody has told of.
async fn look(events: &Events, seen: &mut Seen) {
    if events.frames.receiver_count() == 0 {
        return;
    }
    match events.store.incidents_changed(Utc::now() - LOOK_BACK).await {
        Ok(records) => {
            let frames: Vec<Frame> = records.into_iter().filter_map(|record| seen.fresh(record)).collect();
            if !frames.is_empty() {
                metrics::told(frames.len());
                hand_out(events, frame::parts(&frames, None));
            }
        }
        Err(error) => tracing::debug!(%error, "cannot look for changes"),
    }
}

fn hand_out(events: &Events, parts: impl IntoIterator<Item = String>) {
    for part in parts {
        // Nobody may be there.
        let _ = events.frames.send(part.into());
    }
}

/// What entries name, each once.
#[derive(Debug, Default)]
struct Named {
    incidents: Vec<IncidentId>,
    silences: BTreeSet<SilenceId>,
    dead_letters: bool,
}

impl Named {
    /// `None` if there is a gap.
    fn in_all(entries: &[(String, Change)]) -> Option<Self> {
        let mut named = Self::default();
        let mut incidents = BTreeSet::new();
        for (_, change) in entries {
            if change.gap {
                return None;
            }
            incidents.extend(&change.incidents);
            named.silences.extend(&change.silences);
            named.dead_letters |= change.dead_letters;
        }
        named.incidents = incidents.into_iter().collect();
        Some(named)
    }

    fn others(&self) -> impl Iterator<Item = Frame> {
        let silences = self.silences.iter().filter_map(|id| written(Frame::silence(*id)));
        silences.chain(self.dead_letters.then(Frame::dead_letter))
    }
}

/// What entries name, as it is now; `None` if there is a gap among them, or too much to tell it one by one.
pub(super) async fn load(store: &Store, entries: &[(String, Change)]) -> Result<Option<Vec<Frame>>, StoreError> {
    let Some(named) = Named::in_all(entries) else {
        return Ok(None);
    };
    if named.incidents.len() > MAX_MISSED_INCIDENTS {
        return Ok(None);
    }
    let records = store.incidents_get(&named.incidents).await?;
    let incidents = records.into_iter().filter_map(|record| written(Frame::incident(record)));
    Ok(Some(incidents.chain(named.others()).collect()))
}

fn written(frame: Result<Frame, serde_json::Error>) -> Option<Frame> {
    frame.inspect_err(|error| tracing::error!(%error, "an event cannot be written")).ok()
}
