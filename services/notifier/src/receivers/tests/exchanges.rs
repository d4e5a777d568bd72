//! What is made of what providers answer.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tocsin_shared::ledger::NoticeKind;
use tocsin_testbed::doubles::{Answer as Scripted, Recorded, Recorder, SmtpServer};

use super::super::{Answer, Http, Receivers, Sent};
use super::receivers;
use crate::story::{Story, told};

const FAILED: Answer = Answer::Failed { retry_after: None };

fn http() -> Http {
    Http::new(Duration::from_millis(500)).unwrap()
}

async fn tell(receivers: &Receivers, story: &Story) -> Sent {
    receivers.get("ops").unwrap().provider.send(&http(), story).await
}

fn slack_bot(slack: &Recorder) -> Receivers {
    let config = "receivers: [{name: ops, slack: {bot_token: xoxb-s3cr3t, channel: C1, api_url: 'URL/api/'}}]";
    receivers(&config.replace("URL", &slack.url()))
}

fn posted() -> Scripted {
    Scripted::status(200).body(json!({"ok": true, "channel": "C1", "ts": "1.2", "message": {}}).to_string())
}

fn error(error: &str) -> Scripted {
    Scripted::status(200).body(json!({"ok": false, "error": error}).to_string())
}

fn methods(requests: &[Recorded]) -> Vec<&str> {
    requests.iter().map(|request| request.path.rsplit('/').next().unwrap()).collect()
}

#[tokio::test]
async fn a_bot_posts_an_incident_once_and_edits_it_with_its_story_in_the_thread() {
    let slack = Recorder::start().unwrap();
    slack.set_default(posted());
    let receivers = slack_bot(&slack);
    let sent = tell(&receivers, &told::told(NoticeKind::Triggered)).await;
    let reference = json!({"channel": "C1", "ts": "1.2"});
    assert_eq!((&sent.answer, &sent.message), (&Answer::Taken, &Some(reference.clone())));
    let story = Story { message: Some(reference), ..told::told(NoticeKind::Reopened) };
    let sent = tell(&receivers, &story).await;
    assert_eq!((&sent.answer, &sent.message), (&Answer::Taken, &None), "the message stays the one that is known");

    let requests = slack.requests();
    assert_eq!(methods(&requests), ["chat.postMessage", "chat.update", "chat.postMessage"]);
    assert!(requests.iter().all(|request| request.path.starts_with("/api/chat.")));
    assert!(requests.iter().all(|request| request.header("authorization") == Some("Bearer xoxb-s3cr3t")));
    let bodies: Vec<Value> = requests.iter().map(|request| request.json().unwrap()).collect();
    assert_eq!((&bodies[1]["channel"], &bodies[1]["ts"]), (&json!("C1"), &json!("1.2")));
    assert_eq!((&bodies[2]["thread_ts"], &bodies[2]["reply_broadcast"]), (&json!("1.2"), &json!(true)));
}

#[tokio::test]
async fn a_message_that_is_gone_is_told_anew() {
    let slack = Recorder::start().unwrap();
    slack.script([error("message_not_found"), posted()]);
    let sent = tell(&slack_bot(&slack), &told::told(NoticeKind::Updated)).await;
    assert_eq!((&sent.answer, sent.message), (&Answer::Taken, Some(json!({"channel": "C1", "ts": "1.2"}))));
    assert_eq!(methods(&slack.requests()), ["chat.update", "chat.postMessage"]);
}

#[tokio::test]
async fn when_only_the_edit_was_done_both_are_done_again() {
    let slack = Recorder::start().unwrap();
    slack.script([posted(), Scripted::status(503)]);
    slack.set_default(posted());
    let (receivers, story) = (slack_bot(&slack), told::told(NoticeKind::Resolved));
    assert_eq!(tell(&receivers, &story).await.answer, FAILED);
    assert_eq!(tell(&receivers, &story).await.answer, Answer::Taken);
    let requests = slack.requests();
    assert_eq!(methods(&requests), ["chat.update", "chat.postMessage", "chat.update", "chat.postMessage"]);
    assert_eq!(requests[0].body, requests[2].body);
}

