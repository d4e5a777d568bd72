//! Whatever senders write, what is sent stays within what providers take.

use proptest::prelude::*;
use serde_json::Value;
use tocsin_shared::Labels;
use tocsin_shared::ledger::NoticeKind;

use super::{CONFIG, receivers};
use crate::story::{InsteadOf, Story, told};

/// Texts full of what must be escaped, of every length up to what an alert may have.
fn text(max: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[&<>|*_`\\[\\]()\"'\\\\]{1,20}",
        "\\PC{0,40}",
        Just("&".repeat(1_000)),
        Just("🔴\n".repeat(200)),
        Just("{{ DATE }}\u{0}\r\n".to_owned()),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(move |pieces| pieces.concat().chars().take(max).collect())
}

fn labels() -> impl Strategy<Value = Labels> {
    proptest::collection::btree_map(text(1_024), text(1_024), 0..40)
}

prop_compose! {
    fn story()(
        kind in prop::sample::select(NoticeKind::ALL),
        title in text(1_024),
        summary in proptest::option::of(text(16_384)),
        labels in labels(),
        alert_labels in labels(),
        alert_title in text(1_024),
        by in text(200),
        reason in text(512),
        alerts in 0_usize..120,
        url in "https?://[a-z|<>&]{1,10}\\.example\\.com/[a-z|&<>\"' ]{0,3000}",
    ) -> Story {
        let mut story = told::many_alerts(alerts);
        let told = told::told(kind);
        (story.kind, story.message) = (kind, told.message);
        story.record.incident.status = told.record.incident.status;
        (story.record.incident.acknowledged_at, story.record.incident.acknowledged_by) = (Some(story.at), Some(by.clone()));
        story.record.incident.title = title;
        story.record.incident.summary = summary;
        story.record.incident.labels = labels;
        story.instead_of = Some(InsteadOf { receiver: by, reason });
        for alert in &mut story.alerts {
            alert.newest.title.clone_from(&alert_title);
            alert.newest.labels.clone_from(&alert_labels);
            alert.newest.source_url = Some(url.clone());
        }
        story
    }
}

/// Slack's bounds (<https://docs.slack.dev/reference/block-kit/blocks/>).
fn is_within_slacks_bounds(body: &Value) {
    let chars = |value: &Value| value["text"].as_str().unwrap().chars().count();
    let no_command = |text: &str| assert!(!text.contains("<!channel") && !text.contains("<@"), "{text}");
    assert!((1..=3_000).contains(&chars(body)));
    let Some(blocks) = body["blocks"].as_array() else { return };
    assert!(blocks.len() <= 50);
    for block in blocks {
        match block["type"].as_str().unwrap() {
            "header" => assert!((1..=150).contains(&chars(&block["text"])), "{block}"),
            "section" if block["fields"].is_array() => {
                let fields = block["fields"].as_array().unwrap();
                assert!((1..=10).contains(&fields.len()) && fields.iter().all(|field| chars(field) <= 2_000));
            }
            "section" => {
                assert!((1..=3_000).contains(&chars(&block["text"])), "{block}");
                no_command(block["text"]["text"].as_str().unwrap());
            }
            "context" => assert!(block["elements"].as_array().unwrap().iter().all(|part| chars(part) <= 3_000)),
            "actions" => {
                for button in block["elements"].as_array().unwrap() {
                    assert!(chars(&button["text"]) <= 75 && button["value"].as_str().unwrap().len() <= 2_000);
                }
            }
            other => panic!("a block of kind {other}"),
        }
    }
}

fn texts_of<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::Object(object) => {
            if object.get("type").and_then(Value::as_str) == Some("TextRun") {
                texts.push(object["text"].as_str().unwrap());
            }
            object.values().for_each(|value| texts_of(value, texts));
        }
        Value::Array(values) => values.iter().for_each(|value| texts_of(value, texts)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn slack_takes_every_message(story in story()) {
        let receivers = receivers(CONFIG);
        let preview = |name: &str| -> Value {
            serde_json::from_str(&receivers.get(name).unwrap().provider.preview(&story)).unwrap()
        };
        is_within_slacks_bounds(&preview("slack_webhook"));
        for request in preview("slack_bot").as_object().unwrap().values() {
            is_within_slacks_bounds(request);
        }
    }

    #[test]
    fn teams_takes_every_card(story in story()) {
        let preview = receivers(CONFIG).get("teams").unwrap().provider.preview(&story);
        let body: Value = serde_json::from_str(&preview).unwrap();
        prop_assert!(body.to_string().len() <= 20_000, "{} bytes", body.to_string().len());
        let mut texts = Vec::new();
        texts_of(&body, &mut texts);
        prop_assert!(texts.iter().all(|text| !text.is_empty()));
    }

    #[test]
    fn a_webhook_and_a_mail_are_bounded(story in story()) {
        let receivers = receivers(CONFIG);
        prop_assert!(receivers.get("webhook").unwrap().provider.preview(&story).len() < 1024 * 1024);
        let mail = receivers.get("email").unwrap().provider.preview(&story);
        prop_assert!(mail.len() < 256 * 1024, "{} bytes", mail.len());
        let subject = mail.lines().find(|line| line.starts_with("Subject: [")).unwrap();
        prop_assert!(subject.chars().count() < 600);
    }
}
