//! One pace for many notifiers.

use std::time::Duration;

use tocsin_bus::Quota;
use tocsin_testbed::poll;

use crate::stage::{DEADLINE, Stage};

/// So many at once, and then hardly any: nothing is earned while a test runs.
const fn at_once(burst: u32) -> Quota {
    Quota { interval: Duration::from_hours(1), burst }
}

#[tokio::test]
async fn all_notifiers_together_call_a_destination_no_more_often_than_it_allows() {
    let stage = Stage::shared();
    let notifiers = [stage.paces(), stage.paces(), stage.paces()];
    let (mut taken, ten) = (0, [at_once(10)]);
    for notifier in &notifiers {
        let leaves: Vec<_> = (0..8).map(|_| notifier.take("a", &ten, 1)).collect();
        for leave in futures_util::future::join_all(leaves).await {
            taken += leave.unwrap().taken;
        }
    }
    assert_eq!(taken, 10);
}

#[tokio::test]
async fn of_several_limits_the_tightest_counts_and_what_is_taken_is_taken_of_all() {
    let paces = Stage::shared().paces();
    let quotas = [at_once(100), at_once(3), at_once(5)];
    let leave = paces.take("a", &quotas, 2).await.unwrap();
    assert_eq!((leave.taken, leave.left, leave.next_in), (2, 1, Duration::ZERO));
    let rest = paces.take("a", &quotas, 4).await.unwrap();
    assert_eq!((rest.taken, rest.left), (1, 0), "as many as the tightest has");
    assert!(rest.next_in > Duration::from_mins(59), "{rest:?}");
    let none = paces.take("a", &quotas, 4).await.unwrap();
    assert_eq!((none.taken, none.left), (0, 0));

    // The third limit has lost those three as well, and only those.
    let widened = paces.take("a", &[at_once(100), at_once(100), at_once(5)], 9).await.unwrap();
    assert_eq!(widened.taken, 2);
    assert_eq!(paces.take("b", &quotas, 9).await.unwrap().taken, 3, "another destination has a pace of its own");
}

#[tokio::test]
async fn calls_are_earned_back_one_by_one() {
    let paces = Stage::shared().paces();
    let quotas = [Quota { interval: Duration::from_millis(20), burst: 2 }];
    assert_eq!(paces.take("a", &quotas, 2).await.unwrap().taken, 2);
    let again = poll::until("a call to be earned", DEADLINE, async || {
        let leave = paces.take("a", &quotas, 1).await.unwrap();
        (leave.taken == 1).then_some(leave)
    });
    assert!(again.await.unwrap().left < 2);
}

#[tokio::test]
async fn a_pause_that_one_notifier_was_asked_for_holds_all_and_takes_nothing() {
    let stage = Stage::shared();
    let (one, other) = (stage.paces(), stage.paces());
    let quotas = [at_once(3)];
    one.hold("a", Duration::from_mins(5)).await.unwrap();
    one.hold("a", Duration::from_secs(1)).await.unwrap();
    let leave = other.take("a", &quotas, 1).await.unwrap();
    assert_eq!((leave.taken, leave.left), (0, 0));
    let five = Duration::from_secs(290)..=Duration::from_mins(5);
    assert!(five.contains(&leave.next_in), "the longer one counts: {leave:?}");

    one.hold("b", Duration::from_millis(30)).await.unwrap();
    let leave = poll::until("the pause to end", DEADLINE, async || {
        let leave = other.take("b", &quotas, 9).await.unwrap();
        (leave.taken > 0).then_some(leave)
    });
    assert_eq!(leave.await.unwrap().taken, 3, "nothing was taken while it lasted");
}

#[tokio::test]
async fn a_destination_without_limits_is_only_held_by_its_own_wish() {
    let paces = Stage::shared().paces();
    assert_eq!(paces.take("a", &[], 50).await.unwrap().taken, 50);
    paces.hold("a", Duration::from_mins(1)).await.unwrap();
    assert_eq!(paces.take("a", &[], 50).await.unwrap().taken, 0);
}
