//! Keys: texts that name a group by the values of its labels.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::Labels;

/// Longest group key kept as text, in bytes. Longer ones end in a hash, because a database index has a bound.
pub const MAX_GROUP_KEY_BYTES: usize = 512;

/// `prefix{a="b", c="d"}`, bounded. An absent label counts as empty, as in Alertmanager.
pub(crate) fn labelled<'a>(prefix: &str, names: impl IntoIterator<Item = &'a str>, labels: &Labels) -> String {
    let mut key = format!("{prefix}{{");
    for (index, name) in names.into_iter().enumerate() {
        let value = labels.get(name).map_or("", String::as_str);
        let separator = if index == 0 { "" } else { ", " };
        // As a JSON value, whose escaping no compiler version changes. Writing to a String does not fail.
        let _ = write!(key, "{separator}{name}={}", serde_json::Value::from(value));
    }
    key.push('}');
    bounded_key(key)
}

/// The key itself, or, if it is too long, its beginning and a hash of the whole.
pub(crate) fn bounded_key(mut key: String) -> String {
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
