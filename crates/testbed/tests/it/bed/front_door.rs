//! The front door before doubles of the services.

use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tocsin_testbed::doubles::{Answer, Recorder};
use tocsin_testbed::topology::{FrontDoor, Server};
use tocsin_testbed::{Port, http};

const DEADLINE: Duration = Duration::from_secs(5);

/// A double of a service that answers with its own name.
fn double(name: &str) -> (Recorder, Server) {
    let recorder = Recorder::start().unwrap();
    recorder.set_page("/ready", "");
    recorder.set_default(Answer::status(200).body(name));
    let port = recorder.url().rsplit_once(':').unwrap().1.parse().unwrap();
    (recorder, Server { name: name.to_owned(), port })
}

async fn open(ingest: &[Server], api: &[Server]) -> (FrontDoor, TempDir) {
    let folder = TempDir::new().unwrap();
    let front_door = FrontDoor::start(folder.path(), Port::free().unwrap(), ingest, api).await.unwrap();
    (front_door, folder)
}

async fn get(url: &str) -> reqwest::Response {
    http::client().unwrap().get(url).send().await.unwrap()
}

#[tokio::test]
async fn each_path_reaches_the_service_that_owns_it() {
    let (ingest, api) = (double("ingest-1"), double("api-1"));
    let (front_door, _folder) = open(&[ingest.1], &[api.1]).await;
    for (path, owner) in [
        ("/api/v1/webhooks/generic", "ingest-1"),
        ("/api/v2/alerts", "ingest-1"),
        ("/v2/enqueue", "ingest-1"),
        ("/integrations/v1/x", "ingest-1"),
        ("/api/v1/slack/interactions", "ingest-1"),
        ("/api/v1/incidents", "api-1"),
        ("/", "api-1"),
    ] {
        assert_eq!(get(&format!("{}{path}", front_door.url())).await.text().await.unwrap(), owner, "{path}");
    }
}

#[tokio::test]
async fn a_request_gets_an_id_unless_it_brings_one() {
    let (api, server) = double("api-1");
    let (front_door, _folder) = open(&[], &[server]).await;
    get(&front_door.url()).await;
    let client = http::client().unwrap();
    let brings_its_own = client.get(front_door.url()).header("X-Request-Id", "mine");
    brings_its_own.header("X-Forwarded-For", "203.0.113.9").send().await.unwrap();
    let ids: Vec<_> = api.requests().iter().map(|request| request.header("x-request-id").unwrap().to_owned()).collect();
    assert_eq!((ids[0].len(), ids[1].as_str()), (36, "mine"));
    for request in api.requests() {
        let addresses: Vec<_> = request.headers.iter().filter(|(name, _)| name == "x-forwarded-for").collect();
        assert_eq!(
            addresses,
            [&("x-forwarded-for".to_owned(), "127.0.0.1".to_owned())],
            "the peer's, not what it says"
        );
    }
}

#[tokio::test]
async fn without_a_healthy_server_the_front_door_answers_with_a_problem_document() {
    let (api, server) = double("api-1");
    let (front_door, _folder) = open(&[], &[server]).await;
    drop(api);
    front_door.wait_until_server_is("api-1", false, DEADLINE).await.unwrap();
    let client = http::client().unwrap();
    // A client's id is repeated, and must not break out of the JSON.
    let response = client.get(front_door.url()).header("X-Request-Id", r#"a"b"#).send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["retry-after"], "1");
    let body: Value = response.json().await.unwrap();
    insta::assert_json_snapshot!(body, @r#"
    {
      "code": "no_healthy_server",
      "error": {
        "code": "no_healthy_server",
        "details": null,
        "message": "No server can take this right now; try again",
        "request_id": "a\"b"
      },
      "request_id": "a\"b",
      "status": 503,
      "title": "No server can take this right now; try again",
      "type": "urn:tocsin:problem:no_healthy_server"
    }
    "#);
}

#[tokio::test]
async fn headers_that_are_too_large_are_refused_and_reach_nobody() {
    let (api, server) = double("api-1");
    let (front_door, _folder) = open(&[], &[server]).await;
    let client = http::client().unwrap();
    let send = async |bytes| client.get(front_door.url()).header("X-Large", "x".repeat(bytes)).send().await.unwrap();
    assert_eq!(send(15_000).await.status(), 200);
    let refused = send(17_000).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["content-type"]),
        (431, &"application/problem+json".parse().unwrap())
    );
    let problem: Value = refused.json().await.unwrap();
    assert_eq!((&problem["code"], &problem["status"]), (&"headers_too_large".into(), &431.into()));
    assert_eq!(send(60_000).await.status(), 400, "more than it reads");
    assert_eq!(api.count(), 1);
}

#[tokio::test]
async fn a_request_that_was_sent_is_never_sent_twice() {
    let (one, other) = (double("api-1"), double("api-2"));
    let (front_door, _folder) = open(&[], &[one.1, other.1]).await;
    for recorder in [&one.0, &other.0] {
        recorder.set_default(Answer::hang_up());
    }
    let response = http::client().unwrap().post(front_door.url()).body("once").send().await.unwrap();
    assert_eq!(response.status(), 502);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["code"], "bad_gateway");
    assert_eq!(one.0.count() + other.0.count(), 1);
}

#[tokio::test]
async fn no_request_fails_when_one_of_two_servers_leaves_in_order() {
    let (one, other) = (double("api-1"), double("api-2"));
    let (front_door, _folder) = open(&[], &[one.1, other.1]).await;
    let url = front_door.url();
    let load = tokio::spawn(async move {
        let client = http::client().unwrap();
        let mut answers = Vec::new();
        let mut ticks = tokio::time::interval(Duration::from_millis(3));
        for _ in 0..400 {
            ticks.tick().await;
            answers.push(client.get(&url).send().await.map_or(0, |response| response.status().as_u16()));
        }
        answers
    });
    // What a service does on SIGTERM: not ready, and gone only when the front door has noticed.
    one.0.set_page_answer("/ready", Answer::status(503));
    front_door.wait_until_server_is("api-1", false, DEADLINE).await.unwrap();
    drop(one.0);
    let answers = load.await.unwrap();
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
}
