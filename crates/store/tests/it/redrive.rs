//! Dead notices: shown with what was tried, and driven again.

use std::time::Duration;

use tocsin_shared::ledger::{DeadNotices, NoticeKind, NoticeStatus};
use tocsin_shared::{Envelope, NotificationId};
use tocsin_store::{Attempt, NoticeFilter, NoticeRecord, NoticesRedriven, Store, Total, Verdict, Window};
use tocsin_testbed::{Service, Tenant};

use crate::ledger::{claim, finish};
use crate::stage::{apply, firing, fresh, resolved, store_with_timeout};

const LEASE: Duration = Duration::from_mins(10);

fn attempt(http_status: u16) -> Attempt {
    Attempt { latency: Duration::from_millis(3), http_status: Some(http_status), answer: "no_service".to_owned() }
}

/// Applies deliveries and ends what is due of them like this.
async fn finished(store: &Store, deliveries: &[Envelope], verdict: &Verdict) {
    apply(store, deliveries).await;
    for notice in claim(store, 100, LEASE).await {
        assert!(finish(store, &notice, attempt(404), verdict.clone()).await);
    }
}

fn dead() -> Verdict {
    Verdict::Dead { reason: "no such channel".to_owned() }
}

async fn notices(store: &Store, filter: NoticeFilter) -> Vec<NoticeRecord> {
    let page = store.notice_list(&filter, Window { before: None, offset: 0, limit: 50 }).await.unwrap();
    assert_eq!((page.total, page.next), (Total::exactly(i64::try_from(page.items.len()).unwrap()), None));
    page.items
}

async fn all_dead(store: &Store) -> Vec<NoticeRecord> {
    notices(store, NoticeFilter { status: vec![NoticeStatus::Dead], ..NoticeFilter::default() }).await
}

fn matching(receiver: Option<&str>, limit: u32) -> DeadNotices {
    DeadNotices::Matching { receiver: receiver.map(str::to_owned), since: None, limit }
}

async fn count(store: &Store, which: &DeadNotices) -> usize {
    match store.notices_redrive(which).await.unwrap() {
        NoticesRedriven::Done(redriven) => redriven.len(),
        refused => panic!("{refused:?}"),
    }
}

#[tokio::test]
async fn a_dead_notice_that_is_driven_again_is_as_a_new_one_and_its_history_stays() {
    let (store, database) = fresh().await;
    finished(&store, &[firing("Down", 1)], &dead()).await;
    let gone =
        "INSERT INTO receivers_gone (receiver, destination, reason) VALUES ('ops', 'x', '410'), ('dev', 'x', '410')";
    database.sql(gone).await.unwrap();
    let [before] = all_dead(&store).await.try_into().unwrap();
    assert_eq!((before.reason.as_deref(), before.attempts), (Some("no such channel"), 1));

    assert_eq!(count(&store, &DeadNotices::These(vec![before.id])).await, 1);
    let after = store.notice_get(before.id).await.unwrap().unwrap();
    assert_eq!((after.status, after.attempts, after.reason.as_deref()), (NoticeStatus::Pending, 0, None));
    assert_eq!((after.created_at, after.finished_at), (before.created_at, None));
    assert!(after.redriven_at.is_some() && after.next_attempt_at == after.redriven_at, "due now: {after:?}");
    assert_eq!(
        database.sql("SELECT receiver FROM receivers_gone").await.unwrap(),
        [["dev"]],
        "its receiver is on again"
    );

    let [claimed] = claim(&store, 10, LEASE).await.try_into().unwrap();
    assert_eq!((claimed.id, claimed.attempt), (before.id, 1));
    assert!(finish(&store, &claimed, attempt(200), Verdict::Delivered).await);
    let attempts = store.notice_deliveries(before.id).await.unwrap();
    let seen: Vec<_> = attempts.iter().map(|attempt| (attempt.attempt, attempt.http_status)).collect();
    assert_eq!(seen, [(1, Some(404)), (1, Some(200))], "oldest first");
}

