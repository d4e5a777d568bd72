//! Reading a file of which nothing may be overlooked.

use std::collections::BTreeMap;

use serde_json::Value;
use tocsin_service::config::{ConfigError, Problem};

use super::Note;

/// What was noted and what is wrong, so far.
#[derive(Debug, Default)]
pub(super) struct Reader {
    notes: Vec<Note>,
    faults: Vec<Problem>,
}

impl Reader {
    /// Something that is not carried over as it stands.
    pub(super) fn note(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.notes.push(Note { path: path.into(), text: text.into() });
    }

    /// Something that no Alertmanager would take either.
    pub(super) fn fault(&mut self, path: impl Into<String>, fault: impl Into<String>) {
        self.faults.push(Problem::new(
            path,
            fault,
            "correct it; `amtool check-config` says what Alertmanager thinks of it",
        ));
    }

    /// The notes, unless something is wrong.
    pub(super) fn finish(self) -> Result<Vec<Note>, ConfigError> {
        if self.faults.is_empty() { Ok(self.notes) } else { Err(ConfigError { problems: self.faults }) }
    }

    /// A scalar as the text that Alertmanager takes it for.
    pub(super) fn text(&mut self, path: &str, value: &Value) -> String {
        match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => {
                let text = value.to_string();
                self.note(path, format!("is not quoted; taken for the text `{text}`"));
                text
            }
            _ => {
                self.fault(path, "is not a text");
                String::new()
            }
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, path: &str, value: Option<&Value>) -> Vec<String> {
        let items = self.list(path, value);
        items.iter().enumerate().map(|(index, item)| self.text(&format!("{path}[{index}]"), item)).collect()
    }

    /// A list, or nothing.
    pub(super) fn list<'a>(&mut self, path: &str, value: Option<&'a Value>) -> &'a [Value] {
        match value {
            None => &[],
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.fault(path, "is not a list");
                &[]
            }
        }
    }
}

/// A mapping of the file, of which each key is taken once or noted.
#[derive(Debug)]
pub(super) struct Section<'a> {
    path: String,
    left: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Section<'a> {
    pub(super) fn of(path: impl Into<String>, value: &'a Value, reader: &mut Reader) -> Self {
        let path = path.into();
        let left = match value {
            Value::Null => BTreeMap::new(),
            Value::Object(map) => map.iter().map(|(key, value)| (key.as_str(), value)).collect(),
            _ => {
                reader.fault(if path.is_empty() { "alertmanager.yml" } else { &path }, "is not a mapping");
                BTreeMap::new()
            }
        };
        Self { path, left }
    }

    /// The path of one of its keys.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The value of a key, if it has one that is not null.
    pub(super) fn take(&mut self, key: &str) -> Option<&'a Value> {
        self.left.remove(key).filter(|value| !value.is_null())
    }

    pub(super) fn take_text(&mut self, key: &str, reader: &mut Reader) -> Option<String> {
        let value = self.take(key)?;
        Some(reader.text(&self.key(key), value)).filter(|text| !text.is_empty())
    }

    pub(super) fn take_list(&mut self, key: &str, reader: &mut Reader) -> &'a [Value] {
        let value = self.take(key);
        reader.list(&self.key(key), value)
    }

    pub(super) fn take_texts(&mut self, key: &str, reader: &mut Reader) -> Vec<String> {
        let value = self.take(key);
        reader.texts(&self.key(key), value)
    }

    /// The names of the keys that nobody has taken.
    pub(super) fn rest(&self) -> impl Iterator<Item = &'a str> {
        self.left.iter().filter(|(_, value)| !value.is_null()).map(|(&key, _)| key)
    }

    /// Notes each key that nobody has taken.
    pub(super) fn note_rest(self, text: &str, reader: &mut Reader) {
        for key in self.rest() {
            reader.note(self.key(key), text);
        }
    }
}
