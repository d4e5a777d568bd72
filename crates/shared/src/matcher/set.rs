//! Several matchers that must all match.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{MatchOp, Matcher, MatcherError, text};
use crate::Labels;

/// Most matchers of one set.
pub const MAX_MATCHERS: usize = 64;

/// Matchers that must all match. Without any, every alert does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Matchers(Vec<Matcher>);

impl Matchers {
    /// Whether an alert with these labels fulfils all of them.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|matcher| matcher.matches(labels))
    }

    /// Each matcher, in the order given.
    pub fn iter(&self) -> std::slice::Iter<'_, Matcher> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The labels that an alert must have with just these values to match: a first sieve for a database's index.
    #[must_use]
    pub fn equalities(&self) -> Labels {
        let plain = self.iter().filter(|matcher| matcher.op() == MatchOp::Equal && !matcher.value().is_empty());
        plain.map(|matcher| (matcher.name().to_owned(), matcher.value().to_owned())).collect()
    }

    /// The same, sorted as in Alertmanager's group keys.
    #[must_use]
    pub fn sorted(&self) -> Self {
        let mut sorted = self.clone();
        sorted.0.sort();
        sorted
    }
}

impl From<Vec<Matcher>> for Matchers {
    fn from(matchers: Vec<Matcher>) -> Self {
        Self(matchers)
    }
}

impl FromIterator<Matcher> for Matchers {
    fn from_iter<I: IntoIterator<Item = Matcher>>(matchers: I) -> Self {
        Self(matchers.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Matchers {
    type Item = &'a Matcher;
    type IntoIter = std::slice::Iter<'a, Matcher>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Matchers {
    /// `{a="b",c=~"d"}`, as Alertmanager writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, matcher) in self.iter().enumerate() {
            write!(f, "{}{matcher}", if index == 0 { "" } else { "," })?;
        }
        f.write_str("}")
    }
}

impl FromStr for Matchers {
    type Err = MatcherError;

    /// Reads `{a="b", c=~"d"}`; the braces may be left out.
    fn from_str(text: &str) -> Result<Self, MatcherError> {
        text::parse_list(text).map(Self)
    }
}

impl Serialize for Matchers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de> Deserialize<'de> for Matchers {
    /// Takes a list of texts, or one; each may hold several matchers.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Texts)
    }
}

struct Texts;

impl<'de> Visitor<'de> for Texts {
    type Value = Matchers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("matchers, such as [severity=\"critical\"]")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Matchers, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Matchers, A::Error> {
        let mut matchers = Vec::new();
        while let Some(text) = texts.next_element::<String>()? {
            let more: Matchers = text.parse().map_err(de::Error::custom)?;
            matchers.extend(more.0);
            if matchers.len() > MAX_MATCHERS {
                return Err(de::Error::custom(super::MatcherFault::TooMany));
            }
        }
        Ok(Matchers(matchers))
    }
}
