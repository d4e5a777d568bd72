//! What could not be told, at the command line.

use tocsin_testbed::doubles::Answer;
use tocsin_testbed::{Service, poll};

use crate::notifier::{DEADLINE, Notifier, firing};

/// What the notifier's own role sees and does.
fn run(notifier: &Notifier, args: &[&str]) -> (bool, String) {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_tocsin-notifier"));
    let output = std::process::Command::new(program)
        .arg("dead-letters")
        .args(args)
        .env("TOCSIN_DATABASE_URL", notifier.topology.tenant().database_url_for(Service::Notifier))
        .env("TOCSIN_CONFIG", notifier.topology.folder().join("tocsin.yaml"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.success(), text)
}

#[tokio::test]
async fn what_is_dead_is_listed_shown_and_tried_again() {
    let notifier = Notifier::start_with(&[("ops", ""), ("dev", "")], |topology| topology).await;
    notifier.provider.script_at("/ops", [Answer::status(410).body("moved away")]);
    notifier.notify("ops", &[firing("Down")]).await;
    notifier.fates_become(&["ops triggered dead 410: moved away"]).await;
    let id = notifier.sql("SELECT id FROM notifications").await[0][0].clone();

    let (listed, text) = run(&notifier, &["list"]);
    assert!(listed && text.contains(&id) && text.contains("410: moved away") && text.contains("1 of 1"), "{text}");
    let (listed, text) = run(&notifier, &["list", "--receiver", "dev", "--json"]);
    assert!(listed && text.trim() == "0 of 0", "{text}");
    let (shown, text) = run(&notifier, &["show", &id]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(shown && json["deliveries"][0]["http_status"] == 410, "{text}");

    let (redriven, text) = run(&notifier, &["redrive", "--receiver", "ops"]);
    assert!(redriven && text.contains(&id) && text.contains("1 are tried again"), "{text}");
    poll::until("it to be told", DEADLINE, async || notifier.provider.count_at("/ops") == 2).await.unwrap();
    notifier.fates_become(&["ops triggered delivered"]).await;
    let (redriven, text) = run(&notifier, &["redrive", &id]);
    assert!(!redriven && text.contains("is not dead but delivered; nothing was done"), "{text}");
}
