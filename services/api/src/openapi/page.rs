//! The document as a page for people: no script, and nothing from elsewhere.

use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind};

const TEMPLATE: &str = include_str!("page.html");
pub(super) const STYLE: &str = include_str!("page.css");

/// The page of a document. What cannot be shown is said on it, and in the log.
pub(super) fn render(document: &serde_json::Value) -> String {
    page(document).unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the page of the API's description cannot be made");
        "<!doctype html><title>Tocsin</title><p>See <a href=\"/openapi.json\">/openapi.json</a>.".to_owned()
    })
}

pub(super) fn page(document: &serde_json::Value) -> Result<String, Error> {
    let mut jinja = Environment::new();
    jinja.set_auto_escape_callback(|_| AutoEscape::Html);
    jinja.add_filter("pretty", |value: Value| {
        serde_json::to_string_pretty(&value).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
    });
    jinja.add_filter("name", |reference: String| reference.rsplit('/').next().unwrap_or_default().to_owned());
    jinja.add_filter("paragraphs", |text: String| text.split("\n\n").map(str::to_owned).collect::<Vec<_>>());
    // Texts mark words by backticks and asterisks, and nothing else.
    jinja.add_filter("marked", |text: String| Value::from_safe_string(marked(&text)));
    jinja.add_filter("kind", |schema: Value| kind(&schema));
    jinja.render_str(TEMPLATE, Serde(document))
}

/// Escapes a text, and shows what stands between backticks or double asterisks as code or strong.
fn marked(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let alternate = |text: &str, mark: &str, name: &str| {
        let parts = text.split(mark).enumerate();
        parts.map(|(at, part)| if at % 2 == 1 { format!("<{name}>{part}</{name}>") } else { part.to_owned() }).collect()
    };
    let strong: String = alternate(&escaped, "**", "strong");
    alternate(&strong, "`", "code")
}

/// What a schema asks for, in a few words.
fn kind(schema: &Value) -> String {
    let get = |name: &str| schema.get_attr(name).ok().filter(|value| !value.is_undefined());
    if let Some(reference) = get("$ref") {
        return reference.to_string().rsplit('/').next().unwrap_or_default().to_owned();
    }
    if let Some(choices) = ["oneOf", "allOf", "anyOf"].into_iter().find_map(get) {
        let kinds = choices.try_iter().into_iter().flatten().map(|choice| kind(&choice));
        return kinds.collect::<Vec<_>>().join(" or ");
    }
    let mut words = vec![match get("type") {
        None => "anything".to_owned(),
        Some(kinds) if kinds.as_str().is_none() => {
            kinds.try_iter().into_iter().flatten().map(|kind| kind.to_string()).collect::<Vec<_>>().join(" or ")
        }
        Some(kind) => kind.to_string(),
    }];
    if let Some(items) = get("items") {
        words = vec![format!("array of {}", kind(&items))];
    }
    if let Some(choices) = get("enum") {
        let choices = choices.try_iter().into_iter().flatten().map(|choice| choice.to_string());
        words = vec![choices.collect::<Vec<_>>().join(", ")];
    }
    for (name, word) in [
        ("format", ""),
        ("minimum", "from "),
        ("maximum", "to "),
        ("maxLength", "length up to "),
        ("maxItems", "at most "),
        ("default", "default "),
    ] {
        if let Some(value) = get(name) {
            words.push(format!("{word}{value}"));
        }
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_marked() {
        assert_eq!(marked("`a<b` and **c**"), "<code>a&lt;b</code> and <strong>c</strong>");
    }
}
