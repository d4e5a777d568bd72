//! Destinations are called no more often than they allow, by all notifiers together; what waits is folded into edits.

use std::time::Duration;

use tocsin_testbed::doubles::Recorded;
use tocsin_testbed::topology::TopologyBuilder;
use tocsin_testbed::{Service, poll};

use crate::notifier::{DEADLINE, Notifier, firing};

/// Five at once, and one a second.
const SLOW: &str = "receivers: [{name: ops, slack: {webhook_url_env: TOCSIN_SLACK_WEBHOOK_URL}}]";

/// Whether no more came than a bucket of five and one a second lets pass, with a second for the way.
fn assert_paced(requests: &[Recorded], buckets: usize) {
    let first = requests[0].at;
    for (index, request) in requests.iter().enumerate() {
        let after = request.at.duration_since(first).unwrap_or_default() + Duration::from_secs(1);
        let allowed = 5 + usize::try_from(after.as_secs()).unwrap();
        assert!(index < allowed * buckets, "request {} came {after:?} after the first", index + 1);
    }
}

async fn told(notifier: &Notifier, count: usize) {
    poll::until("everybody to be told", Duration::from_secs(20), async || {
        poll::expect(notifier.provider.count(), |seen| *seen == count)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn two_notifiers_keep_one_pace() {
    let two = |topology: TopologyBuilder| topology.config_text(SLOW).count(Service::Notifier, 2);
    let notifier = Notifier::start_as(two).await;
    let many: Vec<_> = (0..10).map(|n| firing(&format!("Down {n}"))).collect();
    notifier.notify("ops", &many).await;
    told(&notifier, 10).await;
    assert_paced(&notifier.provider.requests(), 1);
    let attempts = "SELECT count(*), max(attempts) FROM notifications WHERE status = 'delivered'";
    poll::until("the ledger to say so", DEADLINE, async || notifier.sql(attempts).await == [["10", "1"]])
        .await
        .unwrap();
}

#[tokio::test]
async fn without_redis_a_notifier_keeps_the_pace_for_itself() {
    let notifier = Notifier::start_as(|topology| topology.config_text(SLOW).own_stores()).await;
    notifier.topology.stores().unwrap().redis().process().kill().await.unwrap();
    let many: Vec<_> = (0..8).map(|n| firing(&format!("Down {n}"))).collect();
    notifier.notify("ops", &many).await;
    told(&notifier, 8).await;
    assert_paced(&notifier.provider.requests(), 1);
}

#[tokio::test]
async fn a_backlog_of_one_incident_is_told_at_once_and_in_one() {
    let notifier = Notifier::start().await;
    notifier.process().stop().await.unwrap();
    notifier.notify("ops", &[firing("Down")]).await;
    for revision in 2..=6 {
        let more = format!(
            "INSERT INTO notifications (id, incident_id, receiver, revision, kind, created_at, trace) \
             SELECT gen_random_uuid(), id, 'ops', {revision}, 'updated', now(), '' FROM incidents; \
             UPDATE incidents SET version = {revision}"
        );
        notifier.sql(&more).await;
    }
    notifier.process().start().await.unwrap();
    let said = "superseded a newer notice says it";
    let (triggered, updated) = (format!("ops triggered {said}"), format!("ops updated {said}"));
    let updated = updated.as_str();
    notifier.fates_become(&[&triggered, updated, updated, updated, updated, "ops triggered delivered"]).await;
    assert_eq!(notifier.provider.count(), 1);
}
