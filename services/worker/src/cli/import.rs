//! `import-alertmanager`: a `tocsin.yaml` from the file of an Alertmanager.
//!
//! The tree of routes and the inhibition rules are carried over whole, with Alertmanager's default timings made explicit.
//! What cannot be carried over is noted with its place in the file; nothing is dropped silently. No secret is copied.

mod inhibition;
mod receivers;
mod routes;
mod section;
mod yaml;

use std::fmt;
use std::path::Path;

use serde_json::Value;
use tocsin_service::config::{ConfigError, Document, Problem};

use receivers::Globals;
use section::{Reader, Section};

/// A configuration for Tocsin, and what it lacks.
#[derive(Debug)]
pub(super) struct Imported {
    /// Text that `check-config` accepts.
    pub yaml: String,
    /// What was not carried over, or needs somebody's hand.
    pub notes: Vec<Note>,
}

/// Something in the file that is not carried over as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    path: String,
    text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // On one line whatever the file's keys hold, since it becomes a comment.
        let line = format!("{}: {}", self.path, self.text);
        f.write_str(&line.split(char::is_control).collect::<Vec<_>>().join(" "))
    }
}

/// Reads an `alertmanager.yml`.
pub(super) fn read(file: &Path) -> Result<Imported, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let remedy = "name the configuration file of an Alertmanager";
        one(Problem::new(file.display().to_string(), format!("cannot be read: {error}"), remedy))
    })?;
    convert(&text)
}

fn convert(text: &str) -> Result<Imported, ConfigError> {
    let value: Value = serde_saphyr::from_str(text).map_err(|error| {
        let fault = format!("is not YAML: {}", error.without_snippet());
        one(Problem::new("alertmanager.yml", fault, "correct the syntax there"))
    })?;
    let mut reader = Reader::default();
    let mut file = Section::of("", &value, &mut reader);

    let global = file.take("global");
    let globals = globals(global, &mut reader);
    let mut lines = routes::root(file.take("route"), &mut reader);
    lines.extend(inhibition::rules(file.take("inhibit_rules"), &mut reader));
    lines.extend(receivers::receivers(file.take("receivers"), &globals, &mut reader));
    for key in ["mute_time_intervals", "time_intervals"] {
        for (index, _) in file.take_list(key, &mut reader).iter().enumerate() {
            reader.note(format!("{key}[{index}]"), "not carried over; declare a silence with a recurrence instead");
        }
    }
    for (index, _) in file.take_list("templates", &mut reader).iter().enumerate() {
        reader.note(format!("templates[{index}]"), "not carried over; a route's `title` is a template of Tocsin's own");
    }
    file.note_rest("not carried over; Tocsin does not know it", &mut reader);

    let notes = reader.finish()?;
    let yaml = document(&lines, &notes);
    // What Tocsin would not take must not leave here.
    Document::parse(&yaml)?;
    Ok(Imported { yaml, notes })
}

/// What receivers have from there that name it not themselves.
fn globals(global: Option<&Value>, reader: &mut Reader) -> Globals {
    let Some(global) = global else { return Globals::default() };
    let mut section = Section::of("global", global, reader);
    let slack_address = ["slack_api_url", "slack_api_url_file"].map(|key| section.take(key).is_some());
    // It belongs to the user name, and is noted where that is used.
    let _password = ["smtp_auth_password", "smtp_auth_password_file"].map(|key| section.take(key));
    let globals = Globals {
        has_slack_address: slack_address.contains(&true),
        smarthost: section.take_text("smtp_smarthost", reader),
        from: section.take_text("smtp_from", reader),
        username: section.take_text("smtp_auth_username", reader),
    };
    if section.take("resolve_timeout").is_some() {
        let text = "not carried over; alerts without an end count as resolved only if you give the integration that brings them \
                    (or `webhooks`) a `resolve_timeout`";
        reader.note("global.resolve_timeout", text);
    }
    section.note_rest("not carried over; it concerns what Tocsin does not have", reader);
    globals
}

fn document(lines: &[String], notes: &[Note]) -> String {
    let mut head = vec!["# Made of an alertmanager.yml by tocsin-worker import-alertmanager.".to_owned()];
    if !notes.is_empty() {
        head.push("#".to_owned());
        head.push("# What was not carried over, or needs your hand, by its place in that file:".to_owned());
        head.extend(notes.iter().map(|note| format!("#   {note}")));
    }
    head.push(String::new());
    format!("{}\n{}\n", head.join("\n"), lines.join("\n"))
}

fn one(problem: Problem) -> ConfigError {
    ConfigError { problems: vec![problem] }
}

#[cfg(test)]
mod tests;
