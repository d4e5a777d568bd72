//! Clients that hold on to connections, or send their requests a byte at a time, are cut off after a while and meanwhile
//! cost nobody else time. Both doors are tried: the front door, and ingest itself, which must not rely on it.

use std::time::Duration;

use futures_util::future::join_all;
use tocsin_testbed::http;
use tocsin_testbed::load::{open_loop, percentile};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::system::{System, alert};

/// How long a request may take to arrive: 10 s at the front door, 5 s for a head at ingest; and time to notice.
const CUT_OFF: Duration = Duration::from_secs(14);
/// When a client that is not cut off gives up, so that the test ends.
const GIVE_UP: Duration = CUT_OFF.saturating_add(Duration::from_secs(2));
/// Time between two bytes of a slow client: none of them is ever idle for long.
const DRIP: Duration = Duration::from_millis(250);
/// Slow clients of each kind.
const SLOW: usize = 50;
/// Clients that connect and say nothing.
const IDLE: usize = 1_000;
/// Honest requests in a second, and how long they are watched before the slow clients come.
const RATE: u32 = 50;
const BEFORE: Duration = Duration::from_secs(4);
/// What nineteen of twenty honest requests may wait longer than before, at most.
const MAX_P95_MORE: Duration = Duration::from_millis(200);

const HEAD: &str = "POST /api/v1/webhooks/generic HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n";

/// How the connection of a client ended.
#[derive(Debug)]
struct End {
    after: Duration,
    answer: String,
}

/// Connects, sends `start` at once and then `drip` again and again, until the server has had enough.
async fn drip(address: &str, start: String, drip: &'static str) -> End {
    let begun = Instant::now();
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let writing = async {
        let mut open = writer.write_all(start.as_bytes()).await.is_ok();
        let mut ticks = interval(DRIP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while open {
            ticks.tick().await;
            open = writer.write_all(drip.as_bytes()).await.is_ok();
        }
        // What was answered is still to be read.
        std::future::pending::<()>().await;
    };
    let reading = async {
        let mut bytes = Vec::new();
        // A reset after the answer is an end, too.
        let _ = reader.read_to_end(&mut bytes).await;
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let answer = tokio::select! {
        answer = reading => answer,
        () = writing => String::new(),
        () = sleep(GIVE_UP) => "(the connection is still open)".to_owned(),
    };
    End { after: begun.elapsed(), answer }
}

fn assert_cut_off(ends: &[End], what: &str, status: &str) {
    for end in ends {
        assert!(end.after < CUT_OFF, "{what}: {end:?}");
        assert!(end.answer.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {end:?}");
    }
}

async fn assert_slow_clients_disturb_nobody(url: &str) {
    let address = url.trim_start_matches("http://");
    let times = |count: usize, start: String, more: &'static str| {
        join_all((0..count).map(move |_| drip(address, start.clone(), more)))
    };
    let heads = times(SLOW, HEAD.to_owned(), "X: y\r\n");
    let bodies = times(SLOW, format!("{HEAD}Content-Length: 1000\r\n\r\n{{"), " ");
    let idle = times(IDLE, String::new(), "");
    let before = honest(url, BEFORE).await;
    let (heads, bodies, idle, during) = tokio::join!(heads, bodies, idle, honest(url, CUT_OFF));

    assert_cut_off(&heads, "a head that never ends", "408");
    assert_cut_off(&bodies, "a body that never ends", "408");
    assert!(idle.iter().all(|end| end.after < CUT_OFF), "connections that say nothing are closed");
    let [before, during] = [before, during].map(|took| percentile(&took, 0.95));
    assert!(during < before + MAX_P95_MORE, "of twenty one waited {before:?}, and {during:?} beside slow clients");
}

/// How long each of the honest requests took; all are accepted. Each has a connection of its own: a client that keeps
/// connections also opens some that it then does not need, and those are cut off for saying nothing, maybe at the very
/// moment at which it does use them.
async fn honest(url: &str, during: Duration) -> Vec<Duration> {
    let client = http::client_builder().pool_max_idle_per_host(0).timeout(CUT_OFF).build().unwrap();
    let answers = open_loop(RATE * u32::try_from(during.as_secs()).unwrap(), during, |number| {
        let name = format!("honest-{number}");
        let request = client.post(format!("{url}/api/v1/webhooks/generic")).json(&alert(&name, "firing"));
        async move { request.send().await.map(|response| response.status()) }
    })
    .await;
    let refused: Vec<_> =
        answers.iter().filter(|answer| !answer.value.as_ref().is_ok_and(|status| *status == 200)).collect();
    assert!(refused.is_empty(), "{} of {} honest requests: {refused:?}", refused.len(), answers.len());
    answers.iter().map(|answer| answer.took).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_of_the_front_door_are_cut_off_and_disturb_nobody() {
    let system = System::start_alone(|builder| builder).await;
    assert_slow_clients_disturb_nobody(&system.topology.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_of_ingest_itself_are_cut_off_and_disturb_nobody() {
    let system = System::start_alone(|builder| builder).await;
    assert_slow_clients_disturb_nobody(&system.topology.service_url("ingest-1").unwrap()).await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_and_ingest_goes_on() {
    let system = System::start(|builder| builder).await;
    let ingest = system.topology.service_url("ingest-1").unwrap();
    for (url, status) in [(system.topology.url(), 400), (ingest, 431)] {
        let large = system.client.get(format!("{url}/api/v1/webhooks/generic")).header("X-Large", "x".repeat(500_000));
        // The server may hang up while we still send; then there is nobody to read the answer.
        if let Ok(response) = large.send().await {
            assert_eq!(response.status(), status, "{url}");
        }
        let many = (0..200).fold(system.client.get(format!("{url}/health")), |request, number| {
            request.header(format!("X-{number}"), "x")
        });
        let refused = many.send().await.unwrap();
        assert_eq!(refused.status(), status, "{url}: 200 headers");
    }
    let (status, answer) = system.send(&alert("Afterwards", "firing"), "afterwards").await.unwrap();
    assert_eq!(status, 200, "{answer}");
}