#[tokio::test]
async fn an_error_of_slack_with_status_200_passes_or_does_not() {
    let slack = Recorder::start().unwrap();
    let receivers = slack_bot(&slack);
    for (word, answer) in [
        ("ratelimited", FAILED),
        ("message_limit_exceeded", FAILED),
        ("internal_error", FAILED),
        ("fatal_error", FAILED),
        ("service_unavailable", FAILED),
        ("request_timeout", FAILED),
        ("channel_not_found", Answer::Refused),
        ("invalid_auth", Answer::Refused),
        ("is_archived", Answer::Refused),
        ("not_in_channel", Answer::Refused),
        ("account_inactive", Answer::Refused),
        ("token_revoked", Answer::Refused),
        ("something_new", Answer::Refused),
    ] {
        slack.script([error(word)]);
        let sent = tell(&receivers, &told::told(NoticeKind::Triggered)).await;
        assert_eq!((sent.answer, sent.text), (answer, format!("200: chat.postMessage: {word}")));
    }
    slack.script([
        Scripted::status(429).header("Retry-After", "7"),
        Scripted::status(200).body("<html>"),
        Scripted::hang_up(),
    ]);
    let retry_after = Some(Duration::from_secs(7));
    let story = told::told(NoticeKind::Triggered);
    assert_eq!(tell(&receivers, &story).await.answer, Answer::Failed { retry_after });
    assert_eq!(tell(&receivers, &story).await.answer, FAILED, "what answers in HTML is not Slack");
    assert_eq!(tell(&receivers, &story).await.answer, FAILED);
}

#[tokio::test]
async fn a_success_of_teams_that_speaks_of_an_error_is_none() {
    let teams = Recorder::start().unwrap();
    let config = format!("receivers: [{{name: ops, teams: {{webhook_url: '{}/s3cr3t'}}}}]", teams.url());
    let receivers = receivers(&config);
    let said = |text: &str| Scripted::status(200).body(text);
    for (scripted, answer) in [
        (Scripted::status(202), Answer::Taken),
        (said("1"), Answer::Taken),
        (said("failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId 1"), FAILED),
        (said("Microsoft Teams endpoint returned HTTP error 502"), FAILED),
        (said("Microsoft Teams endpoint returned HTTP error 404"), Answer::Refused),
        (Scripted::status(400).body("no workflow /s3cr3t"), Answer::Refused),
        (Scripted::status(410), Answer::Gone),
        (Scripted::status(302).header("Location", "/elsewhere"), Answer::Refused),
    ] {
        teams.script([scripted]);
        let sent = tell(&receivers, &told::told(NoticeKind::Triggered)).await;
        assert_eq!(sent.answer, answer, "{}", sent.text);
    }
    assert_eq!(teams.count(), 8, "no redirect was followed");
}

#[tokio::test]
async fn a_webhook_is_signed_over_what_is_sent_and_has_the_same_id_each_time() {
    let taker = Recorder::start().unwrap();
    let config = "receivers: [{name: ops, webhook: {url: 'URL/hook', allow_private: true,
        secret: whsec_dG9jc2luIHRlc3RzIHdpdGggdGhpcyBzZWNyZXQh, authorization: Bearer t0ken}}]";
    let receivers = receivers(&config.replace("URL", &taker.url()));
    let story = told::told(NoticeKind::Triggered);
    taker.script([
        Scripted::status(503).body("we know your Bearer t0ken"),
        Scripted::status(204),
        Scripted::status(410),
    ]);
    let sent = tell(&receivers, &story).await;
    assert_eq!((sent.answer, sent.text.as_str()), (FAILED, "503: we know your [secret]"));
    assert_eq!(tell(&receivers, &story).await.answer, Answer::Taken);
    assert_eq!(tell(&receivers, &story).await.answer, Answer::Gone);

    for request in taker.requests() {
        let header = |name: &str| request.header(name).unwrap().to_owned();
        assert_eq!(
            (header("webhook-id"), header("authorization")),
            (story.notice.to_string(), "Bearer t0ken".to_owned())
        );
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"tocsin tests with this secret!");
        let signed = [header("webhook-id"), header("webhook-timestamp"), request.text()].join(".");
        let tag = BASE64_STANDARD.decode(header("webhook-signature").strip_prefix("v1,").unwrap()).unwrap();
        assert!(ring::hmac::verify(&key, signed.as_bytes(), &tag).is_ok());
        assert_eq!(request.json().unwrap()["type"], "incident.triggered");
    }
}

