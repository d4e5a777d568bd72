//! Tags as labels.

use std::collections::{BTreeMap, BTreeSet};

use tocsin_shared::Labels;

/// The value of a label that stands for a tag without one.
const PRESENT: &str = "true";
/// The scope of a monitor that is not grouped.
const EVERYTHING: &str = "*";

/// Reads comma-separated tags. `env:prod` becomes a label, a tag of several values one label with all of them, and a
/// tag without a value a label that is `true`.
pub(super) fn labels<'a>(lists: impl IntoIterator<Item = Option<&'a str>>) -> Labels {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for tag in lists.into_iter().flatten().flat_map(|list| list.split(',')).map(str::trim) {
        let (name, value) = tag.split_once(':').unwrap_or((tag, PRESENT));
        if !name.is_empty() && !value.is_empty() && tag != EVERYTHING {
            values.entry(name).or_default().insert(value);
        }
    }
    let joined = |values: BTreeSet<&str>| values.into_iter().collect::<Vec<_>>().join(",");
    values.into_iter().map(|(name, values)| (name.to_owned(), joined(values))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_become_labels() {
        let found = labels([
            Some("env:prod, team:a,team:b,url:http://x/?a:b,monitor,,:v,w:"),
            None,
            Some("*"),
            Some("env:prod"),
        ]);
        let expected = [("env", "prod"), ("monitor", "true"), ("team", "a,b"), ("url", "http://x/?a:b")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }
}
