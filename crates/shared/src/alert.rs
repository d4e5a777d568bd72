//! The normal form of an alert: what every sender's payload becomes before it is stored anywhere.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hasher;

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use crate::named_enum;

/// A label or annotation set, sorted by name.
pub type Labels = BTreeMap<String, String>;

/// The label that names an alert in Alertmanager's model. Every [`AlertEvent`] carries it, so that one grouping rule
/// serves every sender.
pub const ALERTNAME: &str = "alertname";

/// Longest title kept, in characters (the bound of `PagerDuty`'s `summary`, the strictest of the senders).
pub const MAX_TITLE_CHARS: usize = 1_024;
/// Longest description or annotation kept, in characters.
pub const MAX_TEXT_CHARS: usize = 16_384;
/// Longest label name or value kept, in characters.
pub const MAX_LABEL_CHARS: usize = 1_024;
/// Most labels, and most annotations, that are kept of one alert, in the order of their names; [`ALERTNAME`] is always
/// kept.
pub const MAX_LABELS: usize = 128;

named_enum! {
    /// Whether an alert's condition holds.
    pub enum AlertStatus {
        /// The condition holds.
        Firing = "firing",
        /// The condition no longer holds.
        Resolved = "resolved",
    }
}

named_enum! {
    /// How bad a sender says an alert is. Ordered: the worst is the greatest.
    pub enum AlertSeverity {
        /// Nobody needs to act.
        Info = "info",
        /// Somebody should look.
        Warning = "warning",
        /// Somebody must act now.
        Critical = "critical",
    }
}

impl AlertSeverity {
    /// Reads a severity from the words that senders use. An absent or unknown word means `warning`: too loud wakes
    /// somebody needlessly, too quiet loses an alert, and the middle does neither.
    #[must_use]
    pub fn from_word(word: Option<&str>) -> Self {
        match word.map(str::to_ascii_lowercase).as_deref() {
            Some("critical" | "crit" | "fatal" | "emergency" | "page" | "error" | "high" | "sev1" | "p1") => {
                Self::Critical
            }
            Some("info" | "informational" | "information" | "notice" | "low" | "none" | "debug" | "ok") => Self::Info,
            _ => Self::Warning,
        }
    }
}

/// Names an alert within its integration: 16 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a label set by Prometheus' rule (FNV-1a over sorted names and values, each followed by
    /// 0xFF; `model.LabelSet.Fingerprint` in prometheus/common), so that one alert has one fingerprint whether it
    /// comes through Alertmanager's webhook or from Prometheus itself.
    #[must_use]
    pub fn of_labels(labels: &Labels) -> Self {
        let mut hasher = fnv::FnvHasher::default();
        for (name, value) in labels {
            for part in [name, value] {
                hasher.write(part.as_bytes());
                hasher.write(&[0xFF]);
            }
        }
        Self(hex::encode(hasher.finish().to_be_bytes()))
    }

    /// The fingerprint of an alert that its sender names by an id of its own.
    #[must_use]
    pub fn of_external_id(external_id: &str) -> Self {
        Self::of_labels(&Labels::from([("__external_id__".to_owned(), external_id.to_owned())]))
    }

    /// Takes a fingerprint that a sender has computed, if it has the form of one.
    #[must_use]
    pub fn from_sender(text: &str) -> Option<Self> {
        let well_formed = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        well_formed.then(|| Self(text.to_ascii_lowercase()))
    }

    /// Takes a fingerprint that was stored.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The 16 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a sender said about one alert at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertEvent {
    /// Which alert it is about.
    pub fingerprint: Fingerprint,
    /// The sender's own name of the alert, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Whether the condition holds.
    pub status: AlertStatus,
    /// How bad it is.
    pub severity: AlertSeverity,
    /// One line for people.
    pub title: String,
    /// More lines for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Identifying labels; always has [`ALERTNAME`].
    pub labels: Labels,
    /// Describing labels.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub annotations: Labels,
    /// Where the sender shows the alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_url: Option<String>,
    /// When the condition began to hold, if the sender says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// When it stopped, for a resolved alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// Orders the events of one alert: the newest wins, whatever order they arrive in.
    pub event_at: DateTime<Utc>,
    /// When the alert counts as resolved unless it is heard of again, if the sender says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether its sender counts on it that the alert resolves by itself when it is not told of again, but does not say when.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expires: bool,
    /// Whether it only says that the alert is over: then what the alert is like stays as it is known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_bare: bool,
}

impl AlertEvent {
    /// What this event leaves of an alert that was as `known` tells.
    #[must_use]
    pub fn after(&self, known: &Self) -> Self {
        if !self.is_bare {
            return self.clone();
        }
        let Self { fingerprint, status, started_at, ended_at, event_at, .. } = self.clone();
        Self { fingerprint, status, started_at, ended_at, event_at, ..known.clone() }
    }

    /// Whether it says of an alert just what `known` says, perhaps at another time.
    #[must_use]
    pub fn repeats(&self, known: &Self) -> bool {
        let Self { is_bare, .. } = self;
        !is_bare
            && self.status == known.status
            && self.severity == known.severity
            && (self.started_at, self.ended_at) == (known.started_at, known.ended_at)
            && (&self.external_id, &self.title, &self.description, &self.source_url)
                == (&known.external_id, &known.title, &known.description, &known.source_url)
            && (&self.labels, &self.annotations) == (&known.labels, &known.annotations)
    }