#[tokio::test]
async fn a_webhook_reaches_our_own_network_only_where_that_is_allowed() {
    let taker = Recorder::start().unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]", "0x7f.1"] {
        let port = taker.url().rsplit(':').next().unwrap().to_owned();
        let config = format!("receivers: [{{name: ops, webhook: {{url: 'https://{host}:{port}/'}}}}]");
        let sent = tell(&receivers(&config), &told::told(NoticeKind::Triggered)).await;
        assert_eq!(sent.answer, Answer::Refused, "{host}: {}", sent.text);
        assert!(sent.text.contains("not a public one"), "{host}: {}", sent.text);
    }
    assert_eq!(taker.count(), 0);
}

#[tokio::test]
async fn an_answer_without_end_is_cut_and_one_without_haste_is_given_up() {
    let taker = Recorder::start().unwrap();
    let config = format!("receivers: [{{name: ops, webhook: {{url: '{}', allow_private: true}}}}]", taker.url());
    let receivers = receivers(&config);
    taker.script([Scripted::status(400).body("é".repeat(1_000_000)), Scripted::ok().delay(Duration::from_mins(1))]);
    let sent = tell(&receivers, &told::told(NoticeKind::Triggered)).await;
    assert_eq!((sent.answer, sent.http_status), (Answer::Refused, Some(400)));
    assert!(sent.text.len() <= 512 && sent.text.starts_with("400: éé"), "{}", sent.text.len());
    let sent = tell(&receivers, &told::told(NoticeKind::Triggered)).await;
    assert_eq!((sent.answer, sent.http_status), (FAILED, None));
    assert!(sent.text.contains("timed out"), "{}", sent.text);
}

fn email(server: &SmtpServer, tls: &str) -> Receivers {
    let config = "receivers: [{name: ops, email: {to: [ops@example.com, Grace <grace@example.com>],
        from: Tocsin <tocsin@example.com>, smtp: {host: 127.0.0.1, port: PORT, tls: TLS}}}]";
    receivers(&config.replace("PORT", &server.port().to_string()).replace("TLS", tls))
}

#[tokio::test]
async fn mails_of_an_incident_are_one_thread_and_a_repeat_is_the_same_mail() {
    let server = SmtpServer::start().unwrap();
    let receivers = email(&server, "none");
    for kind in [NoticeKind::Triggered, NoticeKind::Triggered, NoticeKind::Resolved] {
        let sent = tell(&receivers, &told::told(kind)).await;
        assert_eq!((sent.answer, sent.text.as_str()), (Answer::Taken, "250 2.0.0 queued"));
    }
    let mails = server.wait_for(3, Duration::from_secs(5)).await.unwrap();
    let headers = |name: &str| mails.iter().map(|mail| mail.header(name).unwrap()).collect::<Vec<_>>();
    let thread = "<incident-00000000-0000-0000-0000-00000000000c@example.com>";
    assert!(headers("In-Reply-To").iter().chain(&headers("References")).all(|id| id == thread));
    assert!(headers("Message-ID").iter().all(|id| id == "<00000000-0000-0000-0000-000000000007@example.com>"));
    assert!(headers("Auto-Submitted").iter().all(|value| value == "auto-generated"));
    assert_eq!(mails[0].to, ["ops@example.com", "grace@example.com"]);
    assert_eq!(mails[0].from, "tocsin@example.com");
    assert!(mails[0].text.contains("Content-Type: text/plain") && mails[0].text.contains("Content-Type: text/html"));
    let subjects = headers("Subject");
    let same = "#12 Disks of <checkout> are > 95 % full & filling";
    assert_eq!(subjects, ["[Triggered]", "[Triggered]", "[Resolved]"].map(|what| format!("{what} {same}")));
}

