//! A store goes under load and comes back (promise 2). While one is left, senders notice nothing; and whatever happens,
//! what was accepted acts, once.

use std::time::Duration;

use tocsin_testbed::Topology;
use tocsin_testbed::bench::store_loss::{Loss, Verdict, observe};

use crate::turn::Turn;

/// What one of a hundred senders waits at most.
const MAX_P99: Duration = Duration::from_millis(200);

/// Requests in a second: what two cores can do with services that are not optimised, and room to spare. `./dev bench
/// store-loss` sends 500 to those that are shipped.
const RATE: u32 = 200;

async fn judged(loss: Loss) -> Verdict {
    let _turn = Turn::alone().await;
    let verdict = observe(loss, RATE, Topology::builder()).await.unwrap();
    #[expect(clippy::print_stdout, reason = "the figures are what one reads a failed run for")]
    {
        println!("{verdict}");
    }
    assert_eq!((verdict.lost, verdict.doubled), (0, 0), "{verdict}");
    assert_eq!((verdict.client_errors, verdict.unanswered), (0, 0), "{verdict}");
    verdict
}

async fn assert_unnoticed(loss: Loss) {
    let verdict = judged(loss).await;
    assert_eq!(verdict.server_errors, 0, "{verdict}");
    assert!(verdict.p99() < MAX_P99, "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_notice_nothing_of_a_redis_that_hangs() {
    assert_unnoticed(Loss::RedisPaused).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_notice_nothing_of_a_redis_that_is_killed() {
    assert_unnoticed(Loss::RedisKilled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_notice_nothing_of_a_redis_without_memory() {
    assert_unnoticed(Loss::RedisFull).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_notice_nothing_of_a_redis_that_takes_no_writes() {
    assert_unnoticed(Loss::RedisReadOnly).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_notice_nothing_of_a_redis_that_misses_its_replicas() {
    assert_unnoticed(Loss::RedisWithoutReplicas).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_notice_nothing_of_a_postgres_that_is_killed() {
    assert_unnoticed(Loss::PostgresKilled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_store_senders_are_told_to_come_again_and_nothing_accepted_is_lost() {
    let verdict = judged(Loss::BothKilled).await;
    assert_eq!(verdict.unhelpful, 0, "{verdict}");
    assert!(verdict.server_errors > 0, "both were gone: {verdict}");
    assert!(verdict.accepted > 0, "before and after: {verdict}");
}
