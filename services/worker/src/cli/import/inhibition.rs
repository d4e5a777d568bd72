//! Inhibition rules.

use serde_json::Value;

use super::section::{Reader, Section};
use super::{routes, yaml};

/// The lines of `inhibit_rules`.
pub(super) fn rules(value: Option<&Value>, reader: &mut Reader) -> Vec<String> {
    let sections = reader.list("inhibit_rules", value);
    let rules = sections.iter().enumerate().filter_map(|(index, section)| rule(index, section, reader)).collect();
    yaml::items("inhibit_rules", rules)
}

fn rule(index: usize, value: &Value, reader: &mut Reader) -> Option<Vec<String>> {
    let path = format!("inhibit_rules[{index}]");
    let mut section = Section::of(&path, value, reader);
    let name = section.take_text("name", reader);
    let source = routes::matchers(&mut section, ["source_matchers", "source_match", "source_match_re"], reader);
    let target = routes::matchers(&mut section, ["target_matchers", "target_match", "target_match_re"], reader);
    let equal = section.take_texts("equal", reader);
    section.note_rest("not carried over; Tocsin does not know it", reader);
    if source.is_empty() && target.is_empty() {
        reader.note(path, "not carried over: without matchers it has no effect");
        return None;
    }
    let mut lines: Vec<_> = name.map(|name| yaml::entry("name", &name)).into_iter().collect();
    for (key, texts) in [("source_matchers", &source), ("target_matchers", &target), ("equal", &equal)] {
        lines.extend((!texts.is_empty()).then(|| yaml::list(key, texts)));
    }
    Some(lines)
}
