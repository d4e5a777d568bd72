//! Who cannot be told is not forgotten: the notice is dead with its reason, and somebody else hears of it.

use serde_json::Value;
use tocsin_testbed::doubles::{Answer, Recorded};
use tocsin_testbed::topology::TopologyBuilder;
use tocsin_testbed::{http, poll};

use crate::notifier::{DEADLINE, Notifier, firing, resolved};

/// `ops` has a fallback, `chief`, which has one itself.
const RECEIVERS: [(&str, &str); 3] = [("ops", ", fallback: chief"), ("chief", ", fallback: deputy"), ("deputy", "")];

async fn start(change: impl FnOnce(TopologyBuilder) -> TopologyBuilder) -> Notifier {
    Notifier::start_with(&RECEIVERS, change).await
}

fn instead_of(request: &Recorded) -> Value {
    request.json().unwrap()["data"]["instead_of"].clone()
}

#[tokio::test]
async fn a_fallback_is_told_what_another_refused_and_why() {
    let notifier = start(|topology| topology).await;
    notifier.provider.set_default_at("/ops", Answer::status(404).body("no_service"));
    notifier.notify("ops", &[firing("Down")]).await;
    notifier.fates_become(&["chief undelivered delivered", "ops triggered dead 404: no_service"]).await;
    let told = notifier.provider.requests_at("/chief");
    assert_eq!(told.len(), 1);
    let instead_of = instead_of(&told[0]);
    assert_eq!(
        (instead_of["receiver"].as_str(), instead_of["reason"].as_str()),
        (Some("ops"), Some("404: no_service"))
    );
    assert!((notifier.metric("tocsin_notifier_fallbacks_total").await - 1.0).abs() < 0.1);
    assert!((notifier.metric("tocsin_notifier_dead_total{cause=\"refused\"}").await - 1.0).abs() < 0.1);
}

#[tokio::test]
async fn a_fallback_that_cannot_be_told_has_none_itself() {
    let notifier = start(|topology| topology).await;
    notifier.provider.set_default_at("/ops", Answer::status(404).body("no"));
    notifier.provider.set_default_at("/chief", Answer::status(403).body("never"));
    notifier.notify("ops", &[firing("Down")]).await;
    notifier.fates_become(&["chief undelivered dead 403: never", "ops triggered dead 404: no"]).await;
    assert_eq!(notifier.provider.count_at("/deputy"), 0);
}

#[tokio::test]
async fn what_cannot_be_delivered_in_time_is_dead_and_the_fallback_is_told() {
    let notifier = start(|topology| topology.env("TOCSIN_NOTIFIER_DEADLINE", "3s")).await;
    notifier.provider.set_default_at("/ops", Answer::status(503).body("later"));
    notifier.notify("ops", &[firing("Down")]).await;
    poll::until("the fallback to be told", DEADLINE, async || notifier.provider.count_at("/chief") == 1).await.unwrap();
    let dead =
        "SELECT reason ~ '^not delivered within 3s, in [1-9] attempts$' FROM notifications WHERE status = 'dead'";
    assert_eq!(notifier.sql(dead).await, [["t"]]);
    assert!(instead_of(&notifier.provider.requests_at("/chief")[0])["reason"].as_str().unwrap().contains("3s"));
}

#[tokio::test]
async fn the_deadline_comes_also_for_what_cannot_even_be_tried() {
    let notifier = start(|topology| topology.env("TOCSIN_NOTIFIER_DEADLINE", "4s")).await;
    // Left alone for longer than the deadline: nothing is tried meanwhile.
    notifier.provider.set_default_at("/ops", Answer::status(429).header("Retry-After", "60"));
    notifier.notify("ops", &[firing("First")]).await;
    poll::until("the wish to be left alone", DEADLINE, async || notifier.provider.count_at("/ops") == 1).await.unwrap();
    notifier.notify("ops", &[firing("Second")]).await;
    poll::until("the fallback to be told of both", DEADLINE, async || notifier.provider.count_at("/chief") == 2)
        .await
        .unwrap();
    let reasons = "SELECT reason FROM notifications WHERE status = 'dead' ORDER BY attempts";
    let expected = [["not delivered within 4s, in 0 attempts"], ["not delivered within 4s, in 1 attempts"]];
    assert_eq!(notifier.sql(reasons).await, expected);
    assert_eq!(notifier.provider.count_at("/ops"), 1);
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_asked_once_and_told_again_once_it_leads_elsewhere() {
    let notifier = start(|topology| topology).await;
    notifier.provider.set_default_at("/ops", Answer::status(410).body("moved away"));
    notifier.notify("ops", &[firing("First")]).await;
    notifier.fates_become(&["chief undelivered delivered", "ops triggered dead 410: moved away"]).await;
    notifier.notify("ops", &[firing("Second")]).await;
    poll::until("the second to be dead", DEADLINE, async || {
        let reasons =
            "SELECT count(*) FROM notifications WHERE reason ~ '^switched off since 2.* UTC: 410: moved away$'";
        poll::expect(notifier.sql(reasons).await, |seen| *seen == [["1"]])
    })
    .await
    .unwrap();
    assert_eq!(notifier.provider.count_at("/ops"), 1, "asked once");
    poll::until("the fallback to be told of both", DEADLINE, async || notifier.provider.count_at("/chief") == 2)
        .await
        .unwrap();

    let config = notifier.topology.folder().join("tocsin.yaml");
    let moved = std::fs::read_to_string(&config).unwrap().replace("/ops\"", "/elsewhere\"");
    std::fs::write(&config, moved).unwrap();
    notifier.process().stop().await.unwrap();
    notifier.process().start().await.unwrap();
    notifier.topology.wait_ready("notifier-1").await.unwrap();
    notifier.notify("ops", &[resolved("First")]).await;
    poll::until("the new address to be told", DEADLINE, async || notifier.provider.count_at("/elsewhere") == 1)
        .await
        .unwrap();
    poll::until("it to be switched on", DEADLINE, async || {
        notifier.sql("SELECT count(*) FROM receivers_gone").await == [["0"]]
    })
    .await
    .unwrap();
    http::is_ok(&format!("{}/health", notifier.topology.service_url("notifier-1").unwrap())).await.unwrap();
}
