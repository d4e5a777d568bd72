//! What an event says beside its payload, as annotations: one per detail, nested ones as compact JSON.

use serde_json::Value;
use tocsin_shared::Labels;

use crate::sources::{named, non_empty};

/// Everything that describes an event, and does not identify it.
pub(super) struct Details {
    pub(super) custom: Option<Value>,
    pub(super) client: Option<String>,
    pub(super) client_url: Option<String>,
    pub(super) links: Option<Value>,
    pub(super) images: Option<Value>,
}

impl Details {
    /// Annotations by the details' own names. A custom detail whose name is also that of one of the API's fields is
    /// called `custom_details.NAME`.
    pub(super) fn into_annotations(self) -> Labels {
        let mut annotations = named([
            ("client", self.client),
            ("client_url", self.client_url),
            ("links", self.links.and_then(|links| lines(links, "href", "text"))),
            ("images", self.images.and_then(|images| lines(images, "src", "alt"))),
        ]);
        match self.custom {
            Some(Value::Object(details)) => {
                for (name, value) in details {
                    let name = if annotations.contains_key(&name) { format!("custom_details.{name}") } else { name };
                    annotations.extend(compact(value).map(|text| (name, text)));
                }
            }
            Some(other) => annotations.extend(compact(other).map(|text| ("custom_details".to_owned(), text))),
            None => {}
        }
        annotations
    }
}

/// A list of links, one a line: what it is, and where. What has not that form is written as it is.
fn lines(list: Value, address: &str, name: &str) -> Option<String> {
    let Value::Array(items) = list else {
        return compact(list);
    };
    let line = |item: Value| match (item[address].as_str(), item[name].as_str()) {
        (Some(address), Some(name)) if !name.trim().is_empty() => Some(format!("{name}: {address}")),
        (Some(address), _) => Some(address.to_owned()),
        (None, _) => compact(item),
    };
    let lines: Vec<_> = items.into_iter().filter_map(line).collect();
    Some(lines.join("\n"))
}

/// A value in one line; nothing for nothing.
fn compact(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => non_empty(Some(text)),
        other => Some(other.to_string()),
    }
}
