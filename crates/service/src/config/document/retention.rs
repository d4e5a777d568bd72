//! `retention`: how long what is over is kept.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;

use super::Faults;

const DAY: Duration = Duration::from_hours(24);
/// From a day, so that nothing goes before anybody has looked, to ten years.
const BOUNDS: RangeInclusive<Duration> = DAY..=Duration::from_hours(3_650 * 24);

/// `retention`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionSection {
    events: Option<String>,
    incidents: Option<String>,
}

/// How long what is over is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Raw events, since they came in.
    pub events: Duration,
    /// Resolved incidents and what belongs to them, since they were resolved.
    pub incidents: Duration,
}

impl Default for Retention {
    /// Events for a week, and incidents for a year.
    fn default() -> Self {
        Self { events: 7 * DAY, incidents: 365 * DAY }
    }
}

impl RetentionSection {
    pub(super) fn build(&self, faults: &mut Faults) -> Retention {
        let default = Retention::default();
        let mut duration = |key, text: &Option<String>| faults.duration(key, text.as_ref(), &BOUNDS);
        Retention {
            events: duration("retention.events", &self.events).unwrap_or(default.events),
            incidents: duration("retention.incidents", &self.incidents).unwrap_or(default.incidents),
        }
    }
}
