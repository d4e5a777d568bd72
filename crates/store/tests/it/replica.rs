//! Reading from a replica. What stands for it here is another Postgres with other rows, so that it shows who was asked.

use std::time::Duration;

use tocsin_store::{IncidentFilter, Plans, Store, StoreConfig, Window, migrate};
use tocsin_testbed::Stores;

use crate::stage::{apply, firing, fresh, store_with_timeout};

const TIMEOUT: Duration = Duration::from_secs(10);

/// A Postgres that a test may stop, with two incidents.
async fn with_two() -> (String, Stores, tempfile::TempDir) {
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    let parent = Stores::shared().unwrap().folder().to_owned();
    let folder = tempfile::Builder::new().permissions(permissions).tempdir_in(parent).unwrap();
    let stores = Stores::start(folder.path()).await.unwrap();
    let url = stores.postgres().url();
    migrate(&url.as_str().into()).await.unwrap();
    apply(&store_with_timeout(&url, TIMEOUT), &[firing("One", 1), firing("Two", 2)]).await;
    (url, stores, folder)
}

fn config(url: &str) -> StoreConfig {
    StoreConfig { url: url.into(), connections: 2, timeout: TIMEOUT, application: "tocsin-test", plans: Plans::Kept }
}

async fn total(store: &Store) -> i64 {
    let window = Window { before: None, offset: 0, limit: 1 };
    store.incident_list(&IncidentFilter::default(), window).await.unwrap().total.count
}

#[tokio::test(flavor = "multi_thread")]
async fn the_replica_is_read_but_by_who_has_acted_and_while_it_is_away() {
    let (one, database) = fresh().await;
    apply(&one, &[firing("Down", 1)]).await;
    let (url, stores, _folder) = with_two().await;
    let store = Store::with_replica(&config(database.url()), &config(&url));
    assert_eq!(total(&store).await, 2, "of the replica");
    assert_eq!(total(&store.primary()).await, 1, "of the primary");
    apply(&store, &[firing("New", 2)]).await;
    assert_eq!((total(&store).await, total(&store.primary()).await), (2, 2), "the primary alone is written");
    apply(&store, &[firing("Newer", 3)]).await;
    store.has_acted();
    assert_eq!(total(&store).await, 3, "who has acted sees it");

    let another = Store::with_replica(&config(database.url()), &config(&url));
    assert_eq!(total(&another).await, 2);
    stores.postgres().process().stop().await.unwrap();
    assert_eq!(total(&another).await, 3, "the primary answers for a replica that is away");
    assert!(another.ping().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_go_on_while_the_primary_is_away_and_writes_do_not() {
    let (one, database) = fresh().await;
    apply(&one, &[firing("Down", 1)]).await;
    let (url, stores, _folder) = with_two().await;
    let store = Store::with_replica(&config(&url), &config(database.url()));
    store.has_acted();
    assert_eq!(total(&store).await, 2, "of the primary");
    stores.postgres().process().stop().await.unwrap();
    assert_eq!(total(&store).await, 1, "better a moment old than not at all");
    assert!(store.batch_apply(&[firing("Lost", 9)], &[], &crate::stage::policy()).await.is_err());
}
