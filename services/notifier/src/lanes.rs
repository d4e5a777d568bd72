//! Who has how much on the way, and which destinations are left alone for now: the bulkheads between receivers.
//!
//! A receiver has at most so many notices on the way, whatever waits for it, and as many that are sent and not yet recorded:
//! these may be told twice after a crash. A destination that is slow, broken or held back
//! takes up the room of its own receivers and of nobody else. For one that answers quickly more are claimed than may be on the
//! way, as many as it takes in a tenth of a second, so that a claim is of many; they wait for their turn here. All this is one
//! notifier's own knowledge.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tocsin_bus::{Leave, Quota};
use tocsin_store::Room;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::breaker::{Breaker, Permission};
use crate::pacing::Bucket;

/// Most notices on the way to one receiver.
pub(crate) const MAX_PER_RECEIVER: u32 = 8;
/// For each of those, most that are on the way or not yet recorded. The next are sent while the last are recorded; that so many
/// may be told twice after a crash is the price. In the same way, most in hand for each that may be claimed.
const IN_HAND: u32 = 2;
/// Most notices in hand in all. More receivers than have room for that many each have less.
pub(crate) const MAX_IN_HAND: u32 = 512;
/// How much a receiver may have claimed: what its destination answers within this time, on the way and after that.
const AHEAD: Duration = Duration::from_millis(100);
/// The same as a number: most notices claimed for each that may be on the way.
const MAX_AHEAD: u32 = 8;
/// Share of a new answer in what we take a destination's time to answer for: one of so many.
const SMOOTHING: u32 = 8;

/// Shared by everything that sends.
#[derive(Debug, Default)]
pub(crate) struct Lanes(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Notices in hand, by receiver. Receivers that have none are not kept.
    in_hand: HashMap<String, InHand>,
    destinations: HashMap<String, Destination>,
}

#[derive(Debug)]
struct InHand {
    /// On the way, or waiting for their turn.
    claimed: u32,
    unrecorded: u32,
    turns: Turns,
}

/// What a notice takes before it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    /// As many as may be on the way or unrecorded.
    pub(crate) unrecorded: Arc<Semaphore>,
    /// As many as may be on the way.
    pub(crate) on_the_way: Arc<Semaphore>,
}

/// That a notice may be sent: while this is kept, it counts as on the way; while its part is, as unrecorded.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) unrecorded: OwnedSemaphorePermit,
    pub(crate) on_the_way: OwnedSemaphorePermit,
}

impl Turns {
    /// Whatever is free, without waiting.
    pub(crate) fn try_take(&self) -> Option<Turn> {
        let unrecorded = Arc::clone(&self.unrecorded).try_acquire_owned().ok()?;
        let on_the_way = Arc::clone(&self.on_the_way).try_acquire_owned().ok()?;
        Some(Turn { unrecorded, on_the_way })
    }
}

impl Default for InHand {
    fn default() -> Self {
        let turns = |count: u32| Arc::new(Semaphore::new(count as usize));
        let turns = Turns { unrecorded: turns(MAX_PER_RECEIVER * IN_HAND), on_the_way: turns(MAX_PER_RECEIVER) };
        Self { claimed: 0, unrecorded: 0, turns }
    }
}

