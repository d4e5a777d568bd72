//! Windows that come again: "weekdays from 22:00 to 06:00 in Berlin".

use chrono::{DateTime, Datelike, NaiveTime, Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// A window on certain days, by the clock of a place.
///
/// As JSON: `{"days": ["mon", "tue"], "from": "22:00", "to": "06:00", "zone": "Europe/Berlin"}`. Days may be written out
/// and default to all; times are `HH:MM` or `HH:MM:SS`, and the zone is a name of the IANA database, by default `UTC`.
///
/// A window that does not end after it starts crosses midnight, and belongs to the day on which it starts; from a time to
/// the same time is 24 hours. Where clocks are changed, the window follows the clock: it is an hour shorter or longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Recurrence {
    /// On which days it starts; none means every day.
    pub days: Vec<Weekday>,
    /// When it starts, inclusive.
    pub from: NaiveTime,
    /// When it ends, exclusive.
    pub to: NaiveTime,
    /// Whose clock it goes by.
    pub zone: Tz,
}

/// A text that is no recurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecurrenceError {
    /// Not a day.
    #[error("a day must be one of mon, tue, wed, thu, fri, sat, sun")]
    Day,
    /// Not a time.
    #[error("a time must look like 22:00 or 22:00:00")]
    Time,
    /// Not a zone.
    #[error("the zone must be a name of the IANA database, such as Europe/Berlin")]
    Zone,
}

impl Recurrence {
    /// Whether a window is open at that time.
    #[must_use]
    pub fn covers(&self, at: DateTime<Utc>) -> bool {
        let local = at.with_timezone(&self.zone);
        let (today, now) = (local.weekday(), local.time());
        let starts_on = |day: Weekday| self.days.is_empty() || self.days.contains(&day);
        if self.from < self.to {
            return starts_on(today) && self.from <= now && now < self.to;
        }
        (starts_on(today) && self.from <= now) || (starts_on(today.pred()) && now < self.to)
    }
}

/// The form in JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    days: Vec<String>,
    from: String,
    to: String,
    #[serde(default = "utc")]
    zone: String,
}

fn utc() -> String {
    Tz::UTC.name().to_owned()
}

impl TryFrom<Written> for Recurrence {
    type Error = RecurrenceError;

    fn try_from(written: Written) -> Result<Self, RecurrenceError> {
        let mut days = Vec::new();
        for day in written.days {
            let day = day.parse().map_err(|_| RecurrenceError::Day)?;
            if !days.contains(&day) {
                days.push(day);
            }
        }
        Ok(Self {
            days,
            from: time(&written.from)?,
            to: time(&written.to)?,
            zone: written.zone.parse().map_err(|_| RecurrenceError::Zone)?,
        })
    }
}

impl From<Recurrence> for Written {
    fn from(recurrence: Recurrence) -> Self {
        Self {
            days: recurrence.days.iter().map(|day| day.to_string().to_ascii_lowercase()).collect(),
            from: written_time(recurrence.from),
            to: written_time(recurrence.to),
            zone: recurrence.zone.name().to_owned(),
        }
    }
}

fn time(text: &str) -> Result<NaiveTime, RecurrenceError> {
    let parsed = NaiveTime::parse_from_str(text, "%H:%M").or_else(|_| NaiveTime::parse_from_str(text, "%H:%M:%S"));
    parsed.map_err(|_| RecurrenceError::Time)
}

fn written_time(time: NaiveTime) -> String {
    let text = time.format("%H:%M:%S").to_string();
    text.strip_suffix(":00").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recurrence(json: &str) -> Recurrence {
        serde_json::from_str(json).unwrap()
    }

    fn covers(recurrence: &Recurrence, at: &str) -> bool {
        recurrence.covers(at.parse().unwrap())
    }

    #[test]
    fn a_window_within_a_day_is_open_on_its_days() {
        // The second of March 2026 is a Monday.
        let window = recurrence(r#"{"days":["Monday","wed"],"from":"08:00","to":"10:30"}"#);
        assert!(covers(&window, "2026-03-02T08:00:00Z") && covers(&window, "2026-03-04T10:29:59Z"));
        assert!(!covers(&window, "2026-03-02T10:30:00Z") && !covers(&window, "2026-03-03T09:00:00Z"));
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_starts() {
        let window = recurrence(r#"{"days":["fri"],"from":"22:00","to":"06:00"}"#);
        assert!(covers(&window, "2026-03-06T22:00:00Z") && covers(&window, "2026-03-07T05:59:59Z"));
        assert!(!covers(&window, "2026-03-06T05:00:00Z") && !covers(&window, "2026-03-07T22:00:00Z"));
    }

    #[test]
    fn from_a_time_to_the_same_it_is_open_for_a_day() {
        let window = recurrence(r#"{"days":["sat"],"from":"06:00","to":"06:00"}"#);
        assert!(covers(&window, "2026-03-07T06:00:00Z") && covers(&window, "2026-03-08T05:59:59Z"));
        assert!(!covers(&window, "2026-03-07T05:59:59Z") && !covers(&window, "2026-03-08T06:00:00Z"));
    }

    #[test]
    fn a_window_goes_by_the_clock_of_its_place_when_clocks_are_changed() {
        // Berlin's clocks go forward on the 29th of March 2026.
        let window = recurrence(r#"{"from":"08:00","to":"09:00","zone":"Europe/Berlin"}"#);
        assert!(covers(&window, "2026-03-28T07:30:00Z") && !covers(&window, "2026-03-28T06:30:00Z"));
        assert!(covers(&window, "2026-03-29T06:30:00Z") && !covers(&window, "2026-03-29T07:30:00Z"));
    }

    #[test]
    fn it_is_written_in_one_form() {
        let window = recurrence(r#"{"days":["Sunday","sun"],"from":"8:00","to":"09:00:30"}"#);
        let json = r#"{"days":["sun"],"from":"08:00","to":"09:00:30","zone":"UTC"}"#;
        assert_eq!(serde_json::to_string(&window).unwrap(), json);
        assert_eq!(recurrence(json), window);
    }

    #[test]
    fn what_is_no_recurrence_is_refused_with_what_would_be() {
        for (json, said) in [
            (r#"{"days":["someday"],"from":"8:00","to":"9:00"}"#, "sun"),
            (r#"{"from":"8","to":"9:00"}"#, "22:00"),
            (r#"{"from":"24:00","to":"9:00"}"#, "22:00"),
            (r#"{"from":"8:00","to":"9:00","zone":"Berlin"}"#, "IANA"),
            (r#"{"from":"8:00"}"#, "to"),
        ] {
            let error = serde_json::from_str::<Recurrence>(json).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
