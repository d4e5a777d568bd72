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

/// Length at which a text is long enough, in bytes. What is sent to a client is copied for it, so this, times the clients, is what
/// a large batch of changes costs at a time; a batch in one text might have megabytes.
const PART: usize = 32 * 1024;

/// Events in texts of bounded length. The last has the position behind all of them, so that who is cut off in between gets all of
/// them again; without events the position stands alone, which is no event.
pub(super) fn parts(frames: &[Frame], position: Option<&str>) -> Vec<String> {
    use std::fmt::Write as _;

    let Some((last, others)) = frames.split_last() else {
        return vec![self::position(position)];
    };
    let (mut parts, mut text) = (Vec::new(), String::new());
    // Writing to a String does not fail; JSON has no line breaks of its own.
    for Frame { event, data } in others {
        let _ = write!(text, "event: {event}\ndata: {data}\n\n");
        if text.len() >= PART {
            parts.push(std::mem::take(&mut text));
        }
    }
    let Frame { event, data } = last;
    let _ = write!(text, "{}event: {event}\ndata: {data}\n\n", id(position));
    parts.push(text);
    parts
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
        let text = parts(&[silence, Frame::dead_letter()], Some("7-1"));
        let expected = "event: silence\ndata: {\"id\":\"01990a3e-0000-7000-8000-000000000000\"}\n\n\
                        id: 7-1\nevent: dead_letter\ndata: {}\n\n";
        assert_eq!(text, [expected]);
        assert_eq!(parts(&[], Some("7-1")), ["id: 7-1\n\n"]);
        assert_eq!(parts(&[Frame::dead_letter()], None), ["event: dead_letter\ndata: {}\n\n"]);
        assert_eq!(
            (reset(Some("7-1")).as_str(), position(None).as_str()),
            ("id: 7-1\nevent: reset\ndata: {}\n\n", "\n")
        );
    }

    #[test]
    fn many_events_come_in_parts_and_the_position_comes_last() {
        let large = Frame { event: "incident", data: "x".repeat(PART / 3) };
        let texts = parts(&vec![large; 10], Some("7-1"));
        assert_eq!(texts.len(), 4);
        assert!(texts.iter().all(|text| text.len() < 2 * PART && text.ends_with("\n\n")));
        assert_eq!(texts.concat().matches("event: incident").count(), 10);
        assert!(texts[3].contains("id: 7-1") && !texts[..3].concat().contains("id: "));
    }
}
