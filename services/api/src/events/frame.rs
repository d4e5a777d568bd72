//! The text of events.

use serde::Serialize;
use tocsin_shared::SilenceId;
use tocsin_store::IncidentRecord;

use crate::views::IncidentView;

/// One event, without an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    event: &'static str,
    data: String,
}

#[derive(Serialize)]
struct Id {
    id: SilenceId,
}

impl Frame {
    pub(super) fn incident(record: IncidentRecord) -> Result<Self, serde_json::Error> {
        Ok(Self { event: "incident", data: serde_json::to_string(&IncidentView::from(record))? })
    }

    pub(super) fn silence(id: SilenceId) -> Result<Self, serde_json::Error> {
        Ok(Self { event: "silence", data: serde_json::to_string(&Id { id })? })
    }

    pub(super) fn dead_letter() -> Self {
        Self { event: "dead_letter", data: "{}".to_owned() }
    }

    /// By which the same state is known again.
    pub(super) fn data(&self) -> &str {
        &self.data
    }
}

/// Events in one text. The last has the position behind all of them, so that who is cut off in between gets all of them again;
/// without events the position stands alone, which is no event.
pub(super) fn joined(frames: &[Frame], position: Option<&str>) -> String {
    use std::fmt::Write as _;

    let Some((last, others)) = frames.split_last() else {
        return self::position(position);
    };
    let mut text = String::new();
    // Writing to a String does not fail; JSON has no line breaks of its own.
    for Frame { event, data } in others {
        let _ = write!(text, "event: {event}\ndata: {data}\n\n");
    }
    let Frame { event, data } = last;
    let _ = write!(text, "{}event: {event}\ndata: {data}\n\n", id(position));
    text
}

/// Says that everything is to be loaded anew.
pub(super) fn reset(position: Option<&str>) -> String {
    format!("{}event: reset\ndata: {{}}\n\n", id(position))
}

/// Says where a client is, without an event.
pub(super) fn position(position: Option<&str>) -> String {
    format!("{}\n", id(position))
}

fn id(position: Option<&str>) -> String {
    position.map_or_else(String::new, |position| format!("id: {position}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_event_of_a_batch_has_its_position() {
        let silence = Frame::silence("01990a3e-0000-7000-8000-000000000000".parse().unwrap()).unwrap();
        let text = joined(&[silence, Frame::dead_letter()], Some("7-1"));
        let expected = "event: silence\ndata: {\"id\":\"01990a3e-0000-7000-8000-000000000000\"}\n\n\
                        id: 7-1\nevent: dead_letter\ndata: {}\n\n";
        assert_eq!(text, expected);
        assert_eq!(joined(&[], Some("7-1")), "id: 7-1\n\n");
        assert_eq!(joined(&[Frame::dead_letter()], None), "event: dead_letter\ndata: {}\n\n");
        assert_eq!(
            (reset(Some("7-1")).as_str(), position(None).as_str()),
            ("id: 7-1\nevent: reset\ndata: {}\n\n", "\n")
        );
    }
}
