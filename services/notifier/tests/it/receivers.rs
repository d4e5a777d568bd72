//! Each kind of receiver through the running notifier, and the commands that show and try receivers.

use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};
use tocsin_testbed::Service;
use tocsin_testbed::doubles::{Answer, Recorder, SmtpServer, Stranger};
use tocsin_testbed::poll;

use crate::notifier::{DEADLINE, Notifier, firing, resolved};

/// A notifier with this configuration, in which `URL` is where the recorder is.
async fn start(config: &str) -> (Notifier, Recorder) {
    let provider = Recorder::start().unwrap();
    let config = config.replace("URL", &provider.url());
    let notifier = Notifier::start_as(|topology| {
        topology.config_text(config).env("TOCSIN_PUBLIC_URL", "https://tocsin.example.com")
    })
    .await;
    (notifier, provider)
}

/// Runs a command of the notifier on the same database.
async fn run(notifier: &Notifier, config: &str, args: &[&str]) -> Output {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), config).unwrap();
    tokio::process::Command::new(env!("CARGO_BIN_EXE_tocsin-notifier"))
        .args(args)
        .env("TOCSIN_CONFIG", file.path())
        .env("TOCSIN_DATABASE_URL", notifier.topology.tenant().database_url_for(Service::Notifier))
        .output()
        .await
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test]
async fn a_bot_of_slack_posts_and_its_message_has_buttons_for_the_incident() {
    let config = "receivers: [{name: ops, slack: {bot_token: xoxb-1, channel: C1, api_url: 'URL/api'}}]";
    let (notifier, slack) = start(config).await;
    slack.script([Answer::status(200).body(json!({"ok": false, "error": "ratelimited"}).to_string())]);
    slack.set_default(Answer::status(200).body(json!({"ok": true, "channel": "C1", "ts": "1.2"}).to_string()));
    notifier.notify("ops", &[firing("Down")]).await;
    notifier.ledger_becomes(&["triggered delivered 2"]).await;
    assert_eq!(
        notifier.attempts().await,
        ["1 200 200: chat.postMessage: ratelimited", "2 200 200: chat.postMessage: ok"]
    );
    let posts = slack.requests();
    let body: Value = posts[1].json().unwrap();
    assert_eq!((posts[1].path.as_str(), &body["channel"]), ("/api/chat.postMessage", &json!("C1")));
    let incident = notifier.sql("SELECT id FROM incidents").await.concat().remove(0);
    let buttons = body["blocks"].as_array().unwrap().last().unwrap()["elements"].as_array().unwrap();
    assert!(buttons.len() == 3 && buttons.iter().all(|button| button["value"] == incident.as_str()), "{body}");
    assert!(posts[1].text().contains("<https://tocsin.example.com/incidents/1|Incident>"), "{body}");

    let config = config.replace("URL", &slack.url());
    let shown = run(&notifier, &config, &["preview", "ops", "--incident", "1", "--kind", "resolved"]).await;
    let shown: Value = serde_json::from_str(&stdout(&shown)).unwrap();
    assert_eq!(shown["chat.update"]["ts"], "1.2", "the message that is known would be edited");
    assert_eq!(shown["chat.postMessage"]["thread_ts"], "1.2");

    notifier.notify("ops", &[resolved("Down")]).await;
    notifier.ledger_becomes(&["triggered delivered 2", "resolved delivered 1"]).await;
    let methods: Vec<_> = slack.requests()[2..].iter().map(|request| request.path.clone()).collect();
    assert_eq!(methods, ["/api/chat.update", "/api/chat.postMessage"]);
}

#[tokio::test]
async fn teams_takes_cards_and_throttles_in_its_own_words() {
    let (notifier, teams) = start("receivers: [{name: ops, teams: {webhook_url: 'URL/workflows'}}]").await;
    let throttled = "failed with error: Microsoft Teams endpoint returned HTTP error 429";
    teams.script([Answer::status(200).body(throttled), Answer::status(202)]);
    notifier.notify("ops", &[firing("Down")]).await;
    notifier.ledger_becomes(&["triggered delivered 2"]).await;
    let body = teams.requests()[0].json().unwrap();
    assert_eq!(body["attachments"][0]["content"]["fallbackText"], "Triggered: 🔴 #1 Down");
}

#[tokio::test]
async fn a_webhook_is_told_of_beginning_and_end_in_order() {
    let (notifier, taker) = start("receivers: [{name: ops, webhook: {url: 'URL/hook', allow_private: true}}]").await;
    notifier.notify("ops", &[firing("Down"), resolved("Down")]).await;
    let told = taker.wait_for(2, DEADLINE).await.unwrap();
    let told: Vec<Value> = told.iter().map(|request| request.json().unwrap()).collect();
    assert_eq!([&told[0]["type"], &told[1]["type"]], ["incident.triggered", "incident.resolved"]);
    assert_eq!(told[1]["data"]["incident"]["status"], "resolved");
    assert_eq!(told[1]["data"]["alerts"][0]["title"], "Down");
}

#[tokio::test]
async fn a_webhook_on_our_own_network_is_refused_and_the_ledger_says_why() {
    let (notifier, taker) = start("receivers: [{name: ops, webhook: {url: 'URL/hook'}}]").await;
    notifier.notify("ops", &[firing("Down")]).await;
    let reason = "its address is not a public one; `allow_private: true` would allow it";
    notifier.ledger_becomes(&[&format!("triggered dead 1 {reason}")]).await;
    assert_eq!(taker.count(), 0);
}