#[tokio::test]
async fn what_is_not_there_or_not_dead_is_refused_and_then_nothing_is_done() {
    let (store, _) = fresh().await;
    finished(&store, &[firing("Down", 1)], &dead()).await;
    apply(&store, &[firing("Slow", 2)]).await;
    let pending =
        notices(&store, NoticeFilter { status: vec![NoticeStatus::Pending], ..NoticeFilter::default() }).await;
    let dead = all_dead(&store).await;
    let (unknown, alive) = (NotificationId::generate(), pending[0].id);
    for (id, expected) in [
        (unknown, NoticesRedriven::Unknown(unknown)),
        (alive, NoticesRedriven::NotDead { id: alive, status: NoticeStatus::Pending }),
    ] {
        assert_eq!(store.notices_redrive(&DeadNotices::These(vec![dead[0].id, id])).await.unwrap(), expected);
        assert_eq!(all_dead(&store).await, dead);
    }
}

#[tokio::test]
async fn by_a_filter_the_oldest_are_driven_again_and_not_what_a_newer_one_has_overtaken() {
    let (store, database) = fresh().await;
    finished(&store, &[firing("Down", 1)], &dead()).await;
    finished(&store, &[resolved("Down", 2)], &Verdict::Delivered).await;
    finished(&store, &[firing("Slow", 3), firing("Full", 4)], &dead()).await;
    database.sql("UPDATE notifications SET finished_at = now() - interval '1 h' WHERE status = 'dead'").await.unwrap();
    let overtaken = all_dead(&store).await.last().unwrap().id;

    assert_eq!(count(&store, &matching(Some("dev"), 10)).await, 0);
    let since = Some(chrono::Utc::now() - chrono::TimeDelta::minutes(1));
    assert_eq!(count(&store, &DeadNotices::Matching { receiver: None, since, limit: 10 }).await, 0);
    assert_eq!(count(&store, &matching(Some("ops"), 1)).await, 1);
    let titles = "SELECT title FROM notifications JOIN incidents ON incidents.id = incident_id \
                  WHERE notifications.status = 'pending' ORDER BY 1";
    assert_eq!(database.sql(titles).await.unwrap().concat(), ["Slow on one"], "the older one");
    assert_eq!(count(&store, &matching(None, 10)).await, 1);
    let [left] = all_dead(&store).await.try_into().unwrap();
    assert_eq!((left.id, left.kind), (overtaken, NoticeKind::Triggered));
    assert_eq!(count(&store, &DeadNotices::These(vec![overtaken])).await, 1, "unless it is asked for by its id");
}

#[tokio::test]
async fn notices_are_listed_by_fate_receiver_and_incident_newest_first() {
    let (store, _) = fresh().await;
    finished(&store, &[firing("Down", 1), firing("Slow", 2)], &dead()).await;
    apply(&store, &[resolved("Down", 3)]).await;
    let all = notices(&store, NoticeFilter::default()).await;
    assert!(all.len() == 3 && all.is_sorted_by(|a, b| a.id > b.id), "{all:?}");
    let first =
        store.notice_list(&NoticeFilter::default(), Window { before: None, offset: 0, limit: 2 }).await.unwrap();
    let rest = Window { before: first.next, offset: 0, limit: 2 };
    let rest = store.notice_list(&NoticeFilter::default(), rest).await.unwrap();
    assert_eq!(
        (first.next.is_some(), rest.next.is_some(), [first.items, rest.items].concat()),
        (true, false, all.clone())
    );
    let of = |notice: &NoticeRecord| NoticeFilter { incident: Some(notice.incident_id), ..NoticeFilter::default() };
    assert_eq!(notices(&store, of(&all[0])).await.len(), 2);
    let nobody = NoticeFilter { receiver: vec!["dev".to_owned()], ..NoticeFilter::default() };
    assert!(notices(&store, nobody).await.is_empty());
}

#[tokio::test]
async fn a_notifier_may_drive_again_and_the_api_may_look() {
    let tenant = Tenant::shared().await.unwrap();
    let store = |url: &str| store_with_timeout(url, Duration::from_secs(20));
    finished(&store(tenant.database_url()), &[firing("Down", 1)], &dead()).await;
    let api = store(&tenant.database_url_for(Service::Api));
    let [notice] = all_dead(&api).await.try_into().unwrap();
    assert_eq!(api.notice_deliveries(notice.id).await.unwrap().len(), 1);
    assert!(api.notices_redrive(&matching(None, 1)).await.is_err());
    for service in [Service::Notifier, Service::Worker] {
        let its = store(&tenant.database_url_for(service));
        assert_eq!(count(&its, &DeadNotices::These(vec![notice.id])).await, 1, "{service}");
        tenant.sql("UPDATE notifications SET status = 'dead', finished_at = now()").await.unwrap();
    }
}
