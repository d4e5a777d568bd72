//! What receivers are sent is what their vendors' own libraries read: Slack's SDK, the renderer of Adaptive Cards, and the
//! library of Standard Webhooks. `./dev clients` (part of `./dev test`) installs them.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tocsin_testbed::doubles::{Answer, Recorded, Recorder};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::system::{PATIENCE, System};

const SECRET: &str = "whsec_dG9jc2luIHRlc3RzIHdpdGggdGhpcyBzZWNyZXQh";
const OTHER_SECRET: &str = "whsec_dG9jc2luIHRlc3RzIHdpdGggYW5vdGhlciBzZWNyZXQh";

/// One receiver of each kind that takes HTTP, at one recorder.
const CONFIG: &str = "
route:
  group_by: [alertname]
  routes: [{receiver: slack, continue: true}, {receiver: teams, continue: true}, {receiver: hook}]
receivers:
  - {name: slack, slack: {bot_token: xoxb-1, channel: C1, api_url: 'URL/api'}}
  - {name: teams, teams: {webhook_url: 'URL/teams'}}
  - {name: hook, webhook: {url: 'URL/hook', allow_private: true, secret: SECRET}}
api: {tokens: [{name: test, scopes: [read, respond], sha256_env: TOCSIN_DEMO_TOKEN_SHA256}]}
";

fn in_crate(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs a script of `tests/clients` with a JSON document on its standard input.
async fn run(script: &str, args: &[&str], input: &Value) -> Output {
    let python = in_crate("../../.tools/venv/bin/python");
    let installed = [python.clone(), in_crate("../../.tools/npm/node_modules/adaptivecards")];
    assert!(installed.iter().all(|path| path.exists()), "the clients are not installed; run `./dev clients`");
    let is_python = Path::new(script).extension().is_some_and(|extension| extension == "py");
    let mut child = Command::new(if is_python { python } else { "node".into() })
        .arg(in_crate("tests/clients").join(script))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).await.unwrap();
    child.wait_with_output().await.unwrap()
}

/// What a script printed that must succeed.
async fn printed(script: &str, args: &[&str], input: &Value) -> String {
    let output = run(script, args, input).await;
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn count(script: &str, input: &Value) -> usize {
    printed(script, &[], input).await.parse().unwrap()
}

/// What the notifier's snapshots hold of a kind of receiver: what it is sent in every case.
fn snapshots(receiver: &str) -> Vec<Value> {
    let folder = in_crate("../../services/notifier/src/receivers/snapshots");
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let is_wanted = |path: &PathBuf| name(path).contains(&format!("tests__{receiver}_"));
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(is_wanted);
    let body = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        serde_json::from_str(text.splitn(3, "---\n").nth(2).unwrap()).unwrap()
    };
    files.map(body).collect()
}

/// How many cases there are: the kinds of notices, a test, many alerts, and silenced ones.
const CASES: usize = 13;

fn card(body: &Value) -> Value {
    body["attachments"][0]["content"].clone()
}

fn to(requests: &[Recorded], path: &str) -> Vec<Value> {
    requests.iter().filter(|request| request.path.starts_with(path)).map(|request| request.json().unwrap()).collect()
}

#[tokio::test]
async fn slacks_sdk_reads_every_message() {
    let webhook = snapshots("slack_webhook");
    let bot: Vec<Value> =
        snapshots("slack_bot").iter().flat_map(|requests| requests.as_object().unwrap().values()).cloned().collect();
    assert_eq!(webhook.len(), CASES);
    assert!(bot.len() > CASES, "posts, edits and replies");
    assert!(count("slack_blocks.py", &webhook.into()).await > CASES);
    assert!(count("slack_blocks.py", &bot.into()).await > CASES);

    // That it would say so.
    let header = json!({"type": "header", "text": {"type": "plain_text", "text": "x".repeat(151), "emoji": true}});
    let wrong = run("slack_blocks.py", &[], &json!([{"text": "x", "blocks": [header]}])).await;
    assert!(!wrong.status.success());
}

#[tokio::test]
async fn the_renderer_of_adaptive_cards_understands_every_card() {
    let cards: Vec<Value> = snapshots("teams").iter().map(card).collect();
    assert_eq!(cards.len(), CASES);
    assert!(count("adaptive_cards.cjs", &cards.into()).await > 50 * CASES);

    let text = |kind: &str| json!([{"type": "AdaptiveCard", "version": "1.4", "body": [{"type": kind, "text": "x"}]}]);
    assert!(run("adaptive_cards.cjs", &[], &text("TextBlock")).await.status.success());
    assert!(!run("adaptive_cards.cjs", &[], &text("TextBlok")).await.status.success());
}

#[tokio::test]
async fn what_a_running_system_sends_is_read_by_the_vendors_libraries() {
    let provider = Recorder::start().unwrap();
    provider.set_default(Answer::status(200).body(json!({"ok": true, "channel": "C1", "ts": "1.2"}).to_string()));
    let config = CONFIG.replace("URL", &provider.url()).replace("SECRET", SECRET);
    let system = System::start(|builder| builder.config_text(config)).await;
    let alert = json!({"title": "Bücher <ausverkauft> & *weg*", "external_id": "books", "severity": "critical"});
    system.send(&alert, "one").await.unwrap();
    provider.wait_for(3, PATIENCE).await.unwrap();
    let mut resolved = alert;
    resolved["status"] = "resolved".into();
    system.send(&resolved, "two").await.unwrap();
    let is_last = |request: &Recorded| request.path == "/hook" && request.text().contains("incident.resolved");
    provider.wait_for_request("the end, at the webhook", PATIENCE, is_last).await.unwrap();
    provider.wait_for(6, PATIENCE).await.unwrap();

    let requests = provider.requests();
    assert!(count("slack_blocks.py", &to(&requests, "/api/").into()).await > 0);
    let cards: Vec<Value> = to(&requests, "/teams").iter().map(card).collect();
    assert!(count("adaptive_cards.cjs", &cards.into()).await > 0);
    let hooks = requests.iter().filter(|request| request.path == "/hook");
    let signed: Vec<Value> = hooks
        .map(|request| {
            let headers: serde_json::Map<String, Value> =
                request.headers.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
            json!({"headers": headers, "body": request.text()})
        })
        .collect();
    let types = printed("standard_webhook_verify.py", &[SECRET], &signed.clone().into()).await;
    assert_eq!(types, "incident.triggered incident.resolved");
    assert!(!run("standard_webhook_verify.py", &[OTHER_SECRET], &signed.into()).await.status.success());
    system.topology.stop().await.unwrap();
}