#[derive(Debug, Default)]
struct Destination {
    breaker: Breaker,
    in_flight: u32,
    /// Nobody calls it before this time: its pace, or its own wish.
    held_until: Option<Instant>,
    /// The part of that which is its own wish: what is claimed already is not sent either.
    left_alone_until: Option<Instant>,
    /// How long it takes to answer, if that is known, and it has not hung since.
    answers_in: Option<Duration>,
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
    /// How much may be claimed for each receiver, given with its destination.
    pub(crate) fn rooms(&self, receivers: &[(&str, &str)], now: Instant) -> Rooms {
        let state = self.state();
        let count = u32::try_from(receivers.len()).unwrap_or(u32::MAX).max(1);
        let share = (MAX_IN_HAND / IN_HAND / count).max(1);
        let mut left =
            MAX_IN_HAND.saturating_sub(state.in_hand.values().map(|held| held.claimed + held.unrecorded).sum());
        let (mut rooms, mut more_at) = (Vec::new(), None::<Instant>);
        let mut calls_left: HashMap<&str, u32> = HashMap::new();
        for &(name, destination) in receivers {
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
            let (claimed, unrecorded) = state.in_hand.get(name).map_or((0, 0), |held| (held.claimed, held.unrecorded));
            let most = state.destinations.get(destination).map_or(MAX_PER_RECEIVER, Destination::ahead).min(share);
            // While there is enough for a while, more is not asked for in small pieces.
            let is_supplied = most > MAX_PER_RECEIVER && claimed > most / 2;
            let room = if is_supplied { 0 } else { most.saturating_sub(claimed) };
            let room = room.min((most * IN_HAND).saturating_sub(claimed + unrecorded));
            let notices = room.min(calls).min(left);
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
        state.in_hand.entry(receiver.to_owned()).or_default().claimed += 1;
        state.destination(destination).in_flight += 1;
    }

    /// Of which a notice that was claimed takes one.
    pub(crate) fn turns(&self, receiver: &str) -> Turns {
        self.state().in_hand.entry(receiver.to_owned()).or_default().turns.clone()
    }

    /// Whether what waited for its turn may go: the destination neither hangs nor is broken, nor has asked to be left alone.
    pub(crate) fn may_go(&self, destination: &str, now: Instant) -> bool {
        self.state().destinations.get(destination).is_none_or(|known| {
            known.answers_in.is_some()
                && !matches!(known.breaker.permission(now), Permission::NoneUntil(_))
                && known.left_alone_until.is_none_or(|until| until <= now)
        })
    }

    /// Nobody came out of this destination's queue for long: no more is claimed for it than may be on the way.
    pub(crate) fn is_slow(&self, destination: &str) {
        self.state().destination(destination).answers_in = None;
    }

    /// It is not claimed any more, and went back.
    pub(crate) fn give_back(&self, receiver: &str, destination: &str) {
        let mut state = self.state();
        state.arrive(destination);
        state.change(receiver, |held| held.claimed = held.claimed.saturating_sub(1));
    }

    /// It is not on the way any more, and its outcome is to be recorded.
    pub(crate) fn sent(&self, receiver: &str, destination: &str) {
        let mut state = self.state();
        state.arrive(destination);
        state.change(receiver, |held| {
            held.claimed = held.claimed.saturating_sub(1);
            held.unrecorded += 1;
        });
    }

    /// Its outcome is recorded, or cannot be.
    pub(crate) fn end(&self, receiver: &str) {
        self.state().change(receiver, |held| held.unrecorded = held.unrecorded.saturating_sub(1));
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
        known.left_alone_until = known.held_until;
        known.calls = Some(1);
    }

    /// The destination answered, and took this long.
    pub(crate) fn succeeded(&self, destination: &str, time: Duration) {
        let mut state = self.state();
        let known = state.destination(destination);
        known.breaker.succeeded();
        known.answers_in = Some(known.smoothed(time));
    }

    /// It did not. Says whether that opens its breaker.
    pub(crate) fn failed(&self, destination: &str, now: Instant) -> bool {
        let mut state = self.state();
        let known = state.destination(destination);
        // Nothing is claimed ahead for one that fails.
        known.answers_in = Some(known.smoothed(AHEAD));
        known.breaker.failed(now, &mut rand::rng())
    }

    /// Notices on the way to a receiver.
    pub(crate) fn in_flight(&self, receiver: &str) -> u32 {
        let free = |held: &InHand| u32::try_from(held.turns.on_the_way.available_permits()).unwrap_or(MAX_PER_RECEIVER);
        self.state().in_hand.get(receiver).map_or(0, |held| MAX_PER_RECEIVER.saturating_sub(free(held)))
    }

    /// Whether a destination's breaker is open.
    pub(crate) fn is_open(&self, destination: &str) -> bool {
        self.state().destinations.get(destination).is_some_and(|known| known.breaker.is_open())
    }

    /// Forgets destinations to which none of these receivers leads any more.
    pub(crate) fn forget_all_but(&self, receivers: &[(&str, &str)]) {
        let lead: HashSet<&str> = receivers.iter().map(|&(_, destination)| destination).collect();
        self.state().destinations.retain(|name, known| known.in_flight > 0 || lead.contains(name.as_str()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn change(&mut self, receiver: &str, change: impl FnOnce(&mut InHand)) {
        if let Some(held) = self.in_hand.get_mut(receiver) {
            change(held);
            if held.claimed + held.unrecorded == 0 {
                self.in_hand.remove(receiver);
            }
        }
    }

    fn arrive(&mut self, destination: &str) {
        let known = self.destination(destination);
        known.in_flight = known.in_flight.saturating_sub(1);
    }

    fn destination(&mut self, name: &str) -> &mut Destination {
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

    /// How many notices a receiver that leads there may have claimed.
    fn ahead(&self) -> u32 {
        let Some(answers_in) = self.answers_in else { return MAX_PER_RECEIVER };
        let times = AHEAD.as_micros() / answers_in.as_micros().max(1);
        MAX_PER_RECEIVER * u32::try_from(times).unwrap_or(MAX_AHEAD).clamp(1, MAX_AHEAD)
    }

    /// How long it takes to answer, once it has taken so long.
    fn smoothed(&self, time: Duration) -> Duration {
        self.answers_in.map_or(time, |before| (before * (SMOOTHING - 1) + time) / SMOOTHING)
    }

    fn hold(&mut self, until: Instant) {
        self.held_until = Some(self.held_until.map_or(until, |other| other.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPS: (&str, &str) = ("ops", "channel");
    const DEV: (&str, &str) = ("dev", "channel");
    const OTHER: (&str, &str) = ("other", "elsewhere");

    fn rooms(lanes: &Lanes, receivers: &[(&str, &str)], now: Instant) -> Vec<(String, u32)> {
        lanes.rooms(receivers, now).rooms.into_iter().map(|room| (room.receiver, room.notices)).collect()
    }

    fn room(lanes: &Lanes, receiver: (&str, &str), now: Instant) -> u32 {
        rooms(lanes, &[receiver], now).first().map_or(0, |(_, notices)| *notices)
    }

    fn begin(lanes: &Lanes, (receiver, destination): (&str, &str), count: u32) {
        (0..count).for_each(|_| lanes.begin(receiver, destination));
    }

    #[test]
    fn what_is_on_the_way_to_one_takes_up_its_own_room_and_nobody_elses() {
        let (lanes, now) = (Lanes::default(), Instant::now());
        begin(&lanes, OPS, MAX_PER_RECEIVER);
        assert_eq!(rooms(&lanes, &[OPS, OTHER], now), [("other".to_owned(), MAX_PER_RECEIVER)]);
    }

    #[test]
    fn the_next_may_be_sent_while_the_last_are_recorded_but_not_without_end() {
        let (lanes, now) = (Lanes::default(), Instant::now());
        for _ in 0..IN_HAND * MAX_PER_RECEIVER {
            assert!(room(&lanes, OPS, now) > 0);
            lanes.begin(OPS.0, OPS.1);
            lanes.sent(OPS.0, OPS.1);
        }
        assert_eq!(room(&lanes, OPS, now), 0, "nothing is recorded");
        lanes.end(OPS.0);
        assert_eq!(room(&lanes, OPS, now), 1);
    }

    #[test]
    fn for_one_that_answers_quickly_more_is_claimed_and_not_in_small_pieces() {
        let (lanes, now) = (Lanes::default(), Instant::now());
        lanes.succeeded(OPS.1, AHEAD / 4);
        assert_eq!(room(&lanes, OPS, now), 4 * MAX_PER_RECEIVER);
        begin(&lanes, OPS, 2 * MAX_PER_RECEIVER + 1);
        assert_eq!(room(&lanes, OPS, now), 0, "there is more than half");
        lanes.sent(OPS.0, OPS.1);
        assert_eq!(room(&lanes, OPS, now), 2 * MAX_PER_RECEIVER);
        // One answer that takes long is enough to take it for slow.
        lanes.succeeded(OPS.1, Duration::from_secs(1));
        assert_eq!(room(&lanes, OPS, now), 0);
        assert_eq!(room(&lanes, OTHER, now), MAX_PER_RECEIVER, "nothing is known of it");
        lanes.failed(OTHER.1, now);
        assert_eq!(room(&lanes, OTHER, now), MAX_PER_RECEIVER, "nothing good");
    }

    #[tokio::test]
    async fn what_waits_for_its_turn_does_not_go_to_one_that_hangs_is_broken_or_wants_to_be_left_alone() {
        let (lanes, now) = (Lanes::default(), Instant::now());
        for destination in [OPS.1, OTHER.1, "slow", "paced"] {
            lanes.succeeded(destination, AHEAD / 4);
            assert!(lanes.may_go(destination, now));
        }
        lanes.is_slow("slow");
        assert!(!lanes.may_go("slow", now));
        lanes.hold(OPS.1, Duration::from_secs(1), now);
        assert!(!lanes.may_go(OPS.1, now));
        assert!(lanes.may_go(OPS.1, now + Duration::from_secs(1)));
        while !lanes.failed(OTHER.1, now) {}
        assert!(!lanes.may_go(OTHER.1, now));
        // Its pace is no reason: what was claimed has its leave.
        let quotas = [Quota { interval: Duration::from_secs(1), burst: 1 }];
        assert_eq!(lanes.paced("paced", &quotas, 1, None, now).taken, 1);
        assert!(lanes.may_go("paced", now));
    }

    #[tokio::test]
    async fn only_so_many_are_on_the_way_at_a_time() {
        let lanes = Lanes::default();
        begin(&lanes, OPS, 2 * MAX_PER_RECEIVER);
        let take = || lanes.turns(OPS.0).try_take();
        let turns = |count| -> Vec<_> { (0..count).map_while(|_| take()).collect() };
        let first = turns(2 * MAX_PER_RECEIVER);
        assert_eq!((first.len(), lanes.in_flight(OPS.0)), (8, 8));
        // They are sent, and the next may go while they are recorded, but not those after them.
        let unrecorded: Vec<_> = first.into_iter().map(|turn| turn.unrecorded).collect();
        assert_eq!(lanes.in_flight(OPS.0), 0);
        let second: Vec<_> = turns(MAX_PER_RECEIVER).into_iter().map(|turn| turn.unrecorded).collect();
        assert_eq!((second.len(), turns(1).len()), (8, 0));
        drop(unrecorded);
        assert_eq!(turns(MAX_PER_RECEIVER).len(), 8);
    }

    #[test]
    fn with_very_many_receivers_each_still_has_room() {
        let names: Vec<String> = (0..200).map(|n| format!("r{n}")).collect();
        let receivers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
        let (lanes, now) = (Lanes::default(), Instant::now());
        assert_eq!(rooms(&lanes, &receivers, now).len(), receivers.len());
        // However many hang, the last one is not kept from its own.
        for receiver in &receivers[..199] {
            begin(&lanes, *receiver, 1);
        }
        assert!(rooms(&lanes, &receivers, now).iter().any(|(name, _)| name == "r199"));
    }

    #[test]
    fn a_destination_that_wants_to_be_left_alone_is_and_it_is_known_until_when() {
        let (lanes, now) = (Lanes::default(), Instant::now());
        let pause = Duration::from_secs(30);
        lanes.hold(OPS.1, pause, now);
        lanes.hold(OPS.1, Duration::from_secs(1), now);
        let open = lanes.rooms(&[OPS, DEV, OTHER], now);
        assert_eq!(open.rooms.len(), 1, "both that lead there: {open:?}");
        assert_eq!(open.more_at, Some(now + pause));
        assert_eq!(rooms(&lanes, &[OPS, DEV], now + pause).len(), 1, "one tries it");
    }

    #[test]
    fn a_broken_destination_is_tried_with_one_whoever_leads_there() {
        let (lanes, now) = (Lanes::default(), Instant::now());
        while !lanes.failed(OPS.1, now) {}
        assert!(lanes.is_open(OPS.1));
        let open = lanes.rooms(&[OPS, DEV], now);
        assert_eq!(open.rooms, []);
        let at = open.more_at.unwrap();
        assert_eq!(rooms(&lanes, &[OPS, DEV], at), [("ops".to_owned(), 1)]);
        begin(&lanes, OPS, 1);
        assert_eq!(rooms(&lanes, &[OPS, DEV], at), []);
        lanes.succeeded(OPS.1, AHEAD);
        assert_eq!(room(&lanes, DEV, at), MAX_PER_RECEIVER);
    }

    #[test]
    fn as_much_is_claimed_as_the_pace_will_allow() {
        let quotas = [Quota { interval: Duration::from_secs(1), burst: 5 }];
        let (lanes, now) = (Lanes::default(), Instant::now());
        let leave = lanes.paced(OPS.1, &quotas, 3, None, now);
        assert_eq!((leave.taken, room(&lanes, OPS, now)), (3, 2));
        assert_eq!(lanes.paced(OPS.1, &quotas, 4, None, now).taken, 2);
        assert_eq!(room(&lanes, OPS, now), 0);
        assert_eq!(room(&lanes, OPS, now + Duration::from_secs(1)), 1);
        let redis = Leave { taken: 0, left: 0, next_in: Duration::from_secs(9) };
        lanes.paced(OPS.1, &quotas, 1, Some(redis), now);
        assert_eq!(room(&lanes, OPS, now + Duration::from_secs(8)), 0, "Redis knows better");
    }

    #[test]
    fn destinations_that_nobody_has_any_more_are_forgotten() {
        let (lanes, now) = (Lanes::default(), Instant::now());
        lanes.hold(OPS.1, Duration::from_mins(5), now);
        lanes.forget_all_but(&[OTHER]);
        assert_eq!(room(&lanes, OPS, now), MAX_PER_RECEIVER);
    }
}
