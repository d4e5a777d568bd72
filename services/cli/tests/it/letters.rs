//! What could not be applied, and what could not be told.

use serde_json::Value;
use tocsin_testbed::doubles::{Answer, Recorder};
use tocsin_testbed::{Service, poll};

use crate::bed::{ADMIN, Bed, DEADLINE, READER, RESPONDER, steady};

#[tokio::test]
async fn dead_letters_are_listed_shown_and_tried_again() {
    let bed = Bed::start().await;
    // Entries that are no envelopes.
    let stream = format!("{}:v1:{{0}}:events", bed.topology.tenant().redis_prefix());
    for value in ["one", "two"] {
        bed.topology.tenant().redis(["XADD", &stream, "*", "nonsense", value]).await.unwrap();
    }
    let letters = poll::until("two dead letters", DEADLINE, async || {
        let list = bed.must_json(READER, &["dead-letters", "list"]).await;
        Some(list["data"].as_array().unwrap().clone()).filter(|letters| letters.len() == 2)
    })
    .await
    .unwrap();
    let table = bed.must(READER, &["dead-letters", "list"]).await;
    assert!(table.starts_with("ID  STREAM  KEPT") && table.lines().count() == 3, "{table}");
    let id = letters[0]["id"].to_string();
    assert_eq!(bed.must_json(READER, &["dead-letters", "show", &id]).await, letters[0]);
    insta::assert_snapshot!(
        "dead_letter",
        steady(&bed.must(READER, &["dead-letters", "show", "1"]).await)
            .replace(letters[1]["entry_id"].as_str().unwrap(), "7-0")
    );
    let none = bed.run(READER, &["dead-letters", "show", "4711"]).await;
    assert!(none.exit == 3 && none.err.contains("no dead letter has this number (not_found, "), "{none:?}");

    let forbidden = bed.run(RESPONDER, &["dead-letters", "redrive", &id]).await;
    assert!(forbidden.exit == 4 && forbidden.err.contains("(insufficient_scope, "), "{forbidden:?}");
    // They lack what the inbox must know, so they stay.
    let refused = bed.run(ADMIN, &["dead-letters", "redrive", "--all"]).await;
    assert_eq!((refused.exit, refused.err.matches("error: ").count()), (1, 2), "{refused:?}");
    assert_eq!(bed.must(ADMIN, &["dead-letters", "redrive", "--all", "--reason", "no such reason"]).await, "");
}

#[tokio::test]
async fn dead_notifications_are_shown_with_their_attempts_and_tried_again() {
    let slack = Recorder::start().unwrap();
    slack.set_default(Answer::status(404).body("no_service"));
    let bed =
        Bed::start_as(|topology| topology.count(Service::Notifier, 1).slack_webhook_url(slack.slack_webhook_url()))
            .await;
    bed.alert("DiskFull", &[]).await;
    let notice = poll::until("a dead notification", DEADLINE, async || {
        let list = bed.must_json(READER, &["notifications", "list", "--status", "dead", "--incident", "1"]).await;
        list["data"].get(0).cloned()
    })
    .await
    .unwrap();
    let id = notice["id"].as_str().unwrap();
    let shown = bed.must(READER, &["notifications", "show", id]).await;
    assert!(shown.contains("status        dead") && shown.contains("404     404: no_service"), "{shown}");
    let told = bed.must(ADMIN, &["notifications", "redrive", "--dead", "--receiver", "ops", "--since", "1h"]).await;
    assert_eq!(told, "1 notifications are tried again\n");
    poll::until("it to be dead again", DEADLINE, async || {
        let notice: Value = bed.must_json(READER, &["notifications", "show", id]).await;
        notice["status"] == "dead" && !notice["redriven_at"].is_null()
    })
    .await
    .unwrap();
    slack.set_default(Answer::ok());
    assert_eq!(bed.must(ADMIN, &["notifications", "redrive", id]).await, format!("notification {id} is tried again\n"));
    poll::until("it to be delivered", DEADLINE, async || {
        bed.must_json(READER, &["notifications", "show", id]).await["status"] == "delivered"
    })
    .await
    .unwrap();
}
