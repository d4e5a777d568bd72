//! Watching what changes.

use std::time::{Duration, Instant};

use reqwest::Response;
use serde_json::{Value, json};
use tocsin_bus::{Change, Publisher};
use tocsin_shared::{AlertStatus, IncidentId, SilenceId};
use tocsin_testbed::topology::TopologyBuilder;

use crate::api::{Api, DEADLINE, READER, RESPONDER, alone, delivery, document, problem};
use crate::worker::bus;

/// One who watches, and what it has not looked at yet.
pub(crate) struct Watching {
    response: Response,
    text: String,
    /// The position that it was told last.
    pub(crate) position: Option<String>,
}

impl Watching {
    pub(crate) async fn start(api: &Api, last_id: Option<&str>) -> Self {
        let request = api.client.get(api.url("/api/v1/events")).bearer_auth(READER).header("Accept-Encoding", "gzip");
        let request = last_id.into_iter().fold(request, |request, id| request.header("Last-Event-ID", id));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        Self { response, text: String::new(), position: None }
    }

    /// The next event; `None` when the stream ends.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let (id, event, data) = (field("id: "), field("event: "), field("data: "));
                self.text = String::from(rest);
                self.position = id.or_else(|| self.position.take());
                if let (Some(event), Some(data)) = (event, data) {
                    return Some((event, serde_json::from_str(&data).unwrap()));
                }
            }
            let chunk = tokio::time::timeout(DEADLINE, self.response.chunk()).await.expect("an event in time");
            match chunk {
                Ok(Some(bytes)) => self.text.push_str(std::str::from_utf8(&bytes).unwrap()),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// Reads on until it knows where it is.
    pub(crate) async fn settled(mut self) -> Self {
        while self.position.is_none() {
            let bytes = tokio::time::timeout(DEADLINE, self.response.chunk()).await.unwrap().unwrap().unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
            let (block, rest) = self.text.split_once("\n\n").unwrap();
            assert!(block.starts_with("retry: 1000"), "{block}");
            self.position = block.lines().find_map(|line| line.strip_prefix("id: ")).map(str::to_owned);
            self.text = rest.to_owned();
        }
        self
    }
}

impl Api {
    pub(crate) fn publisher(&self) -> Publisher {
        Publisher::start(&bus(self)).unwrap()
    }

    pub(crate) async fn incident(&self, number: i64) -> IncidentId {
        self.read(&format!("/api/v1/incidents/{number}")).await["id"].as_str().unwrap().parse().unwrap()
    }
}

pub(crate) fn about(incidents: &[IncidentId]) -> Change {
    Change { incidents: incidents.to_vec(), ..Change::default() }
}

#[tokio::test]
async fn whoever_watches_sees_each_change_as_the_list_would_show_it() {
    let api = Api::start().await;
    api.apply(&alone(2)).await;
    let (first, second, silence) = (api.incident(1).await, api.incident(2).await, SilenceId::generate());
    let mut watching = Watching::start(&api, None).await.settled().await;
    for (name, value) in
        [("content-type", "text/event-stream"), ("cache-control", "no-store"), ("x-accel-buffering", "no")]
    {
        assert_eq!(watching.response.headers()[name], value);
    }
    let publisher = api.publisher();
    let begun = Instant::now();
    publisher.changed(&about(&[first])).await.unwrap();
    let (event, data) = watching.next().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let list = api.read("/api/v1/incidents").await;
    assert_eq!((event.as_str(), &data), ("incident", &list["data"][1]));

    // What was shown is not shown again; what is told of at once comes in one go, and each once.
    let change =
        Change { incidents: vec![first, second, second], silences: vec![silence], dead_letters: true, gap: false };
    publisher.changed(&change).await.unwrap();
    assert_eq!(watching.next().await.unwrap().1["incident_number"], 2);
    assert_eq!(watching.next().await.unwrap(), ("silence".to_owned(), json!({"id": silence})));
    assert_eq!(watching.next().await.unwrap(), ("dead_letter".to_owned(), json!({})));
    publisher.changed(&Change { gap: true, ..Change::default() }).await.unwrap();
    assert_eq!(watching.next().await.unwrap(), ("reset".to_owned(), json!({})));
}

