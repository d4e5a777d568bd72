//! What every kind of receiver is sent in every case, and that nothing exceeds what providers take.

mod exchanges;
mod properties;

use tocsin_service::config::{Document, Environment};

use super::*;
use crate::story::told;

/// One receiver of each kind.
const CONFIG: &str = r"
receivers:
  - {name: slack_bot, slack: {bot_token: xoxb-s3cr3t, channel: C0123456789}}
  - {name: slack_webhook, slack: {webhook_url: 'https://hooks.slack.com/services/s3cr3t'}}
  - {name: teams, teams: {webhook_url: 'https://prod-1.westeurope.logic.azure.com/workflows/s3cr3t'}}
  - name: webhook
    webhook: {url: 'https://example.com/s3cr3t', secret: whsec_czNjcjN0LXMzY3IzdC1zM2NyM3QtMTIzNA==, authorization: Bearer s3cr3t}
  - name: email
    email:
      to: [ops@example.com, Grace <grace@example.com>]
      from: Tocsin <tocsin@example.com>
      smtp: {host: smtp.example.com, username: tocsin, password: s3cr3t}
";

fn receivers(config: &str) -> Receivers {
    Receivers::from_document(&Document::parse(config).unwrap(), &Environment::default()).unwrap()
}

#[test]
fn what_each_receiver_is_told_in_each_case() {
    let receivers = receivers(CONFIG);
    for (name, receiver) in receivers.iter() {
        for (case, story) in told::every_case() {
            let preview = receiver.provider.preview(&story);
            assert!(!preview.contains("s3cr3t"), "{name}, {case}: {preview}");
            insta::assert_snapshot!(format!("{name}_{case}"), preview);
        }
    }
}

#[test]
fn nothing_that_is_shown_of_a_receiver_tells_its_secrets() {
    let receivers = receivers(CONFIG);
    let secrets = ["s3cr3t", "czNjcjN0"];
    for (name, receiver) in receivers.iter() {
        let shown = format!("{receiver:?} {}", receiver.provider.destination());
        assert!(secrets.iter().all(|secret| !shown.contains(secret)), "{name}: {shown}");
    }
}

#[test]
fn an_operators_templates_stand_in_for_ours_and_ours_for_theirs_when_they_fail() {
    let config = r"
receivers:
  - name: ops
    fallback: other
    slack: {webhook_url: 'https://hooks.slack.com/x'}
    templates:
      title: '{{ number }}: {{ title }} in {{ labels.cluster }}'
      news: 'Mine{% if alert_count > 2 %}{{ labels.absent.deeper }}{% endif %}'
      summary: '{{ annotations.runbook_url }}'
      alert: '{{ differs.instance }} since {{ started_at }}'
  - {name: other, slack: {webhook_url: 'https://hooks.slack.com/y'}}
";
    let receivers = receivers(config);
    let ops = receivers.get("ops").unwrap();
    assert_eq!(ops.fallback.as_deref(), Some("other"));
    let preview = ops.provider.preview(&told::told(tocsin_shared::ledger::NoticeKind::Triggered));
    for expected in [
        "12: Disks of <checkout> are > 95 % full & filling in eu",
        "https://runbooks.example.com/disk?a=1&amp;b=2",
        "db-1 since 2026-11-23 12:00:00 UTC",
        "*Triggered*",
    ] {
        assert!(preview.contains(expected), "{expected}: {preview}");
    }
    assert!(!preview.contains("Free some"), "{preview}");
}

#[test]
fn a_secret_that_is_missing_is_told_with_its_place() {
    let config = CONFIG.replace("bot_token: xoxb-s3cr3t", "bot_token_env: NOT_SET");
    let error = Receivers::from_document(&Document::parse(&config).unwrap(), &Environment::default()).unwrap_err();
    assert_eq!(error.problems[0].key, "receivers[0].slack.bot_token_env");
}
