//! Matchers: what routes, silences and inhibition rules ask of an alert's labels, in Alertmanager's syntax and sense.

mod pattern;
mod set;
mod text;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use regex::Regex;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use set::{MAX_MATCHERS, Matchers};
pub use text::{MatcherError, MatcherFault};

use crate::Labels;

/// Longest value of a matcher, in bytes.
pub const MAX_VALUE_BYTES: usize = 16 * 1_024;

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchOp {
    /// `=`: the label has the value.
    Equal,
    /// `!=`: it has another.
    NotEqual,
    /// `=~`: the whole of the label's value matches the regular expression.
    Regex,
    /// `!~`: it does not.
    NotRegex,
}

impl MatchOp {
    /// The operator as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// One condition on one label, such as `severity=~"critical|page"`.
///
/// A label that an alert does not have counts as empty, as in Alertmanager. Regular expressions have RE2's syntax, take
/// time linear in the value, and must match the whole of it. Two matchers are equal when their text is.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: String,
    op: MatchOp,
    value: String,
    regex: Option<Regex>,
}

impl Matcher {
    /// A condition on the label `name`. Fails if the name is empty, the value longer than [`MAX_VALUE_BYTES`], or, for
    /// a regular expression, if it is none.
    pub fn new(name: impl Into<String>, op: MatchOp, value: impl Into<String>) -> Result<Self, MatcherFault> {
        let (name, value) = (name.into(), value.into());
        if name.is_empty() {
            return Err(MatcherFault::NoName);
        }
        if value.len() > MAX_VALUE_BYTES {
            return Err(MatcherFault::ValueTooLong);
        }
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => Some(pattern::anchored(&value)?),
        };
        Ok(Self { name, op, value, regex })
    }

    /// The label's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it compares.
    #[must_use]
    pub const fn op(&self) -> MatchOp {
        self.op
    }

    /// What it compares with: a value or a regular expression.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether an alert with these labels fulfils it.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matches_value(labels.get(&self.name).map_or("", String::as_str))
    }

    /// Whether this value of the label fulfils it.
    #[must_use]
    pub fn matches_value(&self, value: &str) -> bool {
        let is_match = self.regex.as_ref().map_or_else(|| self.value == value, |regex| regex.is_match(value));
        is_match == matches!(self.op, MatchOp::Equal | MatchOp::Regex)
    }

    fn parts(&self) -> (&str, &str, MatchOp) {
        (&self.name, &self.value, self.op)
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Matcher {}

impl Hash for Matcher {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl PartialOrd for Matcher {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Matcher {
    /// By name, then value, then operator: the order in which Alertmanager's group keys list them.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(self, f)
    }
}

impl FromStr for Matcher {
    type Err = MatcherError;

    /// Reads Alertmanager's syntax: `name="value"`, where quotes may be left out around a plain value, and a name that is
    /// not a classic one is quoted as well. Within quotes `\"`, `\\` and `\n` are escapes, and any other backslash
    /// stands for itself.
    fn from_str(text: &str) -> Result<Self, MatcherError> {
        text::parse_one(text)
    }
}

impl Serialize for Matcher {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