#[tokio::test]
async fn who_comes_back_gets_what_it_has_missed() {
    let api = Api::start().await;
    api.apply(&alone(2)).await;
    let (first, second) = (api.incident(1).await, api.incident(2).await);
    let publisher = api.publisher();
    let mut watching = Watching::start(&api, None).await.settled().await;
    publisher.changed(&about(&[first])).await.unwrap();
    watching.next().await.unwrap();
    let position = watching.position.clone().unwrap();
    drop(watching);

    publisher.changed(&about(&[second])).await.unwrap();
    for round in 0..2 {
        if round == 1 {
            // Another process, as far as it is concerned.
            api.process().stop().await.unwrap();
            api.process().start().await.unwrap();
            api.topology.wait_ready("api-1").await.unwrap();
        }
        let mut back = Watching::start(&api, Some(&position)).await;
        let (event, data) = back.next().await.unwrap();
        assert_eq!((event.as_str(), &data["incident_number"]), ("incident", &json!(2)));
        let newest = back.position.clone().unwrap();
        let again = Watching::start(&api, Some(&newest)).await.settled().await;
        assert_eq!(again.position, Some(newest), "nothing was missed");
    }
}

#[tokio::test]
async fn who_cannot_be_told_what_it_has_missed_starts_anew() {
    let api = Api::start().await;
    let publisher = api.publisher();
    publisher.changed(&about(&[IncidentId::generate()])).await.unwrap();
    for unknown in ["1-1", "99999999999999-0", "nonsense", "", "0-0-0"] {
        let mut watching = Watching::start(&api, Some(unknown)).await;
        assert_eq!(watching.next().await.unwrap().0, "reset", "{unknown}");
        assert!(watching.position.is_some());
    }
    let position = Watching::start(&api, None).await.settled().await.position.unwrap();
    for _ in 0..1_001 {
        publisher.changed(&about(&[IncidentId::generate()])).await.unwrap();
    }
    let mut late = Watching::start(&api, Some(&position)).await;
    assert_eq!(late.next().await.unwrap().0, "reset", "too much to go through one by one");
}

#[tokio::test]
async fn without_redis_changes_are_seen_all_the_same_and_afterwards_everything_is_loaded_anew() {
    let api = Api::start_as(TopologyBuilder::own_stores).await;
    let mut watching = Watching::start(&api, None).await.settled().await;
    let redis = api.topology.stores().unwrap().redis();
    redis.process().stop().await.unwrap();
    let now = chrono::Utc::now();
    let mut fresh = delivery("group", "one", AlertStatus::Firing, 1);
    (fresh.received_at, fresh.alerts[0].event_at) = (now, now);
    api.apply(&[fresh]).await;
    let (event, data) = watching.next().await.unwrap();
    assert_eq!((event.as_str(), &data["incident_number"]), ("incident", &json!(1)));
    let mut resumed = Watching::start(&api, Some("1-1")).await;
    assert_eq!(resumed.next().await.unwrap().0, "reset", "nobody knows what was missed");

    redis.process().start().await.unwrap();
    redis.wait_ready().await.unwrap();
    assert_eq!(watching.next().await.unwrap().0, "reset");
    assert!(watching.position.is_some());
}

#[tokio::test]
async fn a_change_that_nobody_has_told_of_is_found() {
    let api = Api::start().await;
    let mut watching = Watching::start(&api, None).await.settled().await;
    let now = chrono::Utc::now();
    let mut fresh = delivery("group", "one", AlertStatus::Firing, 1);
    (fresh.received_at, fresh.alerts[0].event_at) = (now, now);
    api.apply(&[fresh]).await;
    assert_eq!(watching.next().await.unwrap().1["incident_number"], 1);
}

