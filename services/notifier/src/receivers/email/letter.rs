//! A message as the two bodies of a mail: plain text, and HTML whose every value the template engine escapes.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;
use url::Url;

use crate::message::{Fact, Message, Tone, utc};

const TEXT: &str = "email.txt";
const HTML: &str = "email.html";
/// Labels that are listed.
const MAX_LABELS: usize = 20;
/// Our bound on the value of a label, in characters.
const MAX_LABEL_CHARS: usize = 200;

/// The layouts of mails.
#[derive(Debug)]
pub(super) struct Layout(Environment<'static>);

/// The bodies of one mail.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) text: String,
    pub(super) html: String,
}

#[derive(Debug, Serialize)]
struct Values<'a> {
    title: &'a str,
    news: &'a str,
    notes: &'a [String],
    summary: Option<&'a str>,
    facts: Vec<(&'static str, String)>,
    heading: &'static str,
    alerts: Vec<Line<'a>>,
    more: usize,
    links: Vec<(&'static str, &'a Url)>,
    labels: Vec<(&'a str, String)>,
    colour: &'static str,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    text: &'a str,
    url: Option<&'a Url>,
}

impl Layout {
    pub(super) fn new() -> Result<Self, minijinja::Error> {
        let mut engine = Environment::new();
        engine.set_auto_escape_callback(|name| if name == HTML { AutoEscape::Html } else { AutoEscape::None });
        engine.add_template(TEXT, include_str!("../../templates/email.txt"))?;
        engine.add_template(HTML, include_str!("../../templates/email.html"))?;
        Ok(Self(engine))
    }

    pub(super) fn render(&self, message: &Message) -> Result<Letter, minijinja::Error> {
        let values = Values::of(message);
        let render = |name| self.0.get_template(name)?.render(Serde(&values));
        Ok(Letter { text: render(TEXT)?, html: render(HTML)? })
    }
}

impl<'a> Values<'a> {
    fn of(message: &'a Message) -> Self {
        let labels = message.labels.iter().take(MAX_LABELS);
        let mut labels: Vec<_> =
            labels.map(|(name, value)| (name.as_str(), value.chars().take(MAX_LABEL_CHARS).collect())).collect();
        let more_labels = message.labels.len().saturating_sub(MAX_LABELS);
        if more_labels > 0 {
            labels.push(("more labels", more_labels.to_string()));
        }
        let fact = |value: &Fact| match value {
            Fact::Text(text) | Fact::Name(text) => text.clone(),
            Fact::Time(at) => utc(*at),
        };
        Self {
            title: &message.title,
            news: &message.news,
            notes: &message.notes,
            summary: message.summary.as_deref(),
            facts: message.facts.iter().map(|(name, value)| (*name, fact(value))).collect(),
            heading: message.heading,
            alerts: message.alerts.iter().map(|line| Line { text: &line.text, url: line.url.as_ref() }).collect(),
            more: message.more,
            links: message.links.iter().map(|link| (link.name, &link.url)).collect(),
            labels,
            colour: colour(message.tone),
        }
    }
}

const fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Critical => "#b91c1c",
        Tone::High => "#c2410c",
        Tone::Medium => "#a16207",
        Tone::Low => "#1d4ed8",
        Tone::Taken => "#4b5563",
        Tone::Over => "#15803d",
    }
}
