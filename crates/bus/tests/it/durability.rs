//! What an append promises, and when it refuses to.

use tempfile::TempDir;
use tocsin_bus::{BusError, EventLog, Stream};
use tocsin_shared::Envelope;
use tocsin_testbed::stores::Redis;
use tocsin_testbed::{KeySpace, Stores, poll};

use crate::stage::{DEADLINE, Stage, envelope, envelopes, read};

/// A Redis whose configuration this test may change.
async fn own() -> (Stage, Redis, TempDir) {
    let folder = TempDir::new_in(Stores::shared().unwrap().folder()).unwrap();
    let redis = Redis::start(&folder.path().join("redis"), folder.path()).await.unwrap();
    let stage = Stage::new(KeySpace::at(redis.url(), "tocsin"), std::time::Duration::from_secs(2));
    (stage, redis, folder)
}

async fn append(log: &EventLog, sent: &[Envelope]) -> Result<(), BusError> {
    log.append(sent.iter().map(|envelope| envelope.write().unwrap()).collect()).await
}

#[tokio::test]
async fn a_batch_is_appended_in_order() {
    let stage = Stage::shared();
    let log = stage.log(0);
    log.probe().await.unwrap();
    let sent = ["a", "b", "c"].map(envelope);
    append(&log, &sent).await.unwrap();
    assert_eq!(log.backlog().await.unwrap(), 3);
    assert_eq!(envelopes(&read(&stage.consumer("one"), 10).await), sent);
}

#[tokio::test]
async fn nothing_is_appended_while_redis_refuses_and_the_probe_says_so() {
    let (stage, _redis, _folder) = own().await;
    let log = stage.log(0);
    poll::until("Redis to be there", DEADLINE, async || log.probe().await).await.unwrap();
    for (refuse, relent) in [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
    ] {
        stage.redis(Stream::Events, refuse).await;
        append(&log, &["a", "b"].map(envelope)).await.expect_err(refuse);
        log.probe().await.expect_err(refuse);
        stage.redis(Stream::Events, relent).await;
        poll::until("Redis to relent", DEADLINE, async || log.probe().await).await.unwrap();
        assert_eq!(log.backlog().await.unwrap(), 0, "{refuse}");
    }
    append(&log, &["a"].map(envelope)).await.unwrap();
}

#[tokio::test]
async fn a_redis_that_would_forget_is_not_written_to() {
    let (stage, _redis, _folder) = own().await;
    let log = stage.log(0);
    poll::until("Redis to be there", DEADLINE, async || log.probe().await).await.unwrap();
    for setting in ["appendfsync everysec", "appendonly no"] {
        stage.redis(Stream::Events, &format!("CONFIG SET {setting}")).await;
        let error = log.probe().await.unwrap_err();
        assert!(matches!(error, BusError::NotDurable { .. }), "{setting}: {error:?}");
    }
}

#[tokio::test]
async fn what_no_replica_has_is_not_called_durable() {
    let (stage, _redis, _folder) = own().await;
    let log = stage.log(1);
    let alone = |result: Result<(), BusError>| match result {
        Err(BusError::NotReplicated { wanted: 1, acknowledged: 0 }) => Ok(()),
        other => Err(format!("{other:?}")),
    };
    poll::until("the missing replica to be told", DEADLINE, async || alone(log.probe().await)).await.unwrap();
    alone(append(&log, &["a"].map(envelope)).await).unwrap();
}

#[tokio::test]
async fn scripts_that_redis_forgot_are_there_again_after_a_probe() {
    let (stage, _redis, _folder) = own().await;
    let log = stage.log(0);
    poll::until("Redis to be there", DEADLINE, async || log.probe().await).await.unwrap();
    stage.redis(Stream::Events, "SCRIPT FLUSH").await;
    append(&log, &["a"].map(envelope)).await.unwrap_err();
    log.probe().await.unwrap();
    append(&log, &["a"].map(envelope)).await.unwrap();
}

#[tokio::test]
async fn a_redis_that_was_emptied_gets_again_what_was_not_applied() {
    let (stage, _redis, _folder) = own().await;
    let log = stage.log(0);
    poll::until("Redis to be there", DEADLINE, async || log.probe().await).await.unwrap();
    let [applied, waiting, later, last] = ["applied", "waiting", "later", "last"].map(envelope);
    append(&log, std::slice::from_ref(&applied)).await.unwrap();
    read(&stage.consumer("one"), 10).await.ack().await.unwrap();
    assert_eq!(log.backlog().await.unwrap(), 0);

    append(&log, std::slice::from_ref(&waiting)).await.unwrap();
    stage.redis(Stream::Events, "FLUSHALL").await;
    assert_eq!(log.backlog().await.unwrap(), 0);
    assert_eq!(log.backlog().await.unwrap(), 1, "the one that was not applied");

    stage.redis(Stream::Events, "FLUSHALL").await;
    append(&log, std::slice::from_ref(&later)).await.unwrap();
    append(&log, std::slice::from_ref(&last)).await.unwrap();
    let again = envelopes(&read(&stage.consumer("one"), 10).await);
    assert_eq!(again, [later.clone(), waiting, later, last], "one comes twice, and is known by its id");
}
