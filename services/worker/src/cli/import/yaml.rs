//! Writing YAML: lines of mappings and lists whose scalars are all quoted where they need to be.

/// A text in single quotes, or in double quotes where it holds what those cannot.
pub(super) fn quoted(text: &str) -> String {
    if text.chars().any(|char| char.is_control() || matches!(char, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')) {
        // JSON's escapes are YAML's.
        serde_json::Value::from(text).to_string()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// `key: 'text'`.
pub(super) fn entry(key: &str, text: &str) -> String {
    format!("{key}: {}", quoted(text))
}

/// `key: ['a', 'b']`.
pub(super) fn list(key: &str, texts: &[String]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
    format!("{key}: [{}]", texts.join(", "))
}

/// A key with lines below it.
pub(super) fn below(key: &str, lines: impl IntoIterator<Item = String>) -> Vec<String> {
    let lines = lines.into_iter().map(|line| format!("  {line}"));
    std::iter::once(format!("{key}:")).chain(lines).collect()
}

/// A key with a list of mappings below it.
pub(super) fn items(key: &str, items: Vec<Vec<String>>) -> Vec<String> {
    if items.is_empty() {
        return vec![format!("{key}: []")];
    }
    below(key, items.into_iter().flat_map(item))
}

fn item(lines: Vec<String>) -> Vec<String> {
    let lines = if lines.is_empty() { vec!["{}".to_owned()] } else { lines };
    let marked = |(index, line): (usize, String)| format!("{}{line}", if index == 0 { "- " } else { "  " });
    lines.into_iter().enumerate().map(marked).collect()
}
