//! Inhibition: alerts that keep others quiet while they fire, in Alertmanager's model.
//!
//! A rule is turned into keys, so that what inhibits an alert is found by looking keys up: an alert is inhibited while
//! one of its target keys is among the source keys of the alerts that fire.

use crate::routing::key;
use crate::{Labels, Matchers};

/// While an alert fires that `source` matches, those that `target` matches are quiet, if both have the same values of
/// `equal`.
///
/// An alert that matches both sides is not inhibited by one that does too (nor by itself), but is by one that matches
/// the source side alone: see `inhibit_rule` in <https://prometheus.io/docs/alerting/latest/configuration/>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InhibitionRule {
    /// Names it; unique.
    pub name: String,
    /// Which alerts inhibit.
    pub source: Matchers,
    /// Which are inhibited.
    pub target: Matchers,
    /// The labels that must have the same value in both. An absent label counts as empty, as in Alertmanager.
    pub equal: Vec<String>,
}

impl InhibitionRule {
    /// If the alert can inhibit by this rule: the key by which those that match the target side alone find it.
    #[must_use]
    pub fn source_key(&self, labels: &Labels) -> Option<String> {
        self.source.matches(labels).then(|| self.key(":", labels))
    }

    /// If the alert can be inhibited by this rule: the key that an alert must offer to do so. Of an alert that matches
    /// both sides it is one that only those offer that match the source side alone.
    #[must_use]
    pub fn target_key(&self, labels: &Labels) -> Option<String> {
        let is_source = self.source.matches(labels);
        self.target.matches(labels).then(|| self.key(if is_source { "!:" } else { ":" }, labels))
    }

    /// If the alert matches the source side alone: the key by which those that match both sides find it.
    fn pure_source_key(&self, labels: &Labels) -> Option<String> {
        let is_pure = self.source.matches(labels) && !self.target.matches(labels);
        is_pure.then(|| self.key("!:", labels))
    }

    /// All the keys that the alert offers by this rule: at most two.
    #[must_use]
    pub fn source_keys(&self, labels: &Labels) -> Vec<String> {
        self.source_key(labels).into_iter().chain(self.pure_source_key(labels)).collect()
    }

    fn key(&self, mark: &str, labels: &Labels) -> String {
        key::labelled(&format!("{}{mark}", self.name), self.equal.iter().map(String::as_str), labels)
    }
}

/// All the rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inhibition(Vec<InhibitionRule>);

impl Inhibition {
    /// The rules, whose names must differ.
    #[must_use]
    pub const fn new(rules: Vec<InhibitionRule>) -> Self {
        Self(rules)
    }

    /// The keys under which an alert with these labels inhibits others while it fires: at most two for each rule.
    #[must_use]
    pub fn source_keys(&self, labels: &Labels) -> Vec<String> {
        self.0.iter().flat_map(|rule| rule.source_keys(labels)).collect()
    }

    /// The keys any of which keeps an alert with these labels quiet: at most one for each rule.
    #[must_use]
    pub fn target_keys(&self, labels: &Labels) -> Vec<String> {
        self.0.iter().filter_map(|rule| rule.target_key(labels)).collect()
    }

    /// The rules.
    pub fn iter(&self) -> std::slice::Iter<'_, InhibitionRule> {
        self.0.iter()
    }

    /// Whether there is no rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Inhibition {
    type Item = &'a InhibitionRule;
    type IntoIter = std::slice::Iter<'a, InhibitionRule>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn inhibition(source: &str, target: &str, equal: &[&str]) -> Inhibition {
        Inhibition::new(vec![InhibitionRule {
            name: "rule".to_owned(),
            source: source.parse().unwrap(),
            target: target.parse().unwrap(),
            equal: equal.iter().map(|&name| name.to_owned()).collect(),
        }])
    }

    fn inhibits(rules: &Inhibition, source: &[(&str, &str)], target: &[(&str, &str)]) -> bool {
        let offered = rules.source_keys(&labels(source));
        rules.target_keys(&labels(target)).iter().any(|key| offered.contains(key))
    }

    #[test]
    fn a_source_inhibits_the_targets_that_share_its_values() {
        let rules = inhibition("severity=critical", "severity=warning", &["cluster", "team"]);
        let source = [("severity", "critical"), ("cluster", "a")];
        assert!(inhibits(&rules, &source, &[("severity", "warning"), ("cluster", "a")]));
        assert!(inhibits(&rules, &source, &[("severity", "warning"), ("cluster", "a"), ("team", "")]));
        assert!(!inhibits(&rules, &source, &[("severity", "warning"), ("cluster", "b")]));
        assert!(!inhibits(&rules, &source, &[("severity", "info"), ("cluster", "a")]));
        assert!(!inhibits(&rules, &source, &source));
    }

    #[test]
    fn what_matches_both_sides_is_inhibited_only_by_what_matches_the_source_alone() {
        let rules = inhibition("a=1", "b=1", &[]);
        let (source, both, target) = ([("a", "1")], [("a", "1"), ("b", "1")], [("b", "1")]);
        assert!(!inhibits(&rules, &both, &both));
        assert!(inhibits(&rules, &both, &target));
        assert!(inhibits(&rules, &source, &both));
        assert!(inhibits(&rules, &source, &target));
        assert!(!inhibits(&rules, &target, &both));
    }

    #[test]
    fn keys_are_bounded() {
        let rules = inhibition("a=~.+", "b=1", &["a"]);
        let keys = rules.source_keys(&labels(&[("a", &"x".repeat(5_000))]));
        assert!(keys.len() == 2 && keys.iter().all(|key| key.len() <= crate::routing::MAX_GROUP_KEY_BYTES), "{keys:?}");
    }
}
