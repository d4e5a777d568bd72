//! One receiver never delays another, through the whole system. The bench has the figures; this has a bound that a shared queue
//! would break.

use std::time::Duration;

use tocsin_testbed::bench::notify::pipeline::{Ground, Pace};

use crate::bed::stores::folder;
use crate::turn::Turn;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_that_hangs_for_a_minute_delays_no_other() {
    let _turn = Turn::alone().await;
    let folder = folder();
    let ground = Ground::prepare(folder.path()).await.unwrap();
    let isolation = ground.isolation(Pace { per_second: 40, during: Duration::from_secs(8) }, 1).await.unwrap();
    println!("{isolation:?}");
    // Its requests end after 15 s. Whoever waited behind them would wait for as long; a busy machine makes nobody wait like that.
    assert!(isolation.hanging_p99[0] < isolation.quiet_p99[0] * 2 + Duration::from_secs(3), "{isolation:?}");
    ground.stop().await.unwrap();
}
