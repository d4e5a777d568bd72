//! What was handed out last of each incident.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

use tocsin_shared::IncidentId;

use super::frame::Frame;

/// Most incidents whose last state is remembered.
const MAX_SEEN: usize = 20_000;

/// A position of the stream, in order.
type Place = (u64, u64);

/// Which state of each incident was handed out last, as a hash, so that it is not handed out twice; and the position behind which
/// everybody has it, once the stream has told of it.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<IncidentId, (u64, Option<Place>)>);

impl Seen {
    /// Whether this state is another than the last one. `position` is where the stream tells of it; none if it was found otherwise.
    pub(super) fn is_fresh(&mut self, id: IncidentId, frame: &Frame, position: Option<&str>) -> bool {
        let hash = hash(frame);
        let place = position.and_then(place);
        if self.0.len() >= MAX_SEEN {
            self.0.clear();
        }
        let known = self.0.get(&id).filter(|(last, _)| *last == hash).copied();
        self.0.insert(id, (hash, known.and_then(|(_, place)| place).or(place)));
        known.is_none()
    }

    /// Whether a client that has read up to `position` has got this state.
    pub(super) fn was_told(&self, id: IncidentId, frame: &Frame, position: &str) -> bool {
        let told = self.0.get(&id).filter(|(last, _)| *last == hash(frame)).and_then(|(_, place)| *place);
        told.zip(place(position)).is_some_and(|(told, read)| told <= read)
    }
}

fn hash(frame: &Frame) -> u64 {
    let mut hasher = DefaultHasher::new();
    frame.data().hash(&mut hasher);
    hasher.finish()
}

fn place(position: &str) -> Option<Place> {
    let (time, sequence) = position.split_once('-')?;
    Some((time.parse().ok()?, sequence.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_fresh_once_and_told_only_to_those_behind_the_place_where_the_stream_tells_of_it() {
        let (mut seen, id) = (Seen::default(), IncidentId::generate());
        let [one, two] = ["018f0000-0000-7000-8000-000000000000", "018f0000-0000-7000-8000-000000000001"]
            .map(|id| Frame::silence(id.parse().unwrap()).unwrap());
        assert!(seen.is_fresh(id, &one, None));
        assert!(
            !seen.was_told(id, &one, "9-0"),
            "it was found: who was away has no position that says whether it has it"
        );
        assert!(!seen.is_fresh(id, &one, Some("10-2")) && !seen.is_fresh(id, &one, None));
        for (position, is_told) in [("9-7", false), ("10-1", false), ("10-2", true), ("11-0", true), ("x", false)] {
            assert_eq!(seen.was_told(id, &one, position), is_told, "{position}");
        }
        assert!(seen.is_fresh(id, &two, Some("12-0")) && !seen.was_told(id, &one, "12-0"));
    }
}
