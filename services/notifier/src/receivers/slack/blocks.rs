//! A message as Slack's blocks (<https://docs.slack.dev/reference/block-kit/blocks/>), within their bounds.

use serde_json::{Value, json};
use tocsin_shared::{IncidentId, IncidentStatus};
use url::Url;

use crate::message::{Fact, Line, Link, Message, utc};

/// Slack's bound on the text of a header block, in characters.
const MAX_HEADER_CHARS: usize = 150;
/// Our bound on the text of a section, below Slack's 3,000 characters.
const MAX_SECTION_CHARS: usize = 2_900;
/// Our bound on the summary, which leaves the screen to the rest.
const MAX_SUMMARY_CHARS: usize = 1_000;
/// Slack's bound on the fields of a section.
const MAX_FIELDS: usize = 10;
/// Our bound on one field, below Slack's 2,000 characters.
const MAX_FIELD_CHARS: usize = 200;
/// Our bound on a note.
const MAX_NOTE_CHARS: usize = 700;
/// Alerts that are listed.
const MAX_ALERTS: usize = 10;
/// Our bound on the line of one alert, without its link.
const MAX_ALERT_CHARS: usize = 200;
/// Labels that are listed.
const MAX_LABELS: usize = 10;
/// Our bound on a label's name and on its value.
const MAX_LABEL_CHARS: usize = 100;

/// What the block of buttons is called, in what Slack sends when one is pressed.
const ACTIONS: &str = "tocsin_actions";

/// The text for notifications and for clients that know no blocks.
pub(super) fn fallback(message: &Message) -> String {
    escaped(&format!("{}: {}", message.what, message.title), MAX_HEADER_CHARS)
}

/// The blocks.
pub(super) fn of(message: &Message) -> Vec<Value> {
    let mut blocks = vec![json!({
        "type": "header",
        // Plain text is shown as it is: there is nothing to escape in it.
        "text": {"type": "plain_text", "text": cut(&message.title, MAX_HEADER_CHARS), "emoji": true},
    })];
    for note in &message.notes {
        blocks.push(section(&format!(":information_source: {}", escaped(note, MAX_NOTE_CHARS))));
    }
    blocks.push(section(&format!("*{}*", bold(&message.news))));
    if let Some(summary) = &message.summary {
        blocks.push(section(&escaped(summary, MAX_SUMMARY_CHARS)));
    }
    let fields: Vec<Value> = message.facts.iter().take(MAX_FIELDS).map(|(name, value)| field(name, value)).collect();
    blocks.push(json!({"type": "section", "fields": fields}));
    if !message.alerts.is_empty() {
        blocks.push(section(&alerts(message)));
    }
    if !message.links.is_empty() {
        let links: Vec<_> = message.links.iter().map(|Link { name, url }| link(url, name)).collect();
        blocks.push(section(&links.join("  ·  ")));
    }
    if !message.labels.is_empty() {
        blocks.push(json!({"type": "context", "elements": [mrkdwn(&labels(message))]}));
    }
    blocks
}

/// What a thread is told, in one line: what happened, and how it stands.
pub(super) fn reply(message: &Message) -> String {
    let firing = message.facts.iter().find_map(|(name, value)| match value {
        Fact::Text(text) if *name == "Firing" => Some(format!(" · {text} firing")),
        _ => None,
    });
    let notes = message.notes.iter().map(|note| format!("\n{}", escaped(note, MAX_NOTE_CHARS)));
    let says_so = message.what == "Updated";
    let firing = firing.filter(|_| !says_so).unwrap_or_default();
    format!("*{}*{}{}", bold(&message.news), escaped(&firing, MAX_FIELD_CHARS), notes.collect::<String>())
}

/// The buttons of an incident; none once it is over.
pub(super) fn buttons(incident: IncidentId, status: IncidentStatus) -> Option<Value> {
    let button = |action: &str, text: &str, style: Option<&str>| {
        let mut button = json!({
            "type": "button",
            "action_id": action,
            "text": {"type": "plain_text", "text": text, "emoji": true},
            "value": incident,
        });
        if let Some(style) = style {
            button["style"] = style.into();
        }
        button
    };
    let acknowledge = button("tocsin_acknowledge", "Acknowledge", Some("primary"));
    let others = [button("tocsin_resolve", "Resolve", None), button("tocsin_silence_1h", "Silence 1 h", None)];
    let elements: Vec<Value> = match status {
        IncidentStatus::Triggered => std::iter::once(acknowledge).chain(others).collect(),
        IncidentStatus::Acknowledged => others.into(),
        IncidentStatus::Resolved | IncidentStatus::Canceled => return None,
    };
    Some(json!({"type": "actions", "block_id": ACTIONS, "elements": elements}))
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": mrkdwn(text)})
}

