//! Redis goes away and comes back.

use std::time::{Duration, Instant};

use tempfile::TempDir;
use tocsin_bus::{BusError, Stream};
use tocsin_testbed::stores::Redis;
use tocsin_testbed::{KeySpace, Stores, poll};

use crate::stage::{BLOCK, DEADLINE, Stage, envelope, envelopes, read};

const TIMEOUT: Duration = Duration::from_millis(400);
/// For a machine that has much else to do.
const MARGIN: Duration = Duration::from_secs(1);

/// A Redis that this test may break.
async fn breakable() -> (Stage, Redis, TempDir) {
    let folder = TempDir::new_in(Stores::shared().unwrap().folder()).unwrap();
    let redis = Redis::start(&folder.path().join("redis"), folder.path()).await.unwrap();
    let stage = Stage::new(KeySpace::at(redis.url(), "tocsin"), TIMEOUT);
    (stage, redis, folder)
}

#[tokio::test]
async fn publisher_and_consumer_recover_when_redis_was_killed_and_nothing_published_is_lost() {
    let (stage, redis, _folder) = breakable().await;
    let (publisher, consumer) = (stage.publisher(), stage.consumer("one"));
    let (before, after) = (envelope("before"), envelope("after"));
    publisher.publish(&before).await.unwrap();
    // Both have connections that the kill breaks.
    let held = read(&consumer, 10).await;

    redis.process().kill().await.unwrap();
    let begun = Instant::now();
    publisher.publish(&envelope("lost")).await.unwrap_err();
    consumer.read(10, BLOCK).await.unwrap_err();
    assert!(!publisher.ping().await && !consumer.ping().await);
    assert!(begun.elapsed() < 4 * TIMEOUT + BLOCK + MARGIN, "{:?}", begun.elapsed());

    redis.process().start().await.unwrap();
    redis.wait_ready().await.unwrap();
    poll::until("the publisher to recover", DEADLINE, async || publisher.publish(&after).await).await.unwrap();
    assert_eq!(envelopes(&read(&consumer, 10).await), [after]);
    assert_eq!(envelopes(&held), [before]);
    assert_eq!(stage.left(Stream::Events).await, (2, 2), "what was held before the kill still is");
    held.ack().await.unwrap();
    assert!(publisher.ping().await && consumer.ping().await);
}

#[tokio::test]
async fn while_redis_hangs_everything_fails_within_its_timeout_and_works_again_afterwards() {
    let (stage, redis, _folder) = breakable().await;
    let (publisher, consumer) = (stage.publisher(), stage.consumer("one"));
    publisher.publish(&envelope("before")).await.unwrap();
    let held = read(&consumer, 10).await;

    redis.process().pause().await.unwrap();
    let begun = Instant::now();
    let error = publisher.publish(&envelope("doubtful")).await.unwrap_err();
    assert!(matches!(error, BusError::Timeout), "{error:?}");
    assert!(begun.elapsed() < TIMEOUT + MARGIN, "publish took {:?}", begun.elapsed());
    let begun = Instant::now();
    let error = consumer.read(10, BLOCK).await.unwrap_err();
    assert!(matches!(error, BusError::Timeout), "{error:?}");
    assert!(begun.elapsed() < BLOCK + 2 * TIMEOUT + MARGIN, "read took {:?}", begun.elapsed());
    let begun = Instant::now();
    held.ack().await.unwrap_err();
    // It is tried four times: see `Batch::ack`.
    assert!(begun.elapsed() < 4 * TIMEOUT + MARGIN, "ack took {:?}", begun.elapsed());

    redis.process().resume().await.unwrap();
    let after = envelope("after");
    poll::until("the publisher to recover", DEADLINE, async || publisher.publish(&after).await).await.unwrap();
    // The read that was given up may have been answered to nobody: then its entries wait for a takeover, which is what
    // takeovers are for. What is published from now on comes.
    let mut seen = Vec::new();
    while !seen.contains(&after) {
        let batch = consumer.take_over(10, Duration::from_millis(1)).await.unwrap();
        seen.extend(envelopes(&batch));
        batch.ack().await.unwrap();
        let batch = consumer.read(10, BLOCK).await.unwrap();
        seen.extend(envelopes(&batch));
        batch.ack().await.unwrap();
    }
    assert_eq!(stage.left(Stream::Events).await.1, 0);
}

#[tokio::test]
async fn a_publisher_that_was_started_before_redis_finds_it() {
    let (stage, redis, _folder) = breakable().await;
    redis.process().stop().await.unwrap();
    let publisher = stage.publisher();
    publisher.publish(&envelope("too early")).await.unwrap_err();
    redis.process().start().await.unwrap();
    redis.wait_ready().await.unwrap();
    let sent = envelope("in time");
    poll::until("the publisher to connect", DEADLINE, async || publisher.publish(&sent).await).await.unwrap();
}
