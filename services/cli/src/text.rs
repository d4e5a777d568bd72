//! Texts of others: what senders and servers say is shown on a terminal, and must not be able to command it.

use chrono::{DateTime, SecondsFormat, Utc};

/// The text on one line, without characters that a terminal obeys or that change the order of what is seen.
pub(crate) fn clean(text: &str) -> String {
    let shown = |char: char| match char {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => None,
        char if char.is_control() => Some('\u{fffd}'),
        char => Some(char),
    };
    text.chars().filter_map(shown).collect()
}

/// A time as it is shown: UTC, to the second.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Labels as `name=value name=value`.
pub(crate) fn labels<'a>(labels: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let pairs: Vec<String> =
        labels.into_iter().map(|(name, value)| format!("{}={}", clean(name), clean(value))).collect();
    pairs.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(clean("disk\nfull\tnow"), "disk full now");
        assert_eq!(clean("\u{1b}]0;owned\u{7}"), "\u{fffd}]0;owned\u{fffd}");
        assert_eq!(clean("\u{9b}31m \u{202e}txet"), "\u{fffd}31m txet");
        assert_eq!(clean("Füllstand 90 %"), "Füllstand 90 %");
    }
}
