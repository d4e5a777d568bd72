//! The one reader of a process that follows what changes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use tocsin_bus::Change;
use tocsin_shared::{IncidentId, SilenceId};
use tocsin_store::{IncidentRecord, MAX_CHANGED, StoreError};

use super::frame::{self, Frame};
use super::{Events, MAX_MISSED_INCIDENTS, metrics};

/// Longest wait for entries of the stream.
const BLOCK: Duration = Duration::from_secs(1);
/// Time between two looks into Postgres: while the stream is followed, and while it cannot be.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
const LOOK_INTERVAL_ALONE: Duration = Duration::from_secs(1);
/// How far a look goes back: further than clocks differ and commits take.
const LOOK_BACK: TimeDelta = TimeDelta::seconds(30);
pub(super) async fn run(events: Arc<Events>) {
    let follower = async {
        let mut is_first = true;
        loop {
            let position = reconnect(&events).await;
            events.set_position(Some(&position));
            if !is_first {
                tracing::info!("the stream of changes is followed again; clients load everything anew");
                hand_out(&events, [frame::reset(Some(&position))]);
            }
            is_first = false;
            follow(&events, position).await;
            events.set_position(None);
        }
    };
    tokio::select! {
        () = follower => {}
        () = events.shutdown.stopping() => {}
    }
}

/// Waits for Redis, and looks into Postgres meanwhile. Gives the position behind the newest entry.
async fn reconnect(events: &Events) -> String {
    loop {
        match events.changes.position().await {
            Ok(position) => return position,
            Err(error) => tracing::debug!(%error, "cannot follow the stream of changes; looking into Postgres instead"),
        }
        look(events).await;
        tokio::time::sleep(LOOK_INTERVAL_ALONE).await;
    }
}

/// Follows the stream until that fails.
async fn follow(events: &Events, mut position: String) {
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
            pass_on(events, &entries, &position).await;
            events.set_position(Some(&position));
        }
        if looked_at.elapsed() >= LOOK_INTERVAL {
            look(events).await;
            looked_at = Instant::now();
        }
    }
}

/// Hands out what entries of the stream name. While Postgres is away it is tried again: nothing changes meanwhile.
async fn pass_on(events: &Events, entries: &[(String, Change)], position: &str) {
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
    let mut frames = fresh(events, records, Some(position));
    frames.extend(named.others());
    if !frames.is_empty() {
        metrics::told(frames.len());
        hand_out(events, frame::parts(&frames, Some(position)));
    }
}

/// Looks into Postgres for what nobody has told of.
async fn look(events: &Events) {
    if events.frames.receiver_count() == 0 {
        return;
    }
    match events.store.incidents_changed(Utc::now() - LOOK_BACK).await {
        Ok(records) => {
            let frames = fresh(events, records, None);
            if !frames.is_empty() {
                metrics::told(frames.len());
                hand_out(events, frame::parts(&frames, None));
            }
        }
        Err(error) => tracing::debug!(%error, "cannot look for changes"),
    }
}

/// The events of those incidents whose state was not handed out already.
fn fresh(events: &Events, records: Vec<IncidentRecord>, position: Option<&str>) -> Vec<Frame> {
    let mut seen = events.seen();
    let named = records.into_iter().filter_map(incident);
    named.filter(|(id, frame)| seen.is_fresh(*id, frame, position)).map(|(_, frame)| frame).collect()
}

fn incident(record: IncidentRecord) -> Option<(IncidentId, Frame)> {
    Some((record.incident.id, written(Frame::incident(record))?))
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

/// What a client at `position` has missed, as it is now: what the entries behind it name, and what a look into Postgres finds that
/// no entry tells of. (The one that found it first may have been another process, or have handed it out while this client was
/// away; and nobody looks while there are no clients.) `None` if there is a gap among them, or too much to tell it one by one.
///
/// What was handed out at an earlier position is left out if this process knows so; else the client gets it again.
pub(super) async fn load(
    events: &Events,
    position: &str,
    entries: &[(String, Change)],
) -> Result<Option<Vec<Frame>>, StoreError> {
    let Some(named) = Named::in_all(entries) else {
        return Ok(None);
    };
    if named.incidents.len() > MAX_MISSED_INCIDENTS {
        return Ok(None);
    }
    let found = events.store.incidents_changed(told_at(position) - LOOK_BACK).await?;
    if found.len() >= usize::from(MAX_CHANGED) {
        return Ok(None);
    }
    let records = events.store.incidents_get(&named.incidents).await?;
    let found = found.into_iter().filter(|record| !named.incidents.contains(&record.incident.id));
    let mut frames: Vec<Frame> = {
        let seen = events.seen();
        let untold = found.filter_map(incident).filter(|(id, frame)| !seen.was_told(*id, frame, position));
        untold.map(|(_, frame)| frame).collect()
    };
    frames.extend(records.into_iter().filter_map(incident).map(|(_, frame)| frame));
    frames.extend(named.others());
    Ok(Some(frames))
}

/// When a position was made: it begins with the milliseconds of the clock of Redis.
fn told_at(position: &str) -> DateTime<Utc> {
    let milliseconds = position.split_once('-').and_then(|(time, _)| time.parse().ok()).unwrap_or_default();
    DateTime::from_timestamp_millis(milliseconds).unwrap_or_default()
}

fn written(frame: Result<Frame, serde_json::Error>) -> Option<Frame> {
    frame.inspect_err(|error| tracing::error!(%error, "an event cannot be written")).ok()
}
