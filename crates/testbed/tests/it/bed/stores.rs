//! Stores, and tenants in shared ones.

use std::time::Duration;

use tempfile::TempDir;
use tocsin_testbed::process::Process;
use tocsin_testbed::{Database, KeySpace, Stores, Tenant, poll};

const DEADLINE: Duration = Duration::from_secs(10);

/// A folder that Postgres' own account can pass through when the tests run as root.
pub(crate) fn folder() -> TempDir {
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    let parent = Stores::shared().unwrap().folder().to_owned();
    tempfile::Builder::new().permissions(permissions).tempdir_in(parent).unwrap()
}

#[tokio::test]
async fn stores_keep_their_data_when_they_are_killed_and_when_the_folder_is_used_again() {
    let folder = folder();
    let stores = Stores::start(folder.path()).await.unwrap();
    let (database, keys) = (Database::at(stores.postgres().url()), KeySpace::at(stores.redis().url(), ""));
    database.sql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)").await.unwrap();
    keys.redis(["SET", "kept", "1"]).await.unwrap();
    stores.postgres().process().kill().await.unwrap();
    stores.redis().process().kill().await.unwrap();

    stores.postgres().process().start().await.unwrap();
    stores.redis().process().start().await.unwrap();
    stores.postgres().wait_ready().await.unwrap();
    stores.redis().wait_ready().await.unwrap();
    assert_eq!(database.sql("SELECT n FROM kept").await.unwrap(), [["1"]]);
    assert_eq!(keys.redis(["GET", "kept"]).await.unwrap(), "1");

    // Whoever has the process id that a killed Postgres left in its file now, it is not a Postgres on this data.
    let pid_file = folder.path().join("postgres/data/postmaster.pid");
    stores.postgres().process().kill().await.unwrap();
    let stale = std::fs::read_to_string(&pid_file).unwrap();
    std::fs::write(&pid_file, stale.replacen(stale.lines().next().unwrap(), &std::process::id().to_string(), 1))
        .unwrap();
    stores.redis().process().stop().await.unwrap();
    let again = Stores::start(folder.path()).await.unwrap();
    let database = Database::at(again.postgres().url());
    assert_eq!(database.sql("SELECT n FROM kept").await.unwrap(), [["1"]]);
    again.stop().await.unwrap();
    assert!([again.postgres().process(), again.redis().process()].into_iter().all(|process| !process.is_running()));
}

#[tokio::test]
async fn stores_are_as_durable_as_the_promises_need() {
    let folder = folder();
    let stores = Stores::start(folder.path()).await.unwrap();
    let keys = KeySpace::at(stores.redis().url(), "");
    for (setting, value) in [("appendonly", "yes"), ("appendfsync", "always"), ("maxmemory-policy", "noeviction")] {
        assert_eq!(keys.redis(["CONFIG", "GET", setting]).await.unwrap(), format!("{setting}\n{value}"));
    }
    let database = Database::at(stores.postgres().url());
    let settings = "SELECT current_setting('fsync'), current_setting('synchronous_commit'), \
                    current_setting('server_encoding'), current_setting('listen_addresses')";
    assert_eq!(database.sql(settings).await.unwrap(), [["on", "on", "UTF8", "127.0.0.1"]]);
}

#[tokio::test]
async fn replicas_follow_and_acknowledge_what_the_primary_takes() {
    let folder = folder();
    let stores = Stores::start_with_replicas(folder.path(), 2).await.unwrap();
    let [one, other] = stores.replicas() else { panic!("two replicas") };
    let primary = stores.redis();
    primary.command(["SET", "kept", "1"]).await.unwrap();
    poll::until("the write to be everywhere", DEADLINE, async || {
        poll::expect(one.command(["GET", "kept"]).await.unwrap(), |value| value == "1")
    })
    .await
    .unwrap();
    assert!(one.command(["SET", "kept", "2"]).await.is_err(), "a replica takes no writes");
    assert_eq!(primary.info("connected_slaves").await.unwrap().as_deref(), Some("2"));

    other.process().kill().await.unwrap();
    primary.command(["SET", "kept", "3"]).await.unwrap();
    other.process().start().await.unwrap();
    other.wait_ready().await.unwrap();
    primary.wait_until_online(other).await.unwrap();
    assert_eq!(other.command(["GET", "kept"]).await.unwrap(), "3", "online means that it has everything");
}

#[tokio::test]
async fn a_paused_store_does_not_answer_and_a_resumed_one_does() {
    let folder = folder();
    let stores = Stores::start(folder.path()).await.unwrap();
    let processes: [&Process; 2] = [stores.redis().process(), stores.postgres().process()];
    for process in processes {
        process.pause().await.unwrap();
    }
    stores.redis().probe().await.unwrap_err();
    stores.postgres().probe().await.unwrap_err();
    for process in processes {
        process.resume().await.unwrap();
    }
    stores.redis().wait_ready().await.unwrap();
    stores.postgres().wait_ready().await.unwrap();
}

#[tokio::test]
async fn tenants_do_not_see_each_other() {
    let (one, other) = tokio::try_join!(Tenant::shared(), Tenant::shared()).unwrap();
    one.sql("CREATE TABLE mine (n int)").await.unwrap();
    assert_eq!(other.sql("SELECT to_regclass('mine') IS NULL").await.unwrap(), [["t"]]);
    assert_ne!(one.redis_prefix(), other.redis_prefix());
}

#[tokio::test]
async fn rows_come_back_as_they_are() {
    let tenant = Database::shared().await.unwrap();
    let rows = tenant.sql("SELECT * FROM (VALUES (1, E'a\\nb|c'), (2, NULL), (3, '')) v").await.unwrap();
    assert_eq!(rows, [["1", "a\nb|c"], ["2", ""], ["3", ""]]);
    assert_eq!(tenant.sql("SELECT ''").await.unwrap(), [[""]]);
    assert!(tenant.sql("SELECT 1 WHERE false").await.unwrap().is_empty());
    let error = tenant.sql("SELECT nonsense").await.unwrap_err().to_string();
    assert!(error.contains("nonsense"), "{error}");
}

#[tokio::test]
async fn a_dropped_key_space_leaves_no_keys() {
    let keys = KeySpace::shared().unwrap();
    let (url, prefix) = (keys.url().to_owned(), keys.prefix().to_owned());
    keys.redis(["SET", &format!("{prefix}:a"), "1"]).await.unwrap();
    drop(keys);
    let left = KeySpace::at(url, "").redis(["KEYS", &format!("{prefix}*")]).await.unwrap();
    assert_eq!(left, "");
}
