//! Following what changes.

use std::process::Stdio;

use serde_json::Value;
use tocsin_testbed::poll;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout};

use crate::bed::{Bed, DEADLINE, READER, RESPONDER};

/// A running `tocsin tail`.
struct Tailing {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    err: Lines<BufReader<ChildStderr>>,
}

impl Tailing {
    fn start(bed: &Bed, args: &[&str]) -> Self {
        let mut command = bed.command(READER, &[&["tail"], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let err = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, out, err }
    }

    async fn line(&mut self) -> String {
        tokio::time::timeout(DEADLINE, self.out.next_line()).await.expect("a line in time").unwrap().expect("a line")
    }

    async fn json(&mut self) -> Value {
        serde_json::from_str(&self.line().await).unwrap()
    }

    async fn ended(mut self) -> i32 {
        tokio::time::timeout(DEADLINE, self.child.wait()).await.expect("an end in time").unwrap().code().unwrap()
    }
}

/// Waits until so many streams are open.
async fn until_open(bed: &Bed, count: &str) {
    poll::until("the streams", DEADLINE, async || {
        let api = bed.topology.service_url("api-1").unwrap();
        let client = tocsin_testbed::http::client().unwrap();
        let metrics = client.get(format!("{api}/metrics")).send().await.unwrap().text().await.unwrap();
        let open = metrics.lines().find_map(|line| line.strip_prefix("tocsin_api_event_streams "));
        poll::expect(open.unwrap_or_default().to_owned(), |open| open == count)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn who_follows_sees_an_incident_and_goes_on_after_a_restart_of_the_api() {
    let bed = Bed::start().await;
    let mut people = Tailing::start(&bed, &[]);
    let mut script = Tailing::start(&bed, &["--json"]);
    until_open(&bed, "2").await;
    bed.alert("DiskFull", &[]).await;
    assert_eq!(people.line().await, "#1 triggered medium 1/1 firing: DiskFull");
    let event = script.json().await;
    assert_eq!((&event["event"], &event["data"]["incident_number"]), (&"incident".into(), &1.into()));
    let position = event["id"].as_str().unwrap().to_owned();

    let api = bed.topology.process("api-1").unwrap();
    api.stop().await.unwrap();
    let told = tokio::time::timeout(DEADLINE, people.err.next_line()).await.unwrap().unwrap().unwrap();
    assert!(told.ends_with("connecting again"), "{told}");
    api.start().await.unwrap();
    bed.topology.wait_ready("api-1").await.unwrap();
    bed.must(RESPONDER, &["ack", "1"]).await;
    // However often it is shown that it fires: in the end it is acknowledged.
    while !people.line().await.starts_with("#1 acknowledged") {}
    while script.json().await["data"]["status"] != "acknowledged" {}

    // What was missed by somebody who was away altogether.
    let mut later = Tailing::start(&bed, &["--json", "--after", &position, "--count", "1"]);
    let event = later.json().await;
    assert_eq!((&event["data"]["status"], later.ended().await), (&"acknowledged".into(), 0));
}

#[tokio::test]
async fn a_position_that_nobody_knows_is_answered_with_a_reset() {
    let bed = Bed::start().await;
    let mut tailing = Tailing::start(&bed, &["--json", "--after", "nonsense", "--count", "1"]);
    assert_eq!(tailing.json().await["event"], "reset");
    assert_eq!(tailing.ended().await, 0);
}

#[tokio::test]
async fn who_may_not_read_follows_nothing() {
    let bed = Bed::start().await;
    let run = bed.run("nobody's", &["tail"]).await;
    assert!(run.exit == 4 && run.err.contains("(invalid_token, request "), "{run:?}");
}
