//! Clients that others wrote work with Tocsin when nothing but their address is changed.
//!
//! They are Python packages; `./dev clients` (part of `./dev test`) installs them.

use std::path::{Path, PathBuf};
use std::process::Output;

use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use super::system::{CONFIG, System};

/// 32 characters, as a routing key of `PagerDuty` has.
const KEY: &str = "0123456789abcdef0123456789abcdef";
/// Standard Webhooks: base64 of 24 to 64 bytes.
const SECRET: &str = "whsec_dG9jc2luIHRlc3RzIHdpdGggdGhpcyBzZWNyZXQh";
const OTHER_SECRET: &str = "whsec_dG9jc2luIHRlc3RzIHdpdGggYW5vdGhlciBzZWNyZXQh";

/// The proof system with one integration, which asks for signatures or does not.
async fn start(signatures: &str) -> System {
    let sha256 = hex::encode(Sha256::digest(KEY));
    let config = format!("{CONFIG}integrations: [{{name: vendor, keys: [{{sha256: {sha256}}}]{signatures}}}]\n");
    System::start(|builder| builder.config_text(config)).await
}

/// Runs a script of `tests/clients`.
async fn run(script: &str, args: &[&str]) -> Output {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python: PathBuf = crate_folder.join("../../.tools/venv/bin/python");
    assert!(python.exists(), "the clients are not installed; run `./dev clients`");
    let script = crate_folder.join("tests/clients").join(script);
    Command::new(python).arg(script).args(args).output().await.unwrap()
}

/// What a script printed that must succeed.
async fn printed(script: &str, args: &[&str]) -> String {
    let output = run(script, args).await;
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn the_client_of_pagerduty_triggers_acknowledges_and_resolves() {
    let system = start("").await;
    let url = system.topology.url();
    let send =
        async |action: &str, dedup_key: &str| printed("pagerduty_event.py", &[&url, KEY, action, dedup_key]).await;

    assert_eq!(send("trigger", "disk-db-1").await, "disk-db-1");
    let incident = system.only_incident("triggered").await;
    assert_eq!((&incident["title"], &incident["severity"]), (&"Disk of db-1 is full".into(), &"critical".into()));
    assert_eq!(incident["alerts"][0]["source"], "pagerduty");

    send("acknowledge", "disk-db-1").await;
    let incident = system.only_incident("acknowledged").await;
    assert!(incident["acknowledged_at"].is_string() && incident["acknowledged_by"].is_string(), "{incident}");

    send("resolve", "disk-db-1").await;
    let incident = system.only_incident("resolved").await;
    assert_eq!(incident["alerts"][0]["status"], "resolved");

    let made = printed("pagerduty_event.py", &[&url, KEY, "trigger"]).await;
    assert!(!made.is_empty(), "a key is made where none was given");
    let refused = run("pagerduty_event.py", &[&url, "ffffffffffffffffffffffffffffffff", "trigger"]).await;
    assert!(!refused.status.success(), "the client sees that its key is not known");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("401"), "{refused:?}");
    system.topology.stop().await.unwrap();
}

#[tokio::test]
async fn a_standard_webhook_is_taken_when_its_signature_is_right_and_fresh() {
    let system = start(&format!(", signatures: [{{standard_webhooks: {{secret: {SECRET}}}}}]")).await;
    let url = format!("{}/api/v1/webhooks/generic/{KEY}", system.topology.url());
    let send = async |secret: &str, id: &str, seconds_ago: &str| {
        printed("standard_webhook.py", &[&url, secret, id, seconds_ago]).await
    };
    assert_eq!(send(SECRET, "msg_1", "0").await, "200");
    assert_eq!(send(SECRET, "msg_1", "60").await, "200", "the same message again");
    assert_eq!(send(OTHER_SECRET, "msg_2", "0").await, "401", "signed by somebody else");
    assert_eq!(send(SECRET, "msg_3", "600").await, "401", "recorded ten minutes ago");
    assert_eq!(send(SECRET, "msg_4", "-600").await, "401", "signed for later");

    system.wait_until_drained().await;
    assert_eq!(system.count("SELECT sum(occurrences) FROM alerts").await, 1, "one message acts once, the others never");
    assert_eq!(system.only_incident("triggered").await["title"], "Bücher ausverkauft");
    system.topology.stop().await.unwrap();
}
