//! One limit for many processes.

use std::time::Duration;

use tocsin_bus::Quota;

use crate::stage::Stage;

/// Ten at once, and one every hour: nothing is earned while a test runs.
const TEN: Quota = Quota { interval: Duration::from_hours(1), burst: 10 };

#[tokio::test]
async fn all_processes_together_are_given_no_more_than_the_limit() {
    let stage = Stage::shared();
    let processes = [stage.limits(), stage.limits(), stage.limits()];
    let mut taken = 0;
    for process in &processes {
        let grants: Vec<_> = (0..8).map(|_| process.take("a", TEN, 1)).collect();
        for grant in futures_util::future::join_all(grants).await {
            taken += grant.unwrap().taken;
        }
    }
    assert_eq!(taken, 10);
}

#[tokio::test]
async fn a_grant_says_what_is_left_and_a_denial_when_to_come_again() {
    let limits = Stage::shared().limits();
    let first = limits.take("a", TEN, 4).await.unwrap();
    assert_eq!((first.taken, first.left, first.next_in), (4, 6, Duration::ZERO));
    let rest = limits.take("a", TEN, 40).await.unwrap();
    assert_eq!((rest.taken, rest.left), (6, 0), "as many as there are");
    let denied = limits.take("a", TEN, 1).await.unwrap();
    assert_eq!((denied.taken, denied.left), (0, 0));
    let hour = Duration::from_mins(58)..=Duration::from_hours(1);
    assert!(hour.contains(&denied.next_in), "{denied:?}");
    assert!(denied.whole_in > 9 * TEN.interval, "{denied:?}");
    assert_eq!(limits.take("b", TEN, 1).await.unwrap().left, 9, "another key has a row of its own");
}

#[tokio::test]
async fn cells_are_earned_back_one_by_one() {
    let limits = Stage::shared().limits();
    let quota = Quota { interval: Duration::from_millis(20), burst: 2 };
    assert_eq!(limits.take("a", quota, 2).await.unwrap().taken, 2);
    let again = tocsin_testbed::poll::until("a cell to be earned", Duration::from_secs(5), async || {
        let grant = limits.take("a", quota, 1).await.unwrap();
        (grant.taken == 1).then_some(grant)
    });
    assert!(again.await.unwrap().left < 2);
}
