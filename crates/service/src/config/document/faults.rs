//! The faults of a file, as they are found, and the readers of values that several sections have.

use std::ops::RangeInclusive;
use std::time::Duration;

use tocsin_shared::matcher::{MAX_MATCHERS, MatcherFault};
use tocsin_shared::{Matcher, Matchers};

use super::super::{ConfigError, Problem, duration};

/// Every fault so far.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Problem>);

impl Faults {
    pub(super) fn add(&mut self, key: impl Into<String>, fault: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Problem::new(key, fault, remedy));
    }

    pub(super) fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        self.0.extend(problems);
    }

    pub(super) fn finish(self) -> Result<(), ConfigError> {
        if self.0.is_empty() { Ok(()) } else { Err(ConfigError { problems: self.0 }) }
    }

    /// A duration such as `90s`, `5m` or `1h30m`, if one is given and it is within its bounds.
    pub(super) fn duration(
        &mut self,
        key: &str,
        text: Option<&String>,
        bounds: &RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let Some(duration) = duration::parse(text?) else {
            self.add(key, "is not a duration", "write it as 90s, 5m, 1h30m or 7d");
            return None;
        };
        if !bounds.contains(&duration) {
            let (least, most) = (duration::format(*bounds.start()), duration::format(*bounds.end()));
            self.add(key, "is out of bounds", format!("use a duration from {least} to {most}"));
            return None;
        }
        Some(duration)
    }

    /// Matchers as the file lists them. Each text may hold several.
    pub(super) fn matchers(&mut self, key: &str, texts: &[String]) -> Matchers {
        let mut matchers: Vec<Matcher> = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            match text.parse::<Matchers>() {
                Ok(more) => matchers.extend(more.iter().cloned()),
                Err(error) => {
                    let remedy = r#"write name="value", with one of =, !=, =~, !~ between them"#;
                    self.add(format!("{key}[{index}]"), error.to_string(), remedy);
                }
            }
        }
        if matchers.len() > MAX_MATCHERS {
            self.add(key, MatcherFault::TooMany.to_string(), "use a regular expression, or several routes");
        }
        matchers.into()
    }

    /// Names of labels.
    pub(super) fn label_names(&mut self, key: &str, names: &[String], max: usize) {
        if names.iter().any(String::is_empty) {
            self.add(key, "holds an empty label name", "remove it");
        }
        if names.len() > max {
            self.add(key, format!("holds more than {max} names"), "remove those that tell nothing apart");
        }
    }

    /// A key of Alertmanager's that is not taken, with what to use.
    pub(super) fn not_taken(&mut self, key: String, given: bool, remedy: &str) {
        if given {
            self.add(key, "is not taken", remedy);
        }
    }
}
