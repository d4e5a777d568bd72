//! What a consumer that fell silent held.

use std::time::{Duration, Instant};

use tocsin_bus::{Batch, Consumer, Stream};
use tocsin_testbed::poll;

use crate::stage::{BLOCK, DEADLINE, Stage, envelope, envelopes, read};

/// Longer than any test.
const LONG: Duration = Duration::from_mins(10);

async fn take_over(consumer: &Consumer, max: usize, idle: Duration) -> Batch {
    let taken = poll::until("entries to be taken over", DEADLINE, async || {
        let batch = consumer.take_over(max, idle).await.map_err(|error| error.to_string())?;
        if batch.entries().is_empty() { Err("nothing".to_owned()) } else { Ok(batch) }
    });
    taken.await.unwrap()
}

#[tokio::test]
async fn unacknowledged_entries_are_taken_over_once_they_were_idle_and_not_before() {
    let stage = Stage::shared();
    let (publisher, one, other) = (stage.publisher(), stage.consumer("one"), stage.consumer("other"));
    let sent = envelope("a");
    publisher.publish(&sent).await.unwrap();
    let idle = Duration::from_millis(500);
    let begun = Instant::now();
    let held = read(&one, 10).await;
    assert!(other.read(10, BLOCK).await.unwrap().entries().is_empty(), "delivered to one at a time");
    assert!(other.take_over(10, LONG).await.unwrap().entries().is_empty());

    let taken = take_over(&other, 10, idle).await;
    assert!(begun.elapsed() + Duration::from_millis(5) >= idle, "taken over after {:?}", begun.elapsed());
    assert_eq!(envelopes(&taken), [sent]);
    // The clock begins anew: the new holder has its time too.
    assert!(one.take_over(10, LONG).await.unwrap().entries().is_empty());
    taken.ack().await.unwrap();
    assert_eq!(stage.left(Stream::Events).await, (0, 0));
    held.ack().await.unwrap();
    assert_eq!(stage.left(Stream::Events).await, (0, 0), "that the first holder comes back does no harm");
}

#[tokio::test]
async fn a_large_legacy_is_taken_over_in_bounded_batches() {
    let stage = Stage::shared();
    let (publisher, one, other) = (stage.publisher(), stage.consumer("one"), stage.consumer("other"));
    let sent = ["a", "b", "c", "d", "e"].map(envelope);
    for envelope in &sent {
        publisher.publish(envelope).await.unwrap();
    }
    drop(read(&one, 10).await);
    let mut taken = Vec::new();
    while taken.len() < sent.len() {
        let batch = take_over(&other, 2, Duration::from_millis(1)).await;
        assert!(batch.entries().len() <= 2);
        taken.extend(envelopes(&batch));
        batch.ack().await.unwrap();
    }
    assert_eq!(taken, sent);
    assert_eq!(stage.left(Stream::Events).await, (0, 0));
}

#[tokio::test]
async fn a_dropped_batch_stays_pending() {
    let stage = Stage::shared();
    let (publisher, one) = (stage.publisher(), stage.consumer("one"));
    publisher.publish(&envelope("a")).await.unwrap();
    drop(read(&one, 10).await);
    assert_eq!(stage.left(Stream::Events).await, (1, 1));
    assert!(one.read(10, BLOCK).await.unwrap().entries().is_empty(), "new entries only");
}

#[tokio::test]
async fn who_comes_back_under_its_name_is_given_again_what_it_has_not_acknowledged() {
    let stage = Stage::shared();
    let (publisher, other) = (stage.publisher(), stage.consumer("other"));
    let sent = ["a", "b", "c"].map(envelope);
    for envelope in &sent {
        publisher.publish(envelope).await.unwrap();
    }
    let first = stage.consumer("one");
    read(&first, 1).await.ack().await.unwrap();
    drop(read(&first, 2).await);

    let again = stage.consumer("one");
    assert_eq!(envelopes(&again.read_again(1).await.unwrap()), sent[1..2]);
    let owed = again.read_again(10).await.unwrap();
    assert_eq!(envelopes(&owed), sent[1..], "as long as it is not acknowledged");
    assert!(other.read_again(10).await.unwrap().entries().is_empty(), "another has a name of its own");
    owed.ack().await.unwrap();
    assert!(again.read_again(10).await.unwrap().entries().is_empty());
    assert_eq!(stage.left(Stream::Events).await, (0, 0));
}
