//! The memory of what was applied: as long as promised, and no longer.

use std::time::Duration;

use crate::stage::{apply, firing, fresh, store_on};

const RETENTION: Duration = Duration::from_hours(48);

#[tokio::test]
async fn only_what_is_older_is_forgotten_oldest_first_and_no_more_than_asked_for() {
    let (store, database) = fresh().await;
    let batch: Vec<_> = (0..5).map(|second| firing("Down", second)).collect();
    apply(&store, &batch).await;
    let age = |second: usize, hours: u8| {
        let id = batch[second].id;
        format!("UPDATE event_ids SET applied_at = now() - interval '{hours} hours' WHERE id = '{id}';")
    };
    database.sql(&[age(0, 49), age(1, 51), age(2, 50), age(3, 47)].concat()).await.unwrap();

    assert_eq!(store.event_ids_purge(RETENTION, 2).await.unwrap(), 2);
    assert_eq!(apply(&store, &batch[..3]).await.fresh, 2, "the two oldest are forgotten");
    assert_eq!(store.event_ids_purge(RETENTION, 2).await.unwrap(), 1);
    assert_eq!(store.event_ids_purge(RETENTION, 2).await.unwrap(), 0);
    assert_eq!(apply(&store, &batch[3..]).await.repeated, 2, "what is younger is known");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_may_forget_at_once_and_none_waits_for_another() {
    let (store, database) = fresh().await;
    let insert =
        "INSERT INTO event_ids SELECT gen_random_uuid(), now() - interval '3 days' FROM generate_series(1, 2000)";
    database.sql(insert).await.unwrap();
    let rounds = (0..4).map(|_| {
        let store = store_on(&database);
        tokio::spawn(async move {
            let mut purged = 0;
            loop {
                match store.event_ids_purge(RETENTION, 50).await.unwrap() {
                    0 => return purged,
                    some => purged += some,
                }
            }
        })
    });
    let mut purged = 0;
    for purge in rounds.collect::<Vec<_>>() {
        purged += purge.await.unwrap();
    }
    assert_eq!(purged, 2_000);
    assert_eq!(store.event_ids_purge(RETENTION, 50).await.unwrap(), 0);
}
