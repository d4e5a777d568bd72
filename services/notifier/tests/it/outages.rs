//! The notifier ends in the middle of its work, or works without its stores.

use std::time::Duration;

use serde_json::{Value, json};
use tocsin_testbed::doubles::Answer;
use tocsin_testbed::topology::TopologyBuilder;
use tocsin_testbed::{http, poll};

use crate::notifier::{DEADLINE, Notifier, firing, headline};

#[tokio::test]
async fn what_a_killed_notifier_was_sending_is_sent_again_once_its_lease_has_run_out() {
    let notifier = Notifier::start().await;
    notifier.provider.script([Answer::ok().delay(Duration::from_mins(1))]);
    notifier.notify("ops", &[firing("Down")]).await;
    notifier.provider.wait_for(1, DEADLINE).await.unwrap();
    notifier.process().kill().await.unwrap();
    notifier.ledger_becomes(&["triggered sending 1"]).await;

    notifier.process().start().await.unwrap();
    notifier.topology.wait_ready("notifier-1").await.unwrap();
    // That the next is delivered shows that the ledger was looked at, and the first left to its holder.
    notifier.notify("ops", &[firing("Slow")]).await;
    notifier.ledger_becomes(&["triggered sending 1", "triggered delivered 1"]).await;

    notifier.sql("UPDATE notifications SET lease_until = now() - interval '1 s' WHERE status = 'sending'").await;
    notifier.ledger_becomes(&["triggered delivered 2", "triggered delivered 1"]).await;
    let told: Vec<_> = notifier.provider.requests().iter().map(headline).collect();
    assert_eq!(told, ["Triggered: 🔴 #1 Down", "Triggered: 🔴 #2 Slow", "Triggered: 🔴 #1 Down"]);
    assert_eq!(notifier.attempts().await, ["1 200 200: ok", "2 200 200: ok"], "the first was never recorded");
}

#[tokio::test]
async fn a_notifier_that_is_told_to_stop_finishes_what_is_on_its_way() {
    let notifier = Notifier::start().await;
    notifier.provider.script([Answer::ok().delay(Duration::from_secs(1))]);
    notifier.notify("ops", &[firing("Down")]).await;
    notifier.provider.wait_for(1, DEADLINE).await.unwrap();
    assert!(notifier.process().stop().await.unwrap().is_clean());
    notifier.ledger_becomes(&["triggered delivered 1"]).await;
}

#[tokio::test]
async fn notices_are_delivered_while_redis_is_away() {
    let notifier = Notifier::start_as(TopologyBuilder::own_stores).await;
    let redis = notifier.topology.stores().unwrap().redis();
    redis.process().stop().await.unwrap();
    let ready = format!("{}/ready", notifier.topology.service_url("notifier-1").unwrap());
    poll::until("the loss to be seen", DEADLINE, async || {
        let response = http::client().unwrap().get(&ready).send().await.unwrap();
        let seen = (response.status().as_u16(), response.json::<Value>().await.unwrap());
        let expected = (200, json!({"status": "ready", "database": "ok", "redis": "error"}));
        poll::expect(seen, |seen| *seen == expected)
    })
    .await
    .unwrap();
    notifier.notify("ops", &[firing("Down")]).await;
    notifier.ledger_becomes(&["triggered delivered 1"]).await;
}

#[tokio::test]
async fn delivery_goes_on_when_the_database_is_back() {
    let notifier = Notifier::start_as(TopologyBuilder::own_stores).await;
    let postgres = notifier.topology.stores().unwrap().postgres();
    postgres.process().kill().await.unwrap();
    let ready = format!("{}/ready", notifier.topology.service_url("notifier-1").unwrap());
    poll::until("the loss to be seen", DEADLINE, async || http::is_ok(&ready).await.is_err()).await.unwrap();
    postgres.process().start().await.unwrap();
    postgres.wait_ready().await.unwrap();
    notifier.notify("ops", &[firing("Down")]).await;
    notifier.ledger_becomes(&["triggered delivered 1"]).await;
    assert_eq!(notifier.provider.count(), 1);
}
