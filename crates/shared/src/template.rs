//! Templates that operators write: Jinja, bounded in what they may cost and give.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment};
use serde::Serialize;

use crate::alert::clean;

/// Longest template, in bytes.
pub const MAX_TEMPLATE_BYTES: usize = 4 * 1_024;
/// Most steps that one rendering may take.
const MAX_FUEL: u64 = 50_000;
/// Most bytes that a character takes.
const MAX_CHAR_BYTES: usize = 4;

/// The name under which the engine keeps the one template.
const NAME: &str = "text";

/// A template for a plain text, which is escaped, where that is needed, after it is rendered. Cheap to clone.
#[derive(Clone)]
pub struct Template(Arc<Inner>);

struct Inner {
    text: String,
    engine: Environment<'static>,
}

/// What templates may name, for any number of them.
#[derive(Debug, Clone)]
pub struct Variables(Value);

impl Variables {
    /// The fields of a structure, or the entries of a map.
    pub fn of(variables: &impl Serialize) -> Self {
        Self(Value::from(Serde(variables)))
    }
}

/// A template that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It has a bound.
    #[error("the template is longer than 4 KiB")]
    TooLong,
    /// It is not in the template language.
    #[error("the template is not valid")]
    Syntax(#[from] minijinja::Error),
    /// It names what there is not.
    #[error("nothing is called `{name}`")]
    Unknown {
        /// What it names.
        name: String,
    },
}

impl Template {
    /// Reads a template.
    pub fn new(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_TEMPLATE_BYTES {
            return Err(TemplateError::TooLong);
        }
        let mut engine = Environment::new();
        engine.set_auto_escape_callback(|_| AutoEscape::None);
        engine.set_fuel(Some(MAX_FUEL));
        engine.add_template_owned(NAME, text.to_owned())?;
        Ok(Self(Arc::new(Inner { text: text.to_owned(), engine })))
    }

    /// Reads a template and tries it on a sample, which must have everything that there is: a name that it lacks is a fault.
    pub fn checked(text: &str, sample: &Variables) -> Result<Self, TemplateError> {
        let template = Self::new(text)?;
        let Variables(known) = sample;
        let parsed = template.0.engine.get_template(NAME)?;
        let mut unknown: Vec<String> = parsed
            .undeclared_variables(false)
            .into_iter()
            .filter(|name| known.get_attr(name).is_ok_and(|value| value.is_undefined()))
            .filter(|name| !template.0.engine.globals().any(|(global, _)| global == name))
            .collect();
        unknown.sort();
        if let Some(name) = unknown.into_iter().next() {
            return Err(TemplateError::Unknown { name });
        }
        parsed.render_captured_to(known.clone(), io::sink())?;
        Ok(template)
    }

    /// The template itself.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// One line of at most `max` characters; none if the template fails or gives nothing.
    #[must_use]
    pub fn line(&self, variables: &Variables, max: usize) -> Option<String> {
        let text = self.render(variables, max)?;
        bounded(text.split_whitespace().collect::<Vec<_>>().join(" "), max)
    }

    /// Lines of together at most `max` characters, without white space around them; none if the template fails or gives
    /// nothing.
    #[must_use]
    pub fn lines(&self, variables: &Variables, max: usize) -> Option<String> {
        bounded(self.render(variables, max)?.trim().to_owned(), max)
    }

    /// What is rendered until it is as much as `max` characters can take.
    fn render(&self, variables: &Variables, max: usize) -> Option<String> {
        let template = self.0.engine.get_template(NAME).ok()?;
        let room = max.saturating_mul(MAX_CHAR_BYTES);
        let mut output = Bounded { bytes: Vec::new(), room };
        let outcome = template.render_captured_to(variables.0.clone(), &mut output);
        if outcome.is_err() && output.bytes.len() < room {
            return None;
        }
        Some(String::from_utf8_lossy(&output.bytes).into_owned())
    }
}

fn bounded(mut text: String, max: usize) -> Option<String> {
    clean(&mut text, max);
    (!text.is_empty()).then_some(text)
}

/// Takes as many bytes as there is room for, and then refuses.
struct Bounded {
    bytes: Vec<u8>,
    room: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.room - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.text()).finish()
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Template {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(text: &str) -> String {
        let sample = Variables::of(&json!({"title": "t", "labels": {"a": "b"}, "none": null}));
        Template::checked(text, &sample).map_or_else(|error| crate::with_causes(&error), |_| String::new())
    }

    #[test]
    fn a_template_may_name_only_what_there_is() {
        assert_eq!(fault("{{ title }} {{ labels.absent }} {% if none %}x{% endif %}"), "");
        assert_eq!(fault("{% for n in range(2) %}{{ n }}{% endfor %}"), "", "functions of the language are there");
        assert_eq!(fault("{{ titel }}"), "nothing is called `titel`");
        assert!(fault("{{ title").contains("not valid"), "{}", fault("{{ title"));
        assert!(fault("{{ title|nosuch }}").contains("not valid"));
        assert!(fault("{{ labels.a.b.c }}").contains("not valid"), "it fails on the sample");
        assert!(fault(&"x".repeat(MAX_TEMPLATE_BYTES + 1)).contains("4 KiB"));
    }

    #[test]
    fn what_costs_too_much_gives_nothing() {
        let text = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
        assert_eq!(Template::new(text).unwrap().lines(&Variables::of(&json!({})), 100), None);
    }

    #[test]
    fn lines_keep_their_breaks_and_a_line_has_none() {
        let template = Template::new("\n a\n b \n").unwrap();
        assert_eq!(template.lines(&Variables::of(&json!({})), 10).unwrap(), "a\n b");
        assert_eq!(template.line(&Variables::of(&json!({})), 10).unwrap(), "a b");
        assert_eq!(template.line(&Variables::of(&json!({})), 2).unwrap(), "a…");
    }
}
