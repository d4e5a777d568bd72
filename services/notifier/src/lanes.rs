//! Who has how much on the way, and which destinations are left alone for now: the bulkheads between receivers.
//!
//! A receiver has at most so many notices on the way, whatever waits for it; a destination that is slow, broken or held back
//! takes up the room of its own receivers and of nobody else. All this is one notifier's own knowledge.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tocsin_bus::{Leave, Quota};
use tocsin_store::Room;

use crate::breaker::{Breaker, Permission};
use crate::pacing::Bucket;
use crate::receivers::Receivers;

/// Most notices on the way to one receiver.
pub(crate) const MAX_PER_RECEIVER: u32 = 8;
/// Most notices on the way in all. More receivers than have room for that many each have less.
pub(crate) const MAX_IN_FLIGHT: u32 = 512;

/// Shared by everything that sends.
#[derive(Debug, Default)]
pub(crate) struct Lanes(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Notices on the way, by receiver. Receivers that have none are not kept.
    in_flight: HashMap<String, u32>,
    destinations: HashMap<String, Destination>,
}

#[derive(Debug, Default)]
struct Destination {
    breaker: Breaker,
    in_flight: u32,
    /// Nobody calls it before this time: its pace, or its own wish.
    held_until: Option<Instant>,
    /// Calls that its pace will allow, as far as we know.
    calls: Option<u32>,
    bucket: Bucket,
}

/// What may be claimed now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rooms {
    pub(crate) rooms: Vec<Room>,
    /// When there will be room at a destination that has none now, as far as that is a matter of time.
    pub(crate) more_at: Option<Instant>,
}

impl Lanes {
    /// How much may be claimed for each receiver.
    pub(crate) fn rooms(&self, receivers: &Receivers, now: Instant) -> Rooms {
        let state = self.state();
        let count = u32::try_from(receivers.iter().count()).unwrap_or(u32::MAX).max(1);
        let per_receiver = (MAX_IN_FLIGHT / count).clamp(1, MAX_PER_RECEIVER);
        let mut left = MAX_IN_FLIGHT.saturating_sub(state.in_flight.values().sum());
        let (mut rooms, mut more_at) = (Vec::new(), None::<Instant>);
        let mut calls_left: HashMap<&str, u32> = HashMap::new();
        for (name, receiver) in receivers.iter() {
            let destination = receiver.provider.destination();
            let calls = match calls_left.get(destination) {
                Some(calls) => *calls,
                None => match state.destinations.get(destination).map_or(Ok(u32::MAX), |known| known.calls(now)) {
                    Ok(calls) => calls,
                    Err(at) => {
                        more_at = Some(more_at.map_or(at, |other| other.min(at)));
                        0
                    }
                },
            };
            let on_the_way = state.in_flight.get(name).copied().unwrap_or_default();
            let notices = per_receiver.saturating_sub(on_the_way).min(calls).min(left);
            calls_left.insert(destination, calls - notices);
            left -= notices;
            if notices > 0 {
                rooms.push(Room { receiver: name.to_owned(), destination: destination.to_owned(), notices });
            }
        }
        Rooms { rooms, more_at }
    }

    /// A notice was claimed.
    pub(crate) fn begin(&self, receiver: &str, destination: &str) {
        let mut state = self.state();
        *state.in_flight.entry(receiver.to_owned()).or_default() += 1;
        state.destination(destination).in_flight += 1;
    }

    /// It is out of our hands.
    pub(crate) fn end(&self, receiver: &str, destination: &str) {
        let mut state = self.state();
        if let Some(count) = state.in_flight.get_mut(receiver) {
            *count -= 1;
            if *count == 0 {
                state.in_flight.remove(receiver);
            }
        }
        let known = state.destination(destination);
        known.in_flight = known.in_flight.saturating_sub(1);
    }

    /// Leave for calls, as Redis gave it; as we give it ourselves, if Redis did not say.
    pub(crate) fn paced(
        &self,
        destination: &str,
        quotas: &[Quota],
        calls: u32,
        leave: Option<Leave>,
        now: Instant,
    ) -> Leave {
        let mut state = self.state();
        let known = state.destination(destination);
        let leave = match leave {
            Some(leave) => {
                known.bucket.note(quotas, leave.taken, now);
                leave
            }
            None => known.bucket.take(quotas, calls, now),
        };
        known.calls = (leave.left > 0 && !quotas.is_empty()).then_some(leave.left);
        if leave.left == 0 && !leave.next_in.is_zero() {
            known.hold(now + leave.next_in);
            known.calls = Some(1);
        }
        leave
    }

    /// The destination wants to be left alone.
    pub(crate) fn hold(&self, destination: &str, pause: Duration, now: Instant) {
        let mut state = self.state();
        let known = state.destination(destination);
        known.hold(now + pause);
        known.calls = Some(1);
    }

    /// The destination answered.
    pub(crate) fn succeeded(&self, destination: &str) {
        self.state().destination(destination).breaker.succeeded();
    }

    /// It did not. Says whether that opens its breaker.
    pub(crate) fn failed(&self, destination: &str, now: Instant) -> bool {
        self.state().destination(destination).breaker.failed(now, &mut rand::rng())
    }

    /// Notices on the way to a receiver.
    pub(crate) fn in_flight(&self, receiver: &str) -> u32 {
        self.state().in_flight.get(receiver).copied().unwrap_or_default()
    }

    /// Whether a destination's breaker is open.
    pub(crate) fn is_open(&self, destination: &str) -> bool {
        self.state().destinations.get(destination).is_some_and(|known| known.breaker.is_open())
    }

    /// Forgets destinations to which no receiver leads any more.
    pub(crate) fn forget_all_but(&self, receivers: &Receivers) {
        let lead: std::collections::HashSet<&str> =
            receivers.iter().map(|(_, receiver)| receiver.provider.destination()).collect();
        self.state().destinations.retain(|name, known| known.in_flight > 0 || lead.contains(name.as_str()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn destination(&mut self, name: &str) -> &mut Destination {
        if !self.destinations.contains_key(name) {
            self.destinations.insert(name.to_owned(), Destination::default());
        }
        self.destinations.entry(name.to_owned()).or_default()
    }
}

impl Destination {
    /// How many notices it may be sent, or from when on some.
    fn calls(&self, now: Instant) -> Result<u32, Instant> {
        if let Some(until) = self.held_until.filter(|until| now < *until) {
            return Err(until);
        }
        match self.breaker.permission(now) {
            Permission::Free => Ok(self.calls.unwrap_or(u32::MAX)),
            Permission::One => Ok(u32::from(self.in_flight == 0)),
            Permission::NoneUntil(until) => Err(until),
        }
    }

    fn hold(&mut self, until: Instant) {
        self.held_until = Some(self.held_until.map_or(until, |other| other.max(until)));
    }
}
