//! From publisher to consumer to nothing.

use std::collections::HashSet;

use tocsin_bus::Stream;

use crate::stage::{BLOCK, DEADLINE, Stage, envelope, envelopes, read};

#[tokio::test]
async fn what_was_published_is_read_in_order_and_gone_once_acknowledged() {
    let stage = Stage::shared();
    let (publisher, consumer) = (stage.publisher(), stage.consumer("one"));
    let sent = ["a", "b", "c"].map(envelope);
    for envelope in &sent {
        publisher.publish(envelope).await.unwrap();
    }
    let batch = read(&consumer, 10).await;
    assert_eq!(envelopes(&batch), sent);
    assert_eq!(stage.left(Stream::Events).await, (3, 3), "held until it is acknowledged");
    batch.ack().await.unwrap();
    assert_eq!(stage.left(Stream::Events).await, (0, 0));
    assert!(consumer.read(10, BLOCK).await.unwrap().entries().is_empty());
}

#[tokio::test]
async fn a_batch_takes_no_more_than_was_asked_and_acknowledges_only_itself() {
    let stage = Stage::shared();
    let (publisher, consumer) = (stage.publisher(), stage.consumer("one"));
    let sent = ["a", "b", "c"].map(envelope);
    for envelope in &sent {
        publisher.publish(envelope).await.unwrap();
    }
    let first = read(&consumer, 2).await;
    let second = read(&consumer, 2).await;
    assert_eq!((envelopes(&first), envelopes(&second)), (sent[..2].to_vec(), sent[2..].to_vec()));
    first.ack().await.unwrap();
    assert_eq!(stage.left(Stream::Events).await, (1, 1));
    second.ack().await.unwrap();
    assert_eq!(stage.left(Stream::Events).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_group_share_what_many_publish_at_once() {
    const COUNT: usize = 400;
    let stage = Stage::shared();
    let publisher = stage.publisher();
    let sending: Vec<_> = (0..COUNT)
        .map(|n| {
            let (publisher, envelope) = (publisher.clone(), envelope(&n.to_string()));
            tokio::spawn(async move {
                publisher.publish(&envelope).await.unwrap();
                envelope.id
            })
        })
        .collect();
    let mut sent = HashSet::new();
    for id in sending {
        sent.insert(id.await.unwrap());
    }
    let reading = ["one", "two", "three"].map(|name| {
        let consumer = stage.consumer(name);
        tokio::spawn(async move {
            let (mut mine, mut quiet) = (Vec::new(), 0);
            // The first read may only make the group.
            while quiet < 2 {
                let batch = consumer.read(7, BLOCK).await.unwrap();
                quiet = if batch.entries().is_empty() { quiet + 1 } else { 0 };
                mine.extend(envelopes(&batch).into_iter().map(|envelope| envelope.id));
                batch.ack().await.unwrap();
            }
            mine
        })
    });
    let mut received = Vec::new();
    for mine in reading {
        received.extend(mine.await.unwrap());
    }
    assert_eq!(received.len(), COUNT, "each was delivered to one member");
    assert_eq!(received.into_iter().collect::<HashSet<_>>(), sent);
    assert_eq!(stage.left(Stream::Events).await, (0, 0));
}

#[tokio::test]
async fn a_read_waits_for_what_is_yet_to_come() {
    let stage = Stage::shared();
    let (publisher, consumer) = (stage.publisher(), stage.consumer("one"));
    // Makes the group.
    assert!(consumer.read(1, BLOCK).await.unwrap().entries().is_empty());
    let waiting = tokio::spawn(async move { consumer.read(1, DEADLINE).await.unwrap().entries().len() });
    let blocked = || async { stage.redis(Stream::Events, "CLIENT LIST").await.contains("cmd=xreadgroup") };
    tocsin_testbed::poll::until("the read to wait", DEADLINE, blocked).await.unwrap();
    publisher.publish(&envelope("late")).await.unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(waiting.await.unwrap(), 1);
    assert!(begun.elapsed() < DEADLINE / 2, "woken by the entry, not by the clock");
}

#[tokio::test]
async fn wake_ups_are_taken_once_and_leave_nothing_behind() {
    let stage = Stage::shared();
    let (publisher, wakes) = (stage.publisher(), stage.wakes("one"));
    assert_eq!(wakes.take(100, BLOCK).await.unwrap(), 0, "makes the group");
    for _ in 0..3 {
        publisher.wake_notifier().await.unwrap();
    }
    assert_eq!(wakes.take(2, BLOCK).await.unwrap(), 2);
    assert_eq!(wakes.take(2, BLOCK).await.unwrap(), 1);
    assert_eq!(stage.left(Stream::Notifications).await, (0, 0));
    assert_eq!(wakes.take(2, BLOCK).await.unwrap(), 0);
}

#[tokio::test]
async fn a_wake_up_from_before_the_first_member_is_not_missed() {
    let stage = Stage::shared();
    stage.publisher().wake_notifier().await.unwrap();
    let wakes = stage.wakes("one");
    let taken = tocsin_testbed::poll::until("a wake-up", DEADLINE, async || {
        let taken = wakes.take(10, BLOCK).await.unwrap();
        (taken > 0).then_some(taken)
    });
    assert_eq!(taken.await.unwrap(), 1);
}
