//! Many who watch, and those who do it badly.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tocsin_bus::Change;
use tocsin_shared::SilenceId;
use tocsin_testbed::poll;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::interval;

use crate::api::{Api, READER, alone};
use crate::events::{Watching, about};

/// Twenty seconds in which nothing is taken, and time to notice.
const CUT_OFF: Duration = Duration::from_mins(1);
const STREAMS: &str = "tocsin_api_event_streams";

impl Api {
    /// The sum of the samples of one metric whose labels hold a text.
    async fn measured(&self, name: &str, label: &str) -> f64 {
        let page = self.client.get(self.url("/metrics")).send().await.unwrap().text().await.unwrap();
        let samples = page.lines().filter(|line| line.starts_with(name) && line.contains(label));
        samples.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// A stream that nobody has read from yet, on a connection that holds little.
    async fn unread(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let address = self.url("").trim_start_matches("http://").parse().unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        let head = format!("GET /api/v1/events HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {READER}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }
}

#[tokio::test]
async fn who_reads_nothing_is_cut_off_and_who_reads_slowly_is_not() {
    let api = Api::start().await;
    let _deaf = api.unread().await;
    let mut slow = api.unread().await;
    let reading = tokio::spawn(async move {
        let (mut bytes, mut ticks) = ([0; 1_024], interval(Duration::from_millis(50)));
        while let Ok(1..) = slow.read(&mut bytes).await {
            ticks.tick().await;
        }
    });
    let publisher = api.publisher();
    let open = async || api.measured(STREAMS, "").await;
    poll::until("both to be there", CUT_OFF, async || poll::expect(open().await, |open| *open > 1.5)).await.unwrap();
    let left = poll::until("the deaf one to be cut off", CUT_OFF, async || {
        // More than anybody takes: what the system holds for a connection is full at some time.
        let silences = (0..250).map(|_| SilenceId::generate()).collect();
        publisher.changed(&Change { silences, ..Change::default() }).await.unwrap();
        poll::expect(open().await, |open| *open < 1.5)
    });
    let left = left.await.unwrap();
    assert!(left > 0.5 && !reading.is_finished(), "the slow one is still there");
    reading.abort();
}

#[tokio::test]
async fn those_who_come_back_together_after_a_restart_get_what_they_have_missed_and_cost_little() {
    let api = Api::start().await;
    api.apply(&alone(2)).await;
    let (first, second) = (api.incident(1).await, api.incident(2).await);
    let publisher = api.publisher();
    let mut watching = Watching::start(&api, None).await.settled().await;
    publisher.changed(&about(&[first])).await.unwrap();
    watching.next().await.unwrap();
    let position = watching.position.clone().unwrap();
    publisher.changed(&about(&[second])).await.unwrap();
    api.process().stop().await.unwrap();
    api.process().start().await.unwrap();
    api.topology.wait_ready("api-1").await.unwrap();

    let back = join_all((0..300).map(async |_| {
        let mut watching = Watching::start(&api, Some(&position)).await;
        (watching.next().await.unwrap(), watching)
    }));
    for ((event, data), _) in &back.await {
        assert_eq!((event.as_str(), &data["incident_number"]), ("incident", &json!(2)));
    }
    let loads = api.measured("tocsin_store_operation_duration_seconds_count", "operation=\"incidents_get\"").await;
    assert!((1.0..100.0).contains(&loads), "{loads} times for 300 clients");
}
