//! What an incident is called: a template over the alert that opens it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment};

use crate::AlertEvent;
use crate::alert::{MAX_TITLE_CHARS, clean};

/// Longest template, in bytes.
pub const MAX_TITLE_TEMPLATE_BYTES: usize = 4 * 1_024;
/// Most steps that the rendering of one title may take.
const MAX_FUEL: u64 = 10_000;
/// Most bytes that are rendered: what `MAX_TITLE_CHARS` characters can take at most.
const MAX_OUTPUT_BYTES: usize = MAX_TITLE_CHARS * 4;

/// The name under which the engine keeps the one template.
const TEMPLATE: &str = "title";

/// What an incident is called. By default it is the title of the alert that opens it; else a Jinja template, over
/// `labels`, `annotations`, `title`, `severity` and `source`.
#[derive(Clone, Default)]
pub struct Title(Option<Arc<Template>>);

struct Template {
    text: String,
    engine: Environment<'static>,
}

/// A template that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TitleError {
    /// It has a bound.
    #[error("the template is longer than 4 KiB")]
    TooLong,
    /// It is not in the template language.
    #[error("the template is not valid")]
    Syntax(#[from] minijinja::Error),
}

impl Title {
    /// A title by a template.
    pub fn template(text: &str) -> Result<Self, TitleError> {
        if text.len() > MAX_TITLE_TEMPLATE_BYTES {
            return Err(TitleError::TooLong);
        }
        let mut engine = Environment::new();
        engine.set_auto_escape_callback(|_| AutoEscape::None);
        engine.set_fuel(Some(MAX_FUEL));
        engine.add_template_owned(TEMPLATE, text.to_owned())?;
        Ok(Self(Some(Arc::new(Template { text: text.to_owned(), engine }))))
    }

    /// The template's text, if there is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.0.as_deref().map(|template| template.text.as_str())
    }

    /// The title of an incident that `event`, of a sender of kind `source`, opens: one line, of at most
    /// [`MAX_TITLE_CHARS`] characters. A template that fails or gives nothing leaves the alert's own title.
    #[must_use]
    pub fn render(&self, source: &str, event: &AlertEvent) -> String {
        let rendered = self.0.as_deref().and_then(|template| template.render(source, event));
        rendered.unwrap_or_else(|| event.title.clone())
    }
}

impl Template {
    fn render(&self, source: &str, event: &AlertEvent) -> Option<String> {
        let texts = |texts: &crate::Labels| Value::from(texts.clone());
        let variables = BTreeMap::from([
            ("labels", texts(&event.labels)),
            ("annotations", texts(&event.annotations)),
            ("title", Value::from(event.title.as_str())),
            ("severity", Value::from(event.severity.as_str())),
            ("source", Value::from(source)),
        ]);
        let template = self.engine.get_template(TEMPLATE).ok()?;
        let mut output = Bounded(Vec::new());
        let outcome = template.render_captured_to(variables, &mut output);
        if outcome.is_err() && output.0.len() < MAX_OUTPUT_BYTES {
            return None;
        }
        let text = String::from_utf8_lossy(&output.0);
        let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        clean(&mut line, MAX_TITLE_CHARS);
        (!line.is_empty()).then_some(line)
    }
}

/// Takes as much as a title may be long, and then refuses.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = MAX_OUTPUT_BYTES - self.0.len();
        let taken = bytes.len().min(room);
        self.0.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Title").field(&self.text()).finish()
    }
}

impl PartialEq for Title {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Title {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AlertSeverity, AlertStatus, Fingerprint, Labels};

    fn event() -> AlertEvent {
        let labels = Labels::from([("cluster".to_owned(), "<eu>".to_owned())]);
        AlertEvent {
            fingerprint: Fingerprint::of_labels(&labels),
            external_id: None,
            status: AlertStatus::Firing,
            severity: AlertSeverity::Critical,
            title: "Disk full".to_owned(),
            description: None,
            labels,
            annotations: Labels::from([("summary".to_owned(), "no\nspace".to_owned())]),
            source_url: None,
            started_at: None,
            ended_at: None,
            event_at: chrono::DateTime::UNIX_EPOCH,
            expires_at: None,
            expires: false,
            is_bare: false,
        }
    }

    fn render(text: &str) -> String {
        Title::template(text).unwrap().render("prometheus", &event())
    }

    #[test]
    fn without_a_template_it_is_the_alerts_own() {
        assert_eq!(Title::default().render("generic", &event()), "Disk full");
    }

    #[test]
    fn a_template_sees_the_alert_and_gives_one_line() {
        let text = "[{{ severity|upper }}] {{ title }} in {{ labels.cluster }}{{ labels.absent }}\n({{ source }}: {{ annotations['summary'] }})";
        assert_eq!(render(text), "[CRITICAL] Disk full in <eu> (prometheus: no space)");
    }

    #[test]
    fn a_template_that_fails_or_gives_nothing_leaves_the_alerts_own() {
        for text in ["{{ labels.absent }}", " \n ", "{{ labels.absent.deeper }}", "{{ title|nosuchfilter }}"] {
            let title = Title::template(text).map(|title| title.render("generic", &event()));
            assert_eq!(title.unwrap_or_else(|_| "Disk full".to_owned()), "Disk full", "{text}");
        }
        assert_eq!(render("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"), "Disk full");
    }

    #[test]
    fn a_title_is_cut_to_its_bound() {
        let title = render("{% for n in range(4000) %}é{% endfor %}");
        assert_eq!(title.chars().count(), MAX_TITLE_CHARS);
        assert!(title.ends_with('…'));
    }

    #[test]
    fn a_faulty_template_is_refused() {
        assert!(matches!(Title::template("{{ title"), Err(TitleError::Syntax(_))));
        assert!(matches!(Title::template(&"x".repeat(MAX_TITLE_TEMPLATE_BYTES + 1)), Err(TitleError::TooLong)));
    }
}