fn mrkdwn(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text})
}

fn field(name: &str, value: &Fact) -> Value {
    let value = match value {
        Fact::Text(text) | Fact::Name(text) => escaped(text, MAX_FIELD_CHARS),
        Fact::Time(at) => format!("<!date^{}^{{date_short_pretty}} {{time_secs}}|{}>", at.timestamp(), utc(*at)),
    };
    json!({"type": "mrkdwn", "text": format!("*{name}*\n{value}")})
}

/// As many lines as fit into one section, and how many are left.
fn alerts(message: &Message) -> String {
    let (lines, more) = message.first_alerts(MAX_ALERTS);
    let mut text = format!("*{}*", message.heading);
    let mut used = text.chars().count();
    let mut left = more;
    for line in lines {
        let line = alert(line);
        let chars = line.chars().count() + 1;
        // Room for "… and 2147483647 more" is kept.
        if used + chars + 25 > MAX_SECTION_CHARS {
            left += 1;
        } else {
            text = text + "\n" + &line;
            used += chars;
        }
    }
    if left > 0 {
        text = format!("{text}\n… and {left} more");
    }
    text
}

fn alert(line: &Line) -> String {
    match &line.url {
        Some(url) => format!("• {}", link(url, &line.text)),
        None => format!("• {}", escaped(&line.text, MAX_ALERT_CHARS)),
    }
}

/// A link. Within one, Slack gives `|` and `>` a meaning of their own.
fn link(url: &Url, text: &str) -> String {
    let address = url.as_str().replace('|', "%7C").replace('>', "%3E").replace('<', "%3C").replace('&', "&amp;");
    format!("<{address}|{}>", escaped(text, MAX_ALERT_CHARS).replace('|', "¦"))
}

fn labels(message: &Message) -> String {
    let label = |(name, value): (&String, &String)| {
        format!("{}={}", escaped(name, MAX_LABEL_CHARS), escaped(value, MAX_LABEL_CHARS))
    };
    let mut shown: Vec<_> = message.labels.iter().take(MAX_LABELS).map(label).collect();
    let more = message.labels.len().saturating_sub(MAX_LABELS);
    if more > 0 {
        shown.push(format!("and {more} more labels"));
    }
    shown.join("  ·  ")
}

/// A line that is shown in bold: an asterisk in it would end that.
fn bold(text: &str) -> String {
    escaped(&text.replace('*', "∗"), MAX_NOTE_CHARS)
}

/// A text of at most `max` characters.
fn cut(text: &str, max: usize) -> String {
    if text.chars().nth(max).is_none() {
        return text.to_owned();
    }
    text.chars().take(max - 1).chain(['…']).collect()
}

/// A text with Slack's three control characters escaped, cut so that what is sent has at most `max` characters.
fn escaped(text: &str, max: usize) -> String {
    let entity = |c| match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        _ => "",
    };
    let mut out = String::new();
    let (mut used, mut chars) = (0, text.chars().peekable());
    while let Some(c) = chars.next() {
        let entity = entity(c);
        used += entity.len().max(1);
        // One character is kept free for the ellipsis, unless this is the last one.
        if used > max || (used == max && chars.peek().is_some()) {
            out.push('…');
            break;
        }
        if entity.is_empty() { out.push(c) } else { out.push_str(entity) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_cut_inside_an_entity() {
        assert_eq!(escaped("a&b", 100), "a&amp;b");
        assert_eq!(escaped("a&b", 5), "a…");
        assert_eq!(escaped("a&", 6), "a&amp;");
        assert_eq!(escaped("abc", 3), "abc");
        assert_eq!(escaped("abcd", 3), "ab…");
    }

    #[test]
    fn a_link_cannot_be_left_from_within() {
        let url = Url::parse("https://example.com/a|b>c?d=1&e=<f>").unwrap();
        assert_eq!(link(&url, "x|y>z"), "<https://example.com/a%7Cb%3Ec?d=1&amp;e=%3Cf%3E|x¦y&gt;z>");
    }
}
