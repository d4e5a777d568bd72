//! A demo, as short as can be.

use std::time::Duration;

use tocsin_testbed::demo::storm::{MIN_WEBHOOKS, Options, run};

use crate::bed::stores::folder;
use crate::turn::Turn;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_becomes_few_incidents_and_fewer_messages_than_webhooks() {
    let _turn = Turn::alone().await;
    let folder = folder();
    let options = Options { webhooks: MIN_WEBHOOKS, during: Duration::from_secs(8), seed: 1 };
    let story = run(options, folder.path()).await.unwrap();
    println!("{story}");
    assert_eq!(story.webhooks, MIN_WEBHOOKS as usize);
    assert!(story.incidents.iter().any(|incident| incident.title.starts_with("orders-db")), "{story}");
    assert!(story.incident_count <= 4, "what depends on the database is not told of by itself: {story}");
    assert!(story.messages > 0 && story.messages < story.webhooks, "{story}");
}
