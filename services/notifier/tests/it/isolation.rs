//! One receiver never delays another (promise 7).

use std::time::{Duration, Instant};

use tocsin_testbed::doubles::Answer;
use tocsin_testbed::poll;

use crate::notifier::{DEADLINE, Notifier, firing};

const NONE: &str = "";

async fn start(receivers: &[(&str, &str)]) -> Notifier {
    Notifier::start_with(receivers, |topology| topology.env("TOCSIN_NOTIFIER_REQUEST_TIMEOUT", "10s")).await
}

#[tokio::test]
async fn a_destination_that_hangs_has_a_bounded_share_and_delays_no_other() {
    let notifier = start(&[("slow", NONE), ("quick", NONE)]).await;
    notifier.provider.set_default_at("/slow", Answer::ok().delay(Duration::from_mins(1)));
    let many: Vec<_> = (0..40).map(|n| firing(&format!("slow {n}"))).collect();
    notifier.notify("slow", &many).await;
    poll::until("its share to be taken up", DEADLINE, async || {
        poll::expect(notifier.provider.count_at("/slow"), |count| *count == 8)
    })
    .await
    .unwrap();
    let begun = Instant::now();
    for n in 0..10 {
        notifier.notify("quick", &[firing(&format!("quick {n}"))]).await;
    }
    poll::until("the other to be told", DEADLINE, async || {
        poll::expect(notifier.provider.count_at("/quick"), |count| *count == 10)
    })
    .await
    .unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "long before the first request ends: {:?}", begun.elapsed());
    assert_eq!(notifier.provider.count_at("/slow"), 8, "no more than its share");
    assert!((notifier.metric("tocsin_notifier_in_flight_notices{receiver=\"slow\"}").await - 8.0).abs() < 0.1);
}

#[tokio::test]
async fn a_destination_that_fails_again_and_again_is_left_alone_and_told_once_it_is_back() {
    let notifier = start(&[("broken", NONE), ("sound", NONE)]).await;
    notifier.provider.set_default_at("/broken", Answer::status(500).body("oops"));
    let many: Vec<_> = (0..20).map(|n| firing(&format!("broken {n}"))).collect();
    notifier.notify("broken", &many).await;
    poll::until("its breaker to open", DEADLINE, async || {
        let open = notifier.metric("tocsin_notifier_breaker_open{receiver=\"broken\"}").await;
        poll::expect(open, |open| *open > 0.5)
    })
    .await
    .unwrap();
    // What was claimed together with those that opened it.
    assert!(notifier.provider.count_at("/broken") <= 16, "{}", notifier.provider.count_at("/broken"));
    let untried = "SELECT count(*) FROM notifications WHERE status = 'pending' AND attempts = 0";
    assert_ne!(notifier.sql(untried).await, [["0"]], "what waits costs no attempt");
    notifier.notify("sound", &[firing("sound")]).await;
    poll::until("the other to be told", DEADLINE, async || notifier.provider.count_at("/sound") == 1).await.unwrap();

    notifier.provider.set_default_at("/broken", Answer::ok());
    poll::until("everything to be told", Duration::from_secs(30), async || {
        let open = notifier.sql("SELECT count(*) FROM notifications WHERE status <> 'delivered'").await;
        poll::expect(open, |open| *open == [["0"]])
    })
    .await
    .unwrap();
    assert!(notifier.metric("tocsin_notifier_breaker_opened_total").await > 0.5);
}

#[tokio::test]
async fn one_who_asks_for_patience_gets_it_from_all_notifiers_and_for_all_notices() {
    let notifier = Notifier::start_with(&[("patient", NONE), ("other", NONE)], |topology| {
        topology.count(tocsin_testbed::Service::Notifier, 2)
    })
    .await;
    notifier.provider.script_at("/patient", [Answer::status(429).header("Retry-After", "3")]);
    notifier.notify("patient", &[firing("first")]).await;
    poll::until("the first try", DEADLINE, async || notifier.provider.count_at("/patient") == 1).await.unwrap();
    let many: Vec<_> = (0..10).map(|n| firing(&format!("more {n}"))).collect();
    notifier.notify("patient", &many).await;
    notifier.notify("other", &[firing("other")]).await;
    poll::until("the other to be told", DEADLINE, async || notifier.provider.count_at("/other") == 1).await.unwrap();
    poll::until("everybody to be told", DEADLINE, async || {
        poll::expect(notifier.provider.count_at("/patient"), |count| *count == 12)
    })
    .await
    .unwrap();
    let requests = notifier.provider.requests_at("/patient");
    let waited = requests[1].at.duration_since(requests[0].at).unwrap();
    assert!(waited >= Duration::from_millis(2_900), "came back after {waited:?}");
    let attempts =
        notifier.sql("SELECT max(attempts), sum(attempts) FROM notifications WHERE receiver = 'patient'").await;
    assert_eq!(attempts, [["2", "12"]], "those that waited lost no attempt by it");
}
