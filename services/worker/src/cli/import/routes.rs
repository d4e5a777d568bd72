//! Routes and matchers.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;
use tocsin_service::config::{document::TimingBounds, duration};
use tocsin_shared::{MatchOp, Matcher, Matchers};

use super::section::{Reader, Section};
use super::yaml;

/// Alertmanager's own timings, which the root has unless it says otherwise.
const TIMINGS: [(&str, &str, RangeInclusive<Duration>); 3] = [
    ("group_wait", "30s", TimingBounds::GROUP_WAIT),
    ("group_interval", "5m", TimingBounds::GROUP_INTERVAL),
    ("repeat_interval", "4h", TimingBounds::REPEAT_INTERVAL),
];
const DAYS_IN_A_YEAR: u32 = 365;

/// The lines of `route`.
pub(super) fn root(value: Option<&Value>, reader: &mut Reader) -> Vec<String> {
    let Some(value) = value else {
        reader.fault("route", "is missing");
        return Vec::new();
    };
    yaml::below("route", route("route", value, true, reader))
}

fn route(path: &str, value: &Value, is_root: bool, reader: &mut Reader) -> Vec<String> {
    let mut section = Section::of(path, value, reader);
    let mut lines = Vec::new();
    let matchers = matchers(&mut section, ["matchers", "match", "match_re"], reader);
    if !matchers.is_empty() {
        lines.push(yaml::list("matchers", &matchers));
    }
    lines.extend(section.take_text("receiver", reader).map(|name| yaml::entry("receiver", &name)));
    let group_by = section.take_texts("group_by", reader);
    // Without any, Alertmanager's root makes one group of everything, and another route has its parent's.
    if is_root || !group_by.is_empty() {
        lines.push(yaml::list("group_by", &group_by));
    }
    for (key, default, bounds) in TIMINGS {
        let given = section.take_text(key, reader).or_else(|| is_root.then(|| default.to_owned()));
        lines.extend(
            given
                .and_then(|text| timing(&section.key(key), &text, &bounds, reader))
                .map(|text| format!("{key}: {text}")),
        );
    }
    match section.take("continue") {
        Some(Value::Bool(true)) => lines.push("continue: true".to_owned()),
        None | Some(Value::Bool(false)) => {}
        Some(_) => reader.fault(section.key("continue"), "is not true or false"),
    }
    let children = section.take_list("routes", reader);
    if !children.is_empty() {
        let below = |(index, child)| route(&format!("{path}.routes[{index}]"), child, false, reader);
        lines.extend(yaml::items("routes", children.iter().enumerate().map(below).collect()));
    }
    for key in ["mute_time_intervals", "active_time_intervals"] {
        if section.take(key).is_some() {
            let text =
                "not carried over: the route is in force all the time; declare a silence with a recurrence instead";
            reader.note(section.key(key), text);
        }
    }
    section.note_rest("not carried over; Tocsin does not know it", reader);
    lines
}

/// A timing in Tocsin's form and bounds. A year has 365 days in Alertmanager.
fn timing(path: &str, text: &str, bounds: &RangeInclusive<Duration>, reader: &mut Reader) -> Option<String> {
    let years_as_days = |text: &str| {
        let (years, rest) = text.split_once('y')?;
        let days = years.parse::<u32>().ok()?.checked_mul(DAYS_IN_A_YEAR)?;
        Some(format!("{days}d{rest}"))
    };
    let Some(asked) = duration::parse(&years_as_days(text).unwrap_or_else(|| text.to_owned())) else {
        reader.fault(path, "is not a duration");
        return None;
    };
    let given = asked.clamp(*bounds.start(), *bounds.end());
    if given != asked {
        let (asked, given) = (duration::format(asked), duration::format(given));
        reader.note(path, format!("is out of Tocsin's bounds: {asked} became {given}"));
    }
    Some(duration::format(given))
}

/// Matchers in both of Alertmanager's forms: a list of texts, and mappings for values and for regular expressions.
pub(super) fn matchers(section: &mut Section<'_>, keys: [&str; 3], reader: &mut Reader) -> Vec<String> {
    let [list, equal, regex] = keys;
    let mut matchers = Vec::new();
    for (index, text) in section.take_texts(list, reader).iter().enumerate() {
        match text.parse::<Matchers>() {
            Ok(more) => matchers.extend(more.iter().cloned()),
            Err(error) => reader.fault(format!("{}[{index}]", section.key(list)), error.to_string()),
        }
    }
    for (key, op) in [(equal, MatchOp::Equal), (regex, MatchOp::Regex)] {
        let Some(value) = section.take(key) else { continue };
        let mapping = Section::of(section.key(key), value, reader);
        let Value::Object(entries) = value else { continue };
        for (name, value) in entries {
            let path = mapping.key(name);
            let text = reader.text(&path, value);
            match Matcher::new(name, op, text) {
                Ok(matcher) => matchers.push(matcher),
                Err(fault) => reader.fault(path, fault.to_string()),
            }
        }
    }
    matchers.iter().map(ToString::to_string).collect()
}
