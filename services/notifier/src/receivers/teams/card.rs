//! A message as an Adaptive Card 1.4 (<https://adaptivecards.microsoft.com/>), within the bytes that Teams takes.
//!
//! What others wrote stands in text runs, which show it as it is. A text block would read it as Markdown, and Teams' clients do
//! not agree on how that is escaped.

use serde_json::{Value, json};
use tocsin_shared::Labels;

use crate::message::{Fact, Line, Link, Message, Tone, utc};

/// Most bytes of a whole body. Teams takes 28,672 after it has added its own.
const MAX_BODY_BYTES: usize = 20_000;
/// Most links, each of which is an action of the card.
const MAX_LINKS: usize = 4;

/// Longest name of somebody, in characters.
const MAX_NAME_CHARS: usize = 100;

/// How much of a message is shown; characters for each text.
#[derive(Debug, Clone, Copy)]
struct Room {
    title: usize,
    note: usize,
    summary: usize,
    alerts: usize,
    line: usize,
    /// Whether what an alert leads to is linked.
    alert_links: bool,
    labels: usize,
    label: usize,
    links: bool,
}

/// From all that is wanted to what always fits: the first that does is taken.
const ROOMS: [Room; 4] = [
    Room {
        title: 300,
        note: 700,
        summary: 2_000,
        alerts: 20,
        line: 200,
        alert_links: true,
        labels: 12,
        label: 100,
        links: true,
    },
    Room {
        title: 300,
        note: 700,
        summary: 1_000,
        alerts: 10,
        line: 200,
        alert_links: false,
        labels: 6,
        label: 100,
        links: true,
    },
    Room {
        title: 200,
        note: 300,
        summary: 300,
        alerts: 5,
        line: 100,
        alert_links: false,
        labels: 3,
        label: 50,
        links: true,
    },
    Room {
        title: 100,
        note: 200,
        summary: 100,
        alerts: 3,
        line: 50,
        alert_links: false,
        labels: 0,
        label: 0,
        links: false,
    },
];

/// What is posted. What does not fit is left out, and counted where it is one of many; the incident's page has it.
pub(super) fn body(message: &Message) -> Value {
    let mut body = Value::Null;
    for room in ROOMS {
        body = attached(&card(message, room));
        if body.to_string().len() <= MAX_BODY_BYTES {
            break;
        }
    }
    body
}

fn attached(card: &Value) -> Value {
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

fn card(message: &Message, room: Room) -> Value {
    let head = json!({
        "type": "Container",
        "style": style(message.tone),
        "bleed": true,
        "items": [
            rich(&[run(&cut(&message.title, room.title), &json!({"size": "Large", "weight": "Bolder"}))]),
            rich(&[run(&cut(&message.news, room.title), &json!({"weight": "Bolder"}))]),
        ],
    });
    let mut items = vec![head];
    for note in &message.notes {
        items.push(rich(&[run(&cut(note, room.note), &json!({"italic": true}))]));
    }
    if let Some(summary) = &message.summary {
        // A run ends with its line.
        let lines = cut(summary, room.summary);
        items.extend(lines.lines().enumerate().map(|(index, line)| below(index, rich(&[run(line, &json!({}))]))));
    }
    items.extend(facts(message));
    items.extend(alerts(message, room));
    items.extend(labels(&message.labels, room));
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "fallbackText": cut(&format!("{}: {}", message.what, message.title), room.title),
        "body": items,
    });
    let links: Vec<Value> =
        message.links.iter().take(MAX_LINKS).filter(|link| room.links || is_ours(link)).map(action).collect();
    if !links.is_empty() {
        card["actions"] = links.into();
    }
    card
}

/// A fact set would read what people are called as Markdown; they stand below it.
fn facts(message: &Message) -> Vec<Value> {
    let (mut facts, mut names) = (Vec::new(), Vec::new());
    for (name, value) in &message.facts {
        let value = match value {
            Fact::Text(text) => text.clone(),
            Fact::Time(at) => utc(*at),
            Fact::Name(text) => {
                let name = run(&format!("{name}: "), &json!({"weight": "Bolder"}));
                names.push(rich(&[name, run(&cut(text, MAX_NAME_CHARS), &json!({}))]));
                continue;
            }
        };
        facts.push(json!({"title": name, "value": value}));
    }
    std::iter::once(json!({"type": "FactSet", "facts": facts})).chain(names).collect()
}

fn alerts(message: &Message, room: Room) -> Vec<Value> {
    let (lines, more) = message.first_alerts(room.alerts);
    if lines.is_empty() && more == 0 {
        return Vec::new();
    }
    let heading = rich(&[run(message.heading, &json!({"weight": "Bolder"}))]);
    let more = (more > 0).then(|| rich(&[run(&format!("… and {more} more"), &json!({"isSubtle": true}))]));
    let items = std::iter::once(heading).chain(lines.iter().map(|line| alert(line, room))).chain(more);
    let items: Vec<Value> = items.enumerate().map(|(index, item)| below(index, item)).collect();
    vec![json!({"type": "Container", "separator": true, "items": items})]
}

fn alert(line: &Line, room: Room) -> Value {
    let mut run = run(&cut(&line.text, room.line), &json!({}));
    if let Some(url) = line.url.as_ref().filter(|_| room.alert_links) {
        run["selectAction"] = json!({"type": "Action.OpenUrl", "url": url});
    }
    rich(&[self::run("• ", &json!({})), run])
}

fn labels(labels: &Labels, room: Room) -> Option<Value> {
    if labels.is_empty() || room.labels == 0 {
        return None;
    }
    let shown = labels.iter().take(room.labels);
    let mut text: Vec<String> =
        shown.map(|(name, value)| format!("{}={}", cut(name, room.label), cut(value, room.label))).collect();
    let more = labels.len().saturating_sub(room.labels);
    if more > 0 {
        text.push(format!("and {more} more labels"));
    }
    Some(rich(&[run(&text.join("  ·  "), &json!({"size": "Small", "isSubtle": true}))]))
}

/// A line that stands close below the one before it, if there is one.
fn below(index: usize, mut line: Value) -> Value {
    if index > 0 {
        line["spacing"] = "Small".into();
    }
    line
}

fn rich(runs: &[Value]) -> Value {
    json!({"type": "RichTextBlock", "inlines": runs})
}

fn run(text: &str, looks: &Value) -> Value {
    let mut run = looks.clone();
    run["type"] = "TextRun".into();
    // An empty run is not allowed.
    run["text"] = if text.is_empty() { " ".into() } else { text.into() };
    run
}

fn action(link: &Link) -> Value {
    json!({"type": "Action.OpenUrl", "title": link.name, "url": link.url})
}

fn is_ours(link: &Link) -> bool {
    link.name == "Incident"
}

const fn style(tone: Tone) -> &'static str {
    match tone {
        Tone::Critical => "attention",
        Tone::High | Tone::Medium => "warning",
        Tone::Low => "accent",
        Tone::Taken => "emphasis",
        Tone::Over => "good",
    }
}

/// A text of at most `max` characters.
fn cut(text: &str, max: usize) -> String {
    if text.chars().nth(max).is_none() {
        return text.to_owned();
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}
