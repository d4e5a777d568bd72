//! Postgres goes away and comes back.

use std::time::{Duration, Instant};

use tempfile::TempDir;
use tocsin_store::{IncidentFilter, Plans, Store, StoreConfig, StoreError, Window, migrate};
use tocsin_testbed::{Database, Stores, poll};

use crate::stage::{firing, policy, store_with_timeout};

const TIMEOUT: Duration = Duration::from_millis(600);
/// For a machine that has much else to do.
const MARGIN: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_secs(15);

/// Stores that this test may break, migrated, with a Tocsin store on them.
async fn breakable() -> (Store, Stores, TempDir) {
    // Postgres' own account must be able to pass through the folder when the tests run as root.
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    let parent = Stores::shared().unwrap().folder().to_owned();
    let folder = tempfile::Builder::new().permissions(permissions).tempdir_in(parent).unwrap();
    let stores = Stores::start(folder.path()).await.unwrap();
    let url = stores.postgres().url();
    migrate(&url.as_str().into()).await.unwrap();
    (store_with_timeout(&url, TIMEOUT), stores, folder)
}

async fn read(store: &Store) -> Result<i64, StoreError> {
    let window = Window { before: None, offset: 0, limit: 1 };
    store.incident_list(&IncidentFilter::default(), window).await.map(|page| page.total.count)
}

/// Both kinds of work fail, and neither keeps its caller waiting.
async fn assert_fails_in_time(store: &Store) {
    let begun = Instant::now();
    read(store).await.unwrap_err();
    store.batch_apply(&[firing("Lost", 9)], &[], &policy()).await.unwrap_err();
    assert!(!store.ping().await);
    assert!(begun.elapsed() < 3 * TIMEOUT + MARGIN, "{:?}", begun.elapsed());
}

/// Every connection works, not just one that happens to be new.
async fn assert_works_again(store: &Store, total: i64) {
    poll::until("the store to answer", DEADLINE, async || read(store).await).await.unwrap();
    let reads = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { read(&store).await })
    });
    for answer in reads.collect::<Vec<_>>() {
        assert_eq!(answer.await.unwrap().unwrap(), total);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_is_stopped_work_fails_in_time_and_it_succeeds_again_afterwards() {
    let (store, stores, _folder) = breakable().await;
    store.batch_apply(&[firing("Down", 1)], &[], &policy()).await.unwrap();
    stores.postgres().process().stop().await.unwrap();
    assert_fails_in_time(&store).await;
    stores.postgres().process().start().await.unwrap();
    stores.postgres().wait_ready().await.unwrap();
    assert_works_again(&store, 1).await;
    assert_eq!(store.batch_apply(&[firing("Lost", 9)], &[], &policy()).await.unwrap().fresh, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_hangs_is_given_up_in_time_and_no_reply_meets_the_wrong_question() {
    let (store, stores, _folder) = breakable().await;
    store.batch_apply(&[firing("Down", 1)], &[], &policy()).await.unwrap();
    stores.postgres().process().pause().await.unwrap();
    assert_fails_in_time(&store).await;
    stores.postgres().process().resume().await.unwrap();
    // What was given up may have been applied or not, and either is right; the repeat makes it certain.
    let applied = poll::until("the repeat to be applied", DEADLINE, async || {
        store.batch_apply(&[firing("Lost", 9)], &[], &policy()).await
    });
    let applied = applied.await.unwrap();
    assert_eq!(applied.fresh + applied.repeated, 1);
    assert_works_again(&store, 2).await;
}

/// A store for who has no time to lose.
fn failing_fast_on(url: &str) -> Store {
    let timeout = Duration::from_secs(20);
    Store::failing_fast(&StoreConfig {
        url: url.into(),
        connections: 4,
        timeout,
        application: "tocsin-test",
        plans: Plans::Fresh,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_to_know_at_once_is_told_at_once_that_postgres_refuses() {
    let (_, stores, _folder) = breakable().await;
    let store = failing_fast_on(&stores.postgres().url());
    store.inbox_insert(&[firing("Down", 1)]).await.unwrap();
    stores.postgres().process().stop().await.unwrap();
    let begun = Instant::now();
    store.inbox_insert(&[firing("Down", 2)]).await.unwrap_err();
    assert!(begun.elapsed() < MARGIN, "{:?}", begun.elapsed());
    stores.postgres().process().start().await.unwrap();
    stores.postgres().wait_ready().await.unwrap();
    store.inbox_insert(&[firing("Down", 2)]).await.unwrap();
    assert_eq!(store.inbox_backlog().await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_wait_for_a_standby_is_cancelled_is_not_reported_as_done() {
    let (store, stores, _folder) = breakable().await;
    let database = Database::at(stores.postgres().url());
    let set_standbys = async |statement: &str| {
        database.sql(statement).await.unwrap();
        database.sql("SELECT pg_reload_conf()").await.unwrap();
    };
    set_standbys("ALTER SYSTEM SET synchronous_standby_names = 'nobody'").await;
    poll::until("commits to wait for a standby", DEADLINE, async || {
        let inserted = store.inbox_insert(&[firing("Warm-up", 1)]).await;
        poll::expect(inserted, |inserted| matches!(inserted, Err(StoreError::Timeout))).map(drop)
    })
    .await
    .unwrap();

    let patient = failing_fast_on(&stores.postgres().url());
    let work = tokio::spawn(async move {
        let inserted = patient.inbox_insert(&[firing("Down", 1)]).await;
        (inserted, patient.batch_apply(&[firing("Lost", 9)], &[], &policy()).await)
    });
    let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    poll::until("the waits to be cancelled", DEADLINE, async || {
        database.sql(cancel).await.unwrap();
        poll::expect(work.is_finished(), |finished| *finished)
    })
    .await
    .unwrap();
    let (inserted, applied) = work.await.unwrap();
    inserted.expect_err("nobody has it");
    applied.expect_err("nobody has it");
    // Both are in this server's tables now. Who finds them there must wait for the standby as well.
    assert!(matches!(store.inbox_insert(&[firing("Down", 1)]).await, Err(StoreError::Timeout)));
    assert!(matches!(store.batch_apply(&[firing("Lost", 9)], &[], &policy()).await, Err(StoreError::Timeout)));

    set_standbys("ALTER SYSTEM RESET synchronous_standby_names").await;
    let repeated = poll::until("commits to go through", DEADLINE, async || {
        store.batch_apply(&[firing("Lost", 9)], &[], &policy()).await
    });
    assert_eq!(repeated.await.unwrap().repeated, 1);
}
