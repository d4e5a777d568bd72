//! Routing: which receiver an alert goes to, and with which others it is grouped, in Alertmanager's model.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::Labels;
use crate::alert::ALERTNAME;

/// Longest group key kept as text, in bytes. Longer ones end in a hash, because a database index has a bound.
pub const MAX_GROUP_KEY_BYTES: usize = 512;

/// The root of the routing tree: every alert matches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Who is told, if anybody.
    pub receiver: Option<String>,
    /// The labels whose values make a group.
    pub group_by: Vec<String>,
}

impl Default for Route {
    /// Nobody is told, and alerts of one name are one group.
    fn default() -> Self {
        Self { receiver: None, group_by: vec![ALERTNAME.to_owned()] }
    }
}

impl Route {
    /// The key of the group that an alert with these labels belongs to. An absent label counts as empty, as in
    /// Alertmanager.
    #[must_use]
    pub fn group_key(&self, labels: &Labels) -> String {
        let mut names: Vec<&str> = self.group_by.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let mut key = String::from("{}:{");
        for (index, name) in names.into_iter().enumerate() {
            let value = labels.get(name).map_or("", String::as_str);
            let separator = if index == 0 { "" } else { ", " };
            // As a JSON value, whose escaping no compiler version changes. Writing to a String does not fail.
            let _ = write!(key, "{separator}{name}={}", serde_json::Value::from(value));
        }
        key.push('}');
        bounded_key(key)
    }
}

fn bounded_key(mut key: String) -> String {
    if key.len() <= MAX_GROUP_KEY_BYTES {
        return key;
    }
    let hash = hex::encode(Sha256::digest(key.as_bytes()));
    let mut end = MAX_GROUP_KEY_BYTES - hash.len() - 1;
    while !key.is_char_boundary(end) {
        end -= 1;
    }
    key.truncate(end);
    key.push('#');
    key.push_str(&hash);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(group_by: &[&str]) -> Route {
        Route { receiver: None, group_by: group_by.iter().map(|&name| name.to_owned()).collect() }
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn alerts_with_the_same_values_share_a_key_whatever_else_they_carry() {
        let route = route(&["cluster", "alertname"]);
        let one = route.group_key(&labels(&[("alertname", "Down"), ("cluster", "a"), ("pod", "1")]));
        let two = route.group_key(&labels(&[("alertname", "Down"), ("cluster", "a"), ("pod", "2")]));
        assert_eq!(one, two);
        assert_eq!(one, r#"{}:{alertname="Down", cluster="a"}"#);
    }

    #[test]
    fn an_absent_label_counts_as_empty() {
        let route = route(&["team"]);
        assert_eq!(route.group_key(&Labels::new()), route.group_key(&labels(&[("team", "")])));
    }

    #[test]
    fn no_value_can_forge_another_groups_key() {
        let route = route(&["a", "b"]);
        let forged = route.group_key(&labels(&[("a", r#"x", b="y"#)]));
        assert_ne!(forged, route.group_key(&labels(&[("a", "x"), ("b", "y")])));
    }

    #[test]
    fn long_keys_are_bounded_and_stay_distinct() {
        let route = route(&["a"]);
        let one = route.group_key(&labels(&[("a", &"é".repeat(2_000))]));
        let two = route.group_key(&labels(&[("a", &"é".repeat(2_001))]));
        assert!(one.len() <= MAX_GROUP_KEY_BYTES && two.len() <= MAX_GROUP_KEY_BYTES);
        assert_ne!(one, two);
    }
}
