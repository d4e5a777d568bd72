//! A group that is lost, as by a failover to a replica that had not heard of it.

use std::time::Duration;

use tocsin_bus::Stream;

use crate::stage::{BLOCK, GROUP, Stage, envelope, envelopes, read};

#[tokio::test]
async fn a_lost_group_is_made_again_and_everything_unacknowledged_comes_again() {
    let stage = Stage::shared();
    let (publisher, consumer) = (stage.publisher(), stage.consumer("one"));
    let sent = ["done", "held", "waiting"].map(envelope);
    for envelope in &sent {
        publisher.publish(envelope).await.unwrap();
    }
    read(&consumer, 1).await.ack().await.unwrap();
    let held = read(&consumer, 1).await;
    stage.redis(Stream::Events, &format!("XGROUP DESTROY STREAM {GROUP}")).await;

    assert!(consumer.take_over(10, Duration::from_millis(1)).await.unwrap().entries().is_empty());
    let again = read(&consumer, 10).await;
    assert_eq!(envelopes(&again), sent[1..]);
    again.ack().await.unwrap();
    held.ack().await.unwrap();
    assert_eq!(stage.left(Stream::Events).await, (0, 0));
}

#[tokio::test]
async fn a_stream_that_was_deleted_is_made_again() {
    let stage = Stage::shared();
    let (publisher, consumer) = (stage.publisher(), stage.consumer("one"));
    publisher.publish(&envelope("gone")).await.unwrap();
    let held = read(&consumer, 10).await;
    stage.redis(Stream::Events, "DEL STREAM").await;
    held.ack().await.unwrap();
    let sent = envelope("new");
    publisher.publish(&sent).await.unwrap();
    assert_eq!(envelopes(&read(&consumer, 10).await), [sent]);
}

#[tokio::test]
async fn members_that_find_the_group_lost_at_once_all_go_on() {
    let stage = Stage::shared();
    stage.publisher().publish(&envelope("a")).await.unwrap();
    let [one, two, three] = ["one", "two", "three"].map(|name| stage.consumer(name));
    let (one, two, three) = tokio::join!(one.read(10, BLOCK), two.read(10, BLOCK), three.read(10, BLOCK));
    for batch in [one, two, three] {
        drop(batch.unwrap());
    }
    let groups = stage.redis(Stream::Events, "XINFO GROUPS STREAM").await;
    assert_eq!(groups.lines().filter(|line| *line == GROUP).count(), 1, "{groups}");
}
