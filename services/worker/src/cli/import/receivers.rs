//! Receivers: their names, and those of their Slack channels. Addresses are secrets, and stay where they are.

use std::collections::BTreeSet;

use serde_json::Value;

use super::section::{Reader, Section};
use super::yaml;

/// Where Alertmanager's other kinds of receivers have their settings.
const KINDS_END: &str = "_configs";
const SLACK: &str = "slack_configs";

/// The lines of `receivers`.
pub(super) fn receivers(value: Option<&Value>, has_slack_address: bool, reader: &mut Reader) -> Vec<String> {
    let mut variables = BTreeSet::new();
    let sections = reader.list("receivers", value);
    let receivers = sections.iter().enumerate().map(|(index, section)| {
        let path = format!("receivers[{index}]");
        receiver(&path, section, has_slack_address, &mut variables, reader)
    });
    yaml::items("receivers", receivers.collect())
}

fn receiver(
    path: &str,
    value: &Value,
    has_slack_address: bool,
    variables: &mut BTreeSet<String>,
    reader: &mut Reader,
) -> Vec<String> {
    let mut section = Section::of(path, value, reader);
    let name = section.take_text("name", reader).unwrap_or_default();
    let mut lines = vec![yaml::entry("name", &name)];
    let channels = section.take_list(SLACK, reader);
    let others: Vec<_> = section.rest().filter(|key| key.ends_with(KINDS_END)).collect();
    if channels.is_empty() && others.is_empty() {
        lines.push("silent: true".to_owned());
    } else {
        let variable = variable(&name, variables);
        if channels.is_empty() {
            let text = format!(
                "tells nobody by Slack in Alertmanager, and does in Tocsin: set {variable} to the address of an \
                                incoming webhook, or make the receiver `silent: true`"
            );
            reader.note(path, text);
        }
        for (index, channel) in channels.iter().enumerate() {
            note_channel(&format!("{path}.{SLACK}[{index}]"), channel, index, &variable, has_slack_address, reader);
        }
        lines.extend(yaml::below("slack", [yaml::entry("webhook_url_env", &variable)]));
    }
    section.note_rest("not carried over; Tocsin tells nobody in this way", reader);
    lines
}

fn note_channel(path: &str, value: &Value, index: usize, variable: &str, has_slack_address: bool, reader: &mut Reader) {
    let mut section = Section::of(path, value, reader);
    if index > 0 {
        reader.note(path, "not carried over; make it a receiver of its own, and a route that continues");
        return;
    }
    let given = [section.take("api_url"), section.take("api_url_file")].into_iter().flatten().count();
    let place = match (given, has_slack_address) {
        (0, true) => "that of global.slack_api_url",
        (0, false) => "that of an incoming webhook",
        _ => "that of its api_url",
    };
    reader.note(path, format!("no address is copied, because it is a secret: set {variable} to {place}"));
    section.note_rest("not carried over; what is written in Slack is Tocsin's", reader);
}

/// The name of an environment variable that no other receiver has.
fn variable(name: &str, taken: &mut BTreeSet<String>) -> String {
    let in_variable = |char: char| if char.is_ascii_alphanumeric() { char.to_ascii_uppercase() } else { '_' };
    let base = format!("TOCSIN_SLACK_{}_URL", name.chars().map(in_variable).collect::<String>());
    let numbered = (2..).map(|number| format!("{base}_{number}"));
    let free = std::iter::once(base.clone()).chain(numbered).find(|name| !taken.contains(name)).unwrap_or(base);
    taken.insert(free.clone());
    free
}
