//! What a provider may answer, and what becomes of the notice.

use std::time::Duration;

use tocsin_testbed::doubles::Answer;

use crate::notifier::{DEADLINE, Notifier, firing, headline, resolved};

#[tokio::test]
async fn a_notice_is_delivered_once_and_its_attempt_recorded() {
    let notifier = Notifier::start().await;
    notifier.notify("ops", &[firing("Down")]).await;
    notifier.ledger_becomes(&["triggered delivered 1"]).await;
    assert_eq!(notifier.attempts().await, ["1 200 200: ok"]);
    let messages = notifier.provider.requests();
    assert_eq!(messages.iter().map(headline).collect::<Vec<_>>(), ["Triggered: 🔴 #1 Down"]);
    assert_eq!((messages[0].method.as_str(), messages[0].header("content-type")), ("POST", Some("application/json")));
}

#[tokio::test]
async fn a_provider_that_asks_for_patience_gets_it() {
    let notifier = Notifier::start().await;
    notifier.provider.script([Answer::status(429).header("Retry-After", "3").body("slow down")]);
    notifier.notify("ops", &[firing("Down")]).await;
    notifier.ledger_becomes(&["triggered delivered 2"]).await;
    assert_eq!(notifier.attempts().await, ["1 429 429: slow down", "2 200 200: ok"]);
    let messages = notifier.provider.requests();
    let waited = messages[1].at.duration_since(messages[0].at).unwrap();
    // Of its own accord it would have come back within one second.
    assert!(waited >= Duration::from_secs(3), "came back after {waited:?}");
}

#[tokio::test]
async fn a_failure_that_may_pass_is_tried_again() {
    let notifier = Notifier::start().await;
    notifier.provider.script([Answer::status(500).body("oops"), Answer::hang_up()]);
    notifier.notify("ops", &[firing("Down")]).await;
    notifier.ledger_becomes(&["triggered delivered 3"]).await;
    let attempts = notifier.attempts().await;
    assert_eq!((attempts.len(), attempts[0].as_str(), attempts[2].as_str()), (3, "1 500 500: oops", "3 200 200: ok"));
    assert!(attempts[1].starts_with("2 - "), "no answer has no status: {attempts:?}");
    let messages = notifier.provider.requests();
    assert!(messages.iter().all(|message| message.body == messages[0].body));
}

#[tokio::test]
async fn a_provider_that_takes_too_long_is_given_up_and_tried_again() {
    let notifier = Notifier::start_as(|topology| topology.env("TOCSIN_NOTIFIER_REQUEST_TIMEOUT", "200ms")).await;
    notifier.provider.script([Answer::ok().delay(Duration::from_mins(1))]);
    notifier.notify("ops", &[firing("Down")]).await;
    notifier.ledger_becomes(&["triggered delivered 2"]).await;
    assert!(notifier.attempts().await[0].contains("timed out"), "{:?}", notifier.attempts().await);
}

#[tokio::test]
async fn a_refusal_is_final_and_told_with_the_providers_words() {
    let notifier = Notifier::start().await;
    notifier.provider.script([Answer::status(404).body("no_service")]);
    notifier.notify("ops", &[firing("Down")]).await;
    notifier.ledger_becomes(&["triggered dead 1 404: no_service"]).await;
    assert_eq!(notifier.attempts().await, ["1 404 404: no_service"]);
    // What comes after it is not held up, and shows that the notifier has looked at the ledger again.
    notifier.notify("ops", &[resolved("Down")]).await;
    notifier.ledger_becomes(&["triggered dead 1 404: no_service", "resolved delivered 1"]).await;
    assert_eq!(notifier.provider.count(), 2);
}

#[tokio::test]
async fn a_notice_of_a_receiver_that_is_not_configured_is_left_to_others_until_its_deadline() {
    let receivers = [("ops", "")];
    let notifier = Notifier::start_with(&receivers, |topology| topology.env("TOCSIN_NOTIFIER_DEADLINE", "3s")).await;
    notifier.notify("nobody", &[firing("Down")]).await;
    let early =
        "SELECT count(*) FROM notifications WHERE status = 'dead' AND finished_at < owed_since + interval '3 s'";
    notifier.ledger_becomes(&["triggered dead 0 no receiver of this name is configured"]).await;
    assert_eq!(notifier.sql(early).await, [["0"]]);
    assert_eq!(notifier.provider.count(), 0);
}

#[tokio::test]
async fn a_receiver_hears_of_the_end_after_the_beginning_even_when_the_beginning_fails_first() {
    let notifier = Notifier::start().await;
    notifier.provider.script([Answer::status(503)]);
    notifier.notify("ops", &[firing("Down"), resolved("Down")]).await;
    let messages = notifier.provider.wait_for(3, DEADLINE).await.unwrap();
    let told: Vec<_> = messages.iter().map(headline).map(|line| line.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(told, ["Triggered", "Triggered", "Resolved"]);
    notifier.ledger_becomes(&["triggered delivered 2", "resolved delivered 1"]).await;
}

#[tokio::test]
async fn a_slow_provider_holds_up_no_other_incident() {
    let notifier = Notifier::start().await;
    notifier.provider.script([Answer::ok().delay(Duration::from_secs(4))]);
    notifier.notify("ops", &[firing("Slow")]).await;
    notifier.provider.wait_for(1, DEADLINE).await.unwrap();
    notifier.notify("ops", &[firing("Down")]).await;
    notifier.ledger_becomes(&["triggered sending 1", "triggered delivered 1"]).await;
    notifier.ledger_becomes(&["triggered delivered 1", "triggered delivered 1"]).await;
}