#[tokio::test]
async fn mail_is_delivered_and_a_refusal_is_final() {
    let server = SmtpServer::start().unwrap();
    let config = "receivers: [{name: ops, email: {to: [ops@example.com], from: tocsin@example.com,
        smtp: {host: localhost, port: PORT, tls: none}}}]";
    let (notifier, _) = start(&config.replace("PORT", &server.port().to_string())).await;
    server.refuse("451 4.3.0 later");
    notifier.notify("ops", &[firing("Down")]).await;
    notifier.ledger_becomes(&["triggered delivered 2"]).await;
    let mails = server.wait_for(1, Duration::from_secs(5)).await.unwrap();
    assert_eq!(mails[0].header("Subject").unwrap(), "[Triggered] #1 Down");
    server.refuse("550 5.1.1 no such user");
    notifier.notify("ops", &[resolved("Down")]).await;
    notifier.ledger_becomes(&["triggered delivered 2", "resolved dead 1 550 5.1.1 no such user"]).await;
}

#[tokio::test]
async fn a_server_for_whose_certificate_nobody_vouches_is_told_nothing_and_the_ledger_says_why() {
    for (stranger, receiver) in [
        (Stranger::https().unwrap(), "webhook: {url: 'https://localhost:PORT/hook', allow_private: true}"),
        (
            Stranger::smtp().unwrap(),
            "email: {to: [ops@example.com], from: tocsin@example.com, smtp: {host: localhost, port: PORT, tls: starttls}}",
        ),
        (
            Stranger::https().unwrap(),
            "email: {to: [ops@example.com], from: tocsin@example.com, smtp: {host: localhost, port: PORT, tls: implicit}}",
        ),
    ] {
        let receiver = receiver.replace("PORT", &stranger.port().to_string());
        let (notifier, _) = start(&format!("receivers: [{{name: ops, {receiver}}}]")).await;
        notifier.notify("ops", &[firing("Down")]).await;
        let attempts = poll::until("an attempt", DEADLINE, async || {
            poll::expect(notifier.attempts().await, |attempts| !attempts.is_empty())
        })
        .await
        .unwrap();
        assert!(attempts[0].contains("certificate"), "{receiver}: {attempts:?}");
        assert_eq!(stranger.trusted(), 0, "{receiver}: {:?}", stranger.refusals());
        poll::until("its own word of it", DEADLINE, async || !stranger.refusals().is_empty()).await.unwrap();
    }
}

#[tokio::test]
async fn a_preview_shows_what_would_be_sent_and_sends_nothing() {
    let config = "receivers: [{name: ops, teams: {webhook_url: 'URL/s3cr3t'}}, {name: nobody, silent: true}]";
    let (notifier, teams) = start(config).await;
    let config = config.replace("URL", &teams.url());
    notifier.notify("ops", &[firing("Down")]).await;
    notifier.ledger_becomes(&["triggered delivered 1"]).await;
    let sent: Value = teams.requests()[0].json().unwrap();

    let id = notifier.sql("SELECT id FROM incidents").await.concat().remove(0);
    for incident in ["1", "#1", &id] {
        let shown = run(&notifier, &config, &["preview", "ops", "--incident", incident]).await;
        let shown: Value = serde_json::from_str(&stdout(&shown)).unwrap();
        let title = |card: &Value| card["attachments"][0]["content"]["body"][0].clone();
        assert_eq!(title(&shown), title(&sent));
    }
    let shown = run(&notifier, &config, &["preview", "ops", "--incident", "1", "--kind", "resolved"]).await;
    assert!(stdout(&shown).contains("Resolved after"), "{shown:?}");
    assert!(!stdout(&shown).contains("s3cr3t"), "{shown:?}");
    for (receiver, incident, code) in [("ops", "2", 1), ("nobody", "1", 2), ("who", "1", 2)] {
        let failed = run(&notifier, &config, &["preview", receiver, "--incident", incident]).await;
        assert_eq!(failed.status.code(), Some(code), "{failed:?}");
        assert!(!failed.stderr.is_empty(), "it says why");
    }
    assert_eq!(teams.count(), 1);
}

#[tokio::test]
async fn a_test_message_says_that_it_is_one_and_the_exit_code_whether_it_was_taken() {
    let config = "receivers: [{name: ops, webhook: {url: 'URL/hook', allow_private: true}}]";
    let (notifier, taker) = start(config).await;
    let config = config.replace("URL", &taker.url());
    taker.script([Answer::status(200).body("thanks"), Answer::status(403).body("go away")]);
    let output = run(&notifier, &config, &["test", "ops"]).await;
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "ops: taken\n200: thanks\n"));
    let output = run(&notifier, &config, &["test", "ops"]).await;
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), "ops: refused\n403: go away\n"));
    let tests: Vec<Value> = taker.requests().iter().map(|request| request.json().unwrap()).collect();
    assert!(tests.iter().all(|test| test["data"]["test"] == true), "{tests:?}");
    assert_ne!(tests[0]["data"]["notification_id"], tests[1]["data"]["notification_id"]);
}
