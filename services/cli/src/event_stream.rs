//! Server-sent events, as they come (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::time::Duration;

/// Longest block that is waited for, in bytes.
const MAX_BLOCK: usize = 64 << 20;

/// What one block of the stream says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    /// Where the stream is, behind this block.
    pub(crate) id: Option<String>,
    pub(crate) event: Option<Event>,
    /// How long to wait before coming back.
    pub(crate) retry: Option<Duration>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: String,
}

/// The bytes that make no block yet.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    bytes: Vec<u8>,
    /// Up to where there is no end of a block.
    seen: usize,
}

impl Parser {
    /// Takes more bytes; false if a block would become too long.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> bool {
        self.bytes.extend_from_slice(bytes);
        self.bytes.len() <= MAX_BLOCK
    }

    /// The next whole block.
    pub(crate) fn next(&mut self) -> Option<Block> {
        let from = self.seen;
        let Some(end) = self.bytes.get(from..)?.windows(2).position(|pair| pair == b"\n\n") else {
            self.seen = self.bytes.len().saturating_sub(1);
            return None;
        };
        let rest = self.bytes.split_off(from + end + 2);
        let block = std::mem::replace(&mut self.bytes, rest);
        self.seen = 0;
        Some(read(&String::from_utf8_lossy(&block)))
    }
}

fn read(text: &str) -> Block {
    let (mut block, mut name, mut data) = (Block::default(), None, None::<String>);
    for line in text.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => name = Some(value.to_owned()),
            "data" => match &mut data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => data = Some(value.to_owned()),
            },
            "id" if !value.contains('\0') => block.id = Some(value.to_owned()),
            "retry" => block.retry = value.parse().ok().map(Duration::from_millis),
            // A comment, or what nobody knows.
            _ => {}
        }
    }
    block.event = data.map(|data| Event { name: name.unwrap_or_else(|| "message".to_owned()), data });
    block
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &str = "retry: 1000\nid: 7-1\n\n: \n\nevent: incident\ndata: {\"title\":\"Füllstand\"}\n\n\
                          id: 7-2\nevent: reset\ndata: {}\n\ndata: a\ndata:b\n\nevent: unfinished\n";

    fn all(parser: &mut Parser) -> Vec<Block> {
        std::iter::from_fn(|| parser.next()).collect()
    }

    fn event(name: &str, data: &str) -> Event {
        Event { name: name.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn a_block_says_where_the_stream_is_and_what_has_happened() {
        let mut parser = Parser::default();
        assert!(parser.push(STREAM.as_bytes()));
        let expected = [
            Block { id: Some("7-1".to_owned()), retry: Some(Duration::from_secs(1)), event: None },
            Block::default(),
            Block { event: Some(event("incident", "{\"title\":\"Füllstand\"}")), ..Block::default() },
            Block { id: Some("7-2".to_owned()), event: Some(event("reset", "{}")), retry: None },
            Block { event: Some(event("message", "a\nb")), ..Block::default() },
        ];
        assert_eq!(all(&mut parser), expected);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_stream_is_cut(cuts in prop::collection::vec(0..STREAM.len(), 0..12)) {
            let mut whole = Parser::default();
            whole.push(STREAM.as_bytes());
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let mut parser = Parser::default();
            let mut blocks = Vec::new();
            for pair in cuts.windows(2) {
                parser.push(&STREAM.as_bytes()[pair[0]..pair[1]]);
                blocks.extend(all(&mut parser));
            }
            prop_assert_eq!(blocks, all(&mut whole));
        }
    }
}
