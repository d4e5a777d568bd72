//! Durations as people write them in `tocsin.yaml`: `90s`, `5m`, `1h30m`, `7d`.

use std::time::Duration;

/// The units in which a duration is written, greatest first. No weeks, months or years: those leave room for doubt.
const UNITS: [(&str, u128); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a duration; units may be those of the [`humantime`] crate.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok()
}

/// Writes a duration in a form that [`parse`] reads as the same, down to milliseconds.
#[must_use]
pub fn format(duration: Duration) -> String {
    let mut left = duration.as_millis();
    let mut text = String::new();
    for (unit, length) in UNITS {
        if left >= length {
            text.push_str(&(left / length).to_string());
            text.push_str(unit);
            left %= length;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for text in ["0s", "1ms", "90s", "5m", "1h30m", "7d", "365d", "1d2h3m4s5ms"] {
            let duration = parse(text).unwrap();
            assert_eq!(parse(&format(duration)), Some(duration), "{text}");
        }
        assert_eq!(format(Duration::from_mins(90)), "1h30m");
        assert_eq!(format(Duration::from_hours(365 * 24)), "365d");
    }
}
