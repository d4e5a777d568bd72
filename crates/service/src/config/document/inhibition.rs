//! `inhibit_rules`: what keeps what quiet.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;
use tocsin_shared::{Inhibition, InhibitionRule};

use super::Faults;

/// Most rules.
const MAX_RULES: usize = 1_000;
/// Longest name, in bytes.
const MAX_NAME_BYTES: usize = 100;
/// Most labels that must be equal.
const MAX_EQUAL: usize = 32;

/// One of `inhibit_rules`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InhibitionSection {
    name: Option<String>,
    source_matchers: Vec<String>,
    target_matchers: Vec<String>,
    equal: Vec<String>,
    source_match: Option<serde_json::Value>,
    source_match_re: Option<serde_json::Value>,
    target_match: Option<serde_json::Value>,
    target_match_re: Option<serde_json::Value>,
}

/// The rules that the sections describe; what is wrong with them is left in `faults`.
pub(super) fn build(sections: &[InhibitionSection], faults: &mut Faults) -> Inhibition {
    if sections.len() > MAX_RULES {
        faults.add(
            "inhibit_rules",
            "holds more than 1,000",
            "join those that differ in a value by a regular expression",
        );
    }
    let mut names = BTreeSet::new();
    let mut unnamed: HashMap<String, usize> = HashMap::new();
    let mut rules = Vec::new();
    for (index, section) in sections.iter().enumerate() {
        let path = format!("inhibit_rules[{index}]");
        let mut rule = section.build(&path, faults);
        if let Some(name) = &section.name {
            if name.is_empty() || name.len() > MAX_NAME_BYTES {
                faults.add(format!("{path}.name"), "must have 1 to 100 bytes", "give a short name, or none");
            }
            if !names.insert(name) {
                let fault = format!("`{name}` is given twice");
                faults.add(format!("{path}.name"), fault, "give each rule its own name, or none");
            }
        } else {
            let times = unnamed.entry(rule.name.clone()).or_default();
            *times += 1;
            if *times > 1 {
                rule.name = format!("{}#{times}", rule.name);
            }
        }
        rules.push(rule);
    }
    Inhibition::new(rules)
}

impl InhibitionSection {
    fn build(&self, path: &str, faults: &mut Faults) -> InhibitionRule {
        for (name, old, new) in [
            ("source_match", &self.source_match, "source_matchers"),
            ("source_match_re", &self.source_match_re, "source_matchers"),
            ("target_match", &self.target_match, "target_matchers"),
            ("target_match_re", &self.target_match_re, "target_matchers"),
        ] {
            let remedy = format!("use {new}, or let import-alertmanager convert the file");
            faults.not_taken(format!("{path}.{name}"), old.is_some(), &remedy);
        }
        let source = faults.matchers(&format!("{path}.source_matchers"), &self.source_matchers);
        let target = faults.matchers(&format!("{path}.target_matchers"), &self.target_matchers);
        if self.source_matchers.is_empty() && self.target_matchers.is_empty() {
            faults.add(path, "has no matchers and no effect", "say what inhibits, and what is inhibited");
        }
        faults.label_names(&format!("{path}.equal"), &self.equal, MAX_EQUAL);
        let name = self.name.clone().unwrap_or_else(|| format!("{source} inhibits {target}"));
        InhibitionRule { name, source, target, equal: self.equal.clone() }
    }
}