#[tokio::test]
async fn no_text_of_a_sender_becomes_a_header_or_ends_a_mail() {
    let server = SmtpServer::start().unwrap();
    let mut story = told::told(NoticeKind::Triggered);
    story.record.incident.title = "x\r\nBcc: eve@example.com\r\n\r\n.\r\nMAIL FROM:<eve@example.com>".to_owned();
    story.record.incident.summary = Some("a\r\n.\r\nQUIT\r\n.".to_owned());
    assert_eq!(tell(&email(&server, "none"), &story).await.answer, Answer::Taken);
    let mails = server.wait_for(1, Duration::from_secs(5)).await.unwrap();
    assert_eq!((mails.len(), mails[0].header("Bcc")), (1, None));
    assert!(mails[0].header("Subject").unwrap().contains("Bcc: eve@example.com"), "{:?}", mails[0].header("Subject"));
    assert!(mails[0].text.contains("\n.\nQUIT\n."), "{}", mails[0].text);
}

#[tokio::test]
async fn a_mail_server_refuses_for_good_or_for_now() {
    let server = SmtpServer::start().unwrap();
    let receivers = email(&server, "none");
    // The mail for both, and then that for each.
    (0..3).for_each(|_| server.refuse("550 5.1.1 no such user"));
    server.refuse("451 4.3.0 try later");
    server.hang();
    let story = told::told(NoticeKind::Triggered);
    let sent = tell(&receivers, &story).await;
    assert_eq!(sent.answer, Answer::Refused);
    assert!(sent.text.contains("550") && sent.text.contains("no such user"), "{}", sent.text);
    let sent = tell(&receivers, &story).await;
    assert_eq!(sent.answer, FAILED);
    assert!(sent.text.contains("try later"), "{}", sent.text);
    assert_eq!(tell(&receivers, &story).await.answer, FAILED, "it hangs");
    assert_eq!(server.mails(), []);
}

#[tokio::test]
async fn an_address_that_is_refused_keeps_a_mail_from_nobody_else_and_is_named() {
    let server = SmtpServer::start().unwrap();
    let receivers = email(&server, "none");
    server.refuse_recipient("ops@example.com");
    let sent = tell(&receivers, &told::told(NoticeKind::Triggered)).await;
    assert_eq!(sent.answer, Answer::Taken);
    assert!(
        sent.text.starts_with("not to ops@example.com: 550 5.1.1 no such user; to the others: 250"),
        "{}",
        sent.text
    );
    let to: Vec<_> = server.mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, [["grace@example.com"]]);
    server.refuse_recipient("grace@example.com");
    let sent = tell(&receivers, &told::told(NoticeKind::Triggered)).await;
    assert_eq!(sent.answer, Answer::Refused);
    assert!(
        sent.text.contains("ops@example.com: 550") && sent.text.contains("grace@example.com: 550"),
        "{}",
        sent.text
    );
}

#[tokio::test]
async fn a_mail_is_not_sent_without_the_encryption_that_was_asked_for() {
    let server = SmtpServer::start().unwrap();
    for tls in ["starttls", "implicit"] {
        let sent = tell(&email(&server, tls), &told::told(NoticeKind::Triggered)).await;
        assert_eq!(sent.answer, FAILED, "{tls}: {}", sent.text);
    }
    assert_eq!(server.mails(), []);
}
