//! What an incident is called: a template over the alert that opens it.

use serde::Serialize;

use crate::alert::MAX_TITLE_CHARS;
use crate::template::{Template, TemplateError, Variables};
use crate::{AlertEvent, Labels};

/// What an incident is called. By default it is the title of the alert that opens it; else a Jinja template, over
/// `labels`, `annotations`, `title`, `severity` and `source`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Title(Option<Template>);

impl Title {
    /// A title by a template.
    pub fn template(text: &str) -> Result<Self, TemplateError> {
        Template::new(text).map(|template| Self(Some(template)))
    }

    /// The template's text, if there is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.0.as_ref().map(Template::text)
    }

    /// The title of an incident that `event`, of a sender of kind `source`, opens: one line, of at most
    /// [`MAX_TITLE_CHARS`] characters. A template that fails or gives nothing leaves the alert's own title.
    #[must_use]
    pub fn render(&self, source: &str, event: &AlertEvent) -> String {
        let rendered = self.0.as_ref().and_then(|template| template.line(&variables(source, event), MAX_TITLE_CHARS));
        rendered.unwrap_or_else(|| event.title.clone())
    }
}

/// What the template of a title may name.
#[derive(Debug, Serialize)]
struct OfAlert<'a> {
    labels: &'a Labels,
    annotations: &'a Labels,
    title: &'a str,
    severity: &'a str,
    source: &'a str,
}

fn variables(source: &str, event: &AlertEvent) -> Variables {
    let AlertEvent { labels, annotations, title, severity, .. } = event;
    Variables::of(&OfAlert { labels, annotations, title, severity: severity.as_str(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::MAX_TEMPLATE_BYTES;
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
        assert!(matches!(Title::template("{{ title"), Err(TemplateError::Syntax(_))));
        assert!(matches!(Title::template(&"x".repeat(MAX_TEMPLATE_BYTES + 1)), Err(TemplateError::TooLong)));
    }
}