    /// Brings texts and times into the bounds of this module and into what Postgres can hold, and fills in
    /// [`ALERTNAME`]. Every source ends with it.
    ///
    /// Overlong texts are cut, with an ellipsis, rather than refused: a cut alert still wakes somebody.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        clean(&mut self.title, MAX_TITLE_CHARS);
        if let Some(description) = &mut self.description {
            clean(description, MAX_TEXT_CHARS);
        }
        for text in [&mut self.external_id, &mut self.source_url].into_iter().flatten() {
            clean(text, MAX_LABEL_CHARS);
        }
        if !(self.labels.contains_key(ALERTNAME) && are_bounded(&self.labels, MAX_LABELS, MAX_LABEL_CHARS)) {
            let mut name = self.labels.remove(ALERTNAME).unwrap_or_else(|| self.title.clone());
            clean(&mut name, MAX_LABEL_CHARS);
            self.labels = bounded_labels(self.labels, MAX_LABELS - 1, MAX_LABEL_CHARS);
            self.labels.insert(ALERTNAME.to_owned(), name);
        }
        if !are_bounded(&self.annotations, MAX_LABELS, MAX_TEXT_CHARS) {
            self.annotations = bounded_labels(self.annotations, MAX_LABELS, MAX_TEXT_CHARS);
        }
        self.event_at = self.event_at.trunc_subsecs(6);
        for time in [&mut self.started_at, &mut self.ended_at, &mut self.expires_at] {
            *time = time.map(|time| time.trunc_subsecs(6));
        }
        self
    }
}

/// Whether a set is surely within its bounds, as nearly all are: those need not be built anew.
fn are_bounded(labels: &Labels, max_labels: usize, max_value_chars: usize) -> bool {
    let are_clean =
        |(name, value): (&String, &String)| is_clean(name, MAX_LABEL_CHARS) && is_clean(value, max_value_chars);
    labels.len() <= max_labels && labels.iter().all(are_clean)
}

fn bounded_labels(labels: Labels, max_labels: usize, max_value_chars: usize) -> Labels {
    labels
        .into_iter()
        .take(max_labels)
        .map(|(mut name, mut value)| {
            clean(&mut name, MAX_LABEL_CHARS);
            clean(&mut value, max_value_chars);
            (name, value)
        })
        .collect()
}

/// Cuts a text to `max` characters and replaces NUL, which JSON can carry and Postgres cannot.
pub(crate) fn clean(text: &mut String, max: usize) {
    if is_clean(text, max) {
        return;
    }
    if text.contains('\0') {
        *text = text.replace('\0', "\u{FFFD}");
    }
    if let Some((end, _)) = text.char_indices().nth(max) {
        text.truncate(end);
        text.pop();
        text.push('…');
    }
}

/// Whether [`clean`] surely leaves a text as it is. There are at least as many bytes as characters.
fn is_clean(text: &str, max: usize) -> bool {
    text.len() <= max && !text.as_bytes().contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn event(title: &str, labels: Labels) -> AlertEvent {
        AlertEvent {
            fingerprint: Fingerprint::of_labels(&labels),
            external_id: None,
            status: AlertStatus::Firing,
            severity: AlertSeverity::Warning,
            title: title.to_owned(),
            description: None,
            labels,
            annotations: Labels::new(),
            source_url: None,
            started_at: None,
            ended_at: None,
            event_at: DateTime::UNIX_EPOCH,
            expires_at: None,
            expires: false,
            is_bare: false,
        }
    }

    #[test]
    fn the_empty_label_set_has_the_fingerprint_that_prometheus_gives_it() {
        // The offset basis of 64-bit FNV-1a, which prometheus/common uses for the empty set.
        assert_eq!(Fingerprint::of_labels(&Labels::new()).as_str(), "cbf29ce484222325");
    }

    #[test]
    fn a_name_and_a_value_cannot_change_places() {
        assert_ne!(Fingerprint::of_labels(&labels(&[("a", "bc")])), Fingerprint::of_labels(&labels(&[("ab", "c")])));
    }

    #[test]
    fn a_senders_fingerprint_is_taken_only_when_it_looks_like_one() {
        assert_eq!(Fingerprint::from_sender("ABCDEF0123456789").unwrap().as_str(), "abcdef0123456789");
        assert_eq!(Fingerprint::from_sender("abcdef"), None);
        assert_eq!(Fingerprint::from_sender("zzzzzzzzzzzzzzzz"), None);
    }

    #[test]
    fn every_event_is_given_a_name_to_group_by() {
        assert_eq!(event("Disk full", Labels::new()).bounded().labels[ALERTNAME], "Disk full");
        assert_eq!(event("t", labels(&[(ALERTNAME, "Named")])).bounded().labels[ALERTNAME], "Named");
    }

    #[test]
    fn too_many_labels_do_not_displace_the_name() {
        let mut many: Labels = (0..2 * MAX_LABELS).map(|n| (format!("a{n:03}"), "x".to_owned())).collect();
        many.insert(ALERTNAME.to_owned(), "Named".to_owned());
        let event = event("t", many).bounded();
        assert_eq!((event.labels.len(), event.labels[ALERTNAME].as_str()), (MAX_LABELS, "Named"));
        assert_eq!(event.clone().bounded(), event);
    }

    #[test]
    fn texts_are_cut_by_characters_and_lose_their_nuls() {
        let long = "ü\0".repeat(MAX_TITLE_CHARS);
        let title = event(&long, Labels::new()).bounded().title;
        assert_eq!(title.chars().count(), MAX_TITLE_CHARS);
        assert!(title.ends_with('…') && !title.contains('\0'));
    }

    #[test]
    fn severities_are_read_from_the_words_that_senders_use() {
        assert_eq!(AlertSeverity::from_word(Some("PAGE")), AlertSeverity::Critical);
        assert_eq!(AlertSeverity::from_word(Some("none")), AlertSeverity::Info);
        assert_eq!(AlertSeverity::from_word(Some("moderate")), AlertSeverity::Warning);
        assert_eq!(AlertSeverity::from_word(None), AlertSeverity::Warning);
    }
}
