//! The texts of messages, as templates: ours, or an operator's in their place.

use tocsin_service::config::Problem;
use tocsin_service::config::document::TemplatesSection;
use tocsin_service::with_causes;
use tocsin_shared::template::{Template, Variables};

/// Longest headline, news and line of an alert, in characters. Providers cut further where they must.
const MAX_LINE_CHARS: usize = 500;
/// Longest summary, in characters.
const MAX_SUMMARY_CHARS: usize = 2_000;

/// What a receiver writes: each text has the default behind it, for when an operator's template fails.
#[derive(Debug, Clone)]
pub(crate) struct Texts {
    title: Text,
    news: Text,
    summary: Text,
    alert: Text,
}

#[derive(Debug, Clone)]
struct Text {
    own: Option<Template>,
    default: Template,
}

impl Texts {
    /// The texts of the receiver at `path`.
    pub(crate) fn new(section: &TemplatesSection, path: &str) -> Result<Self, Problem> {
        let text = |name: &str, own: &Option<String>, default: &str| {
            let read = |text: &str| {
                Template::new(text).map_err(|error| {
                    let remedy = "check the file with tocsin-worker check-config";
                    Problem::new(format!("{path}.templates.{name}"), with_causes(&error), remedy)
                })
            };
            Ok(Text { own: own.as_deref().map(read).transpose()?, default: read(default)? })
        };
        Ok(Self {
            title: text("title", &section.title, include_str!("templates/title.txt"))?,
            news: text("news", &section.news, include_str!("templates/news.txt"))?,
            summary: text("summary", &section.summary, include_str!("templates/summary.txt"))?,
            alert: text("alert", &section.alert, include_str!("templates/alert.txt"))?,
        })
    }

    /// The headline.
    pub(crate) fn title(&self, incident: &Variables) -> String {
        self.title.line(incident)
    }

    /// What happened.
    pub(crate) fn news(&self, incident: &Variables) -> String {
        self.news.line(incident)
    }

    /// What it is about, where anybody said.
    pub(crate) fn summary(&self, incident: &Variables) -> Option<String> {
        let lines = |template: &Template| template.lines(incident, MAX_SUMMARY_CHARS);
        self.summary.own.as_ref().and_then(lines).or_else(|| lines(&self.summary.default))
    }

    /// One alert.
    pub(crate) fn alert(&self, alert: &Variables) -> String {
        self.alert.line(alert)
    }
}

impl Text {
    fn line(&self, variables: &Variables) -> String {
        let line = |template: &Template| template.line(variables, MAX_LINE_CHARS);
        self.own.as_ref().and_then(line).or_else(|| line(&self.default)).unwrap_or_default()
    }
}
