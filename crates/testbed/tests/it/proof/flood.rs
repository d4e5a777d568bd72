//! One address that sends far more than it may is told so, by all ingest processes together, and costs no memory.

use std::time::Duration;

use tocsin_testbed::Topology;
use tocsin_testbed::bench::flood::{flood, topology};

use super::system::PATIENCE;
use crate::turn::Turn;

/// How long it goes on.
const FLOOD: Duration = Duration::from_secs(10);
/// What the memory of an ingest process may grow beyond a tenth, in KiB: what allocators keep.
const SLACK_KIB: u64 = 4 * 1024;

#[tokio::test]
async fn a_flood_from_one_address_is_limited_explained_and_costs_no_memory() {
    let _turn = Turn::alone().await;
    let system = topology(Topology::builder()).start().await.unwrap();
    let flood = flood(&system, FLOOD).await.unwrap();
    println!("{flood:?}");
    let answers = flood.answers;
    assert_eq!((answers.other, answers.socket_errors), (0, 0), "{flood:?}");
    assert_eq!(answers.unexplained, 0, "each 429 says when to come again and what the limit is: {flood:?}");
    assert!(answers.limited > 10 * flood.most_accepted(), "there was a flood: {flood:?}");
    assert!(answers.accepted <= flood.most_accepted(), "two processes give no more than one: {flood:?}");
    assert!(answers.accepted >= 300, "what an address may send it can send: {flood:?}");
    assert_eq!(flood.afterwards, 200);
    for memory in &flood.memory {
        assert!(memory.peak_kib <= memory.before_kib * 11 / 10 + SLACK_KIB, "{flood:?}");
    }
    system.wait_until_drained(PATIENCE).await.unwrap();
    system.stop().await.unwrap();
}