#[tokio::test]
async fn a_change_that_was_found_while_a_client_was_away_is_not_missed_by_it() {
    let api = Api::start().await;
    let publisher = api.publisher();
    // One entry, so that positions begin with the time; the api has come to it when somebody has seen it.
    let mut first = Watching::start(&api, None).await.settled().await;
    publisher.changed(&Change { silences: vec![SilenceId::generate()], ..Change::default() }).await.unwrap();
    first.next().await.unwrap();
    let away = first.position.unwrap();
    let fresh = |group| {
        let now = chrono::Utc::now();
        let mut fresh = delivery(group, "one", AlertStatus::Firing, 1);
        (fresh.received_at, fresh.alerts[0].event_at) = (now, now);
        fresh
    };
    let mut watching = Watching::start(&api, Some(&away)).await.settled().await;
    api.apply(&[fresh("untold")]).await;
    assert_eq!(watching.next().await.unwrap().1["incident_number"], 1);
    // What was found has no position, so this one has it, and the other has not.
    assert_eq!(watching.position.as_ref(), Some(&away));
    let mut back = Watching::start(&api, Some(&away)).await;
    assert_eq!(back.next().await.unwrap().1["incident_number"], 1);

    // What the stream has told of is not repeated to those who have read so far.
    api.apply(&[fresh("told")]).await;
    publisher.changed(&about(&[api.incident(2).await])).await.unwrap();
    publisher.changed(&about(&[api.incident(1).await])).await.unwrap();
    let silence = SilenceId::generate();
    publisher.changed(&Change { silences: vec![silence], ..Change::default() }).await.unwrap();
    let mut seen = Vec::new();
    while seen.last() != Some(&json!({"id": silence})) {
        seen.push(watching.next().await.unwrap().1);
    }
    assert_eq!(seen.len(), 2, "incident 1 was shown before: {seen:?}");
    let read = watching.position.clone();
    assert_ne!(read.as_ref(), Some(&away));
    let mut again = Watching::start(&api, read.as_deref()).await;
    let silence = SilenceId::generate();
    publisher.changed(&Change { silences: vec![silence], ..Change::default() }).await.unwrap();
    assert_eq!(again.next().await.unwrap().1, json!({"id": silence}), "the first event");
}

#[tokio::test]
async fn a_stream_ends_when_the_process_does_so_that_clients_go_elsewhere() {
    let api = Api::start_as(|topology| topology.env("TOCSIN_DRAIN_DELAY", "100ms")).await;
    let mut watching = Watching::start(&api, None).await.settled().await;
    let begun = Instant::now();
    let stopping = api.process().stop();
    let (ended, stopped) = futures_util::join!(watching.next(), stopping);
    assert_eq!(ended, None);
    assert!(stopped.unwrap().is_clean(), "it ends in order");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn watching_takes_the_scope_to_read() {
    let api = Api::start().await;
    problem(api.client.get(api.url("/api/v1/events")).send().await.unwrap(), 401, "missing_token").await;
    problem(api.get_as(RESPONDER, "/api/v1/events").await, 403, "insufficient_scope").await;
}

#[tokio::test]
async fn who_is_not_let_in_any_more_watches_no_more() {
    let api = Api::start().await;
    let client = tocsin_testbed::http::client_builder().build().unwrap();
    let request = client.get(api.url("/api/v1/events")).bearer_auth(READER);
    let mut response = request.send().await.unwrap();
    api.reload(&document(&[(RESPONDER, "read")])).await;
    api.answers(READER, 401).await;
    // Heartbeats come every 15 s, and with the next one it is looked at.
    let ended =
        tokio::time::timeout(Duration::from_secs(25), async { while let Ok(Some(_)) = response.chunk().await {} });
    ended.await.expect("the stream to end");
}
