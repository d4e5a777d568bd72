//! Refusals: each a problem document, whoever made it.

use reqwest::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use serde_json::{Value, json};
use tocsin_service::http::MAX_BODY_BYTES;

use crate::server::Server;

/// The document of a refusal, after its head and its invariants were found right.
async fn problem(response: reqwest::Response, status: u16, code: &str) -> Value {
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let document: Value = response.json().await.unwrap();
    assert_eq!(document["request_id"], id.as_str());
    assert_is_problem(&document, status, code);
    document
}

fn assert_is_problem(document: &Value, status: u16, code: &str) {
    assert_eq!(document["code"], code, "{document}");
    assert_eq!(document["type"], format!("urn:tocsin:problem:{code}"));
    assert_eq!(document["status"], status);
    assert!(document["title"].as_str().is_some_and(|title| !title.is_empty()), "{document}");
    assert_eq!(document["error"]["code"], document["code"]);
    assert_eq!(document["error"]["request_id"], document["request_id"]);
    assert_eq!(document["error"]["details"], document["detail"]);
    assert!(document["error"]["message"].is_string(), "{document}");
}

#[tokio::test]
async fn a_handlers_refusal_is_written_whole() {
    let server = Server::start().await;
    let response = server.client.get(server.url("/refused")).header("X-Request-Id", "mine").send().await.unwrap();
    assert_eq!(response.headers()[RETRY_AFTER], "7");
    let document = problem(response, 503, "not_durable").await;
    let expected = json!({
        "type": "urn:tocsin:problem:not_durable",
        "title": "No store could make this durable; send it again",
        "status": 503,
        "detail": "the log is full",
        "code": "not_durable",
        "request_id": "mine",
        "error": {
            "code": "not_durable",
            "message": "the log is full",
            "details": "the log is full",
            "request_id": "mine",
        },
    });
    assert_eq!(document, expected);
}

#[tokio::test]
async fn an_unknown_path_is_not_found_whatever_the_method() {
    let server = Server::start().await;
    problem(server.get("/nowhere").await, 404, "not_found").await;
    problem(server.client.post(server.url("/nowhere")).body("x").send().await.unwrap(), 404, "not_found").await;
    problem(server.get("/numbers/not-a-number").await, 404, "not_found").await;
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let server = Server::start().await;
    for (path, allowed) in [("/health", "GET, HEAD"), ("/things/1", "GET")] {
        let response = server.client.put(server.url(path)).send().await.unwrap();
        assert_eq!(response.headers()[ALLOW], allowed, "{path}");
        problem(response, 405, "method_not_allowed").await;
    }
    let response = server.get("/bytes").await;
    assert_eq!(response.headers()[ALLOW], "POST");
    problem(response, 405, "method_not_allowed").await;
}

#[tokio::test]
async fn what_cannot_be_read_is_the_clients_fault() {
    let server = Server::start().await;
    let post = async |content_type: &'static str, body: &'static str| {
        server.client.post(server.url("/json")).header(CONTENT_TYPE, content_type).body(body).send().await.unwrap()
    };
    let document = problem(post("application/json", "{").await, 400, "bad_request").await;
    assert!(document["detail"].is_string(), "says what is wrong: {document}");
    problem(post("application/json", r#""a word""#).await, 400, "bad_request").await;
    assert_eq!(post("application/json", "7").await.status(), 200);
}

#[tokio::test]
async fn a_failure_of_ours_tells_the_client_nothing_of_its_cause() {
    let server = Server::start().await;
    let document = problem(server.get("/failed").await, 500, "internal").await;
    assert!(!document.to_string().contains("hunter2"), "{document}");
    problem(server.get("/bare").await, 500, "internal").await;
}

#[tokio::test]
async fn a_body_of_the_bound_is_taken_and_a_longer_one_is_not() {
    let server = Server::start().await;
    let largest = vec![b'x'; MAX_BODY_BYTES];
    let response = server.client.post(server.url("/bytes")).body(largest).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), MAX_BODY_BYTES.to_string());

    // By its announced length alone: nothing of the body need come.
    let announced = format!(
        "POST /bytes HTTP/1.1\r\nHost: tocsin\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        MAX_BODY_BYTES + 1
    );
    let (status, body) = server.send_raw(announced.into_bytes()).await;
    assert_is_problem(&serde_json::from_str(&body).unwrap(), status, "payload_too_large");
    assert_eq!(status, 413);
}

#[tokio::test]
async fn a_body_that_does_not_say_how_long_it_is_is_cut_off_at_the_bound() {
    let server = Server::start().await;
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000));
    let head = "POST /bytes HTTP/1.1\r\nHost: tocsin\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let within = [head, &chunk.repeat(MAX_BODY_BYTES / 0x1_0000), "0\r\n\r\n"].concat();
    assert_eq!(server.send_raw(within.into_bytes()).await, (200, MAX_BODY_BYTES.to_string()));
    let beyond = [head, &chunk.repeat(MAX_BODY_BYTES / 0x1_0000), "1\r\nx\r\n0\r\n\r\n"].concat();
    let (status, body) = server.send_raw(beyond.into_bytes()).await;
    assert_is_problem(&serde_json::from_str(&body).unwrap(), status, "payload_too_large");
    assert_eq!(status, 413);
}
