//! The recorder that stands in for Slack.

use std::time::Duration;

use tocsin_testbed::doubles::{Answer, Recorder};
use tocsin_testbed::http;

const DEADLINE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_request_is_recorded_and_answered_like_slack_does() {
    let recorder = Recorder::start().unwrap();
    let response = http::client()
        .unwrap()
        .post(format!("{}?a=1", recorder.slack_webhook_url()))
        .header("X-Test", "yes")
        .body(r#"{"text":"hello"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(response.text().await.unwrap(), "ok");
    let request = recorder.wait_for(1, DEADLINE).await.unwrap().remove(0);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/slack?a=1"));
    assert_eq!(request.header("x-test"), Some("yes"));
    assert_eq!(request.json().unwrap()["text"], "hello");
}

#[tokio::test]
async fn scripted_answers_are_used_once_and_in_order() {
    let recorder = Recorder::start().unwrap();
    recorder.script([Answer::status(429).header("Retry-After", "1"), Answer::status(500).body("broken")]);
    let client = http::client().unwrap();
    let post = async || client.post(recorder.slack_webhook_url()).send().await.unwrap();
    let first = post().await;
    assert_eq!((first.status().as_u16(), &first.headers()["retry-after"]), (429, &"1".parse().unwrap()));
    assert_eq!(post().await.text().await.unwrap(), "broken");
    assert_eq!(post().await.status(), 200);
    assert_eq!(recorder.count(), 3);
}

#[tokio::test]
async fn a_connection_can_be_hung_up_after_the_request_was_read() {
    let recorder = Recorder::start().unwrap();
    recorder.script([Answer::hang_up()]);
    let client = http::client().unwrap();
    client.post(recorder.url()).body("x").send().await.unwrap_err();
    assert_eq!(recorder.requests()[0].body, b"x");
}

#[tokio::test]
async fn a_delay_is_kept_and_the_request_is_recorded_before_it() {
    let recorder = Recorder::start().unwrap();
    recorder.set_default(Answer::ok().delay(Duration::from_mins(1)));
    let url = recorder.url();
    let request = tokio::spawn(async move { http::client().unwrap().post(url).send().await });
    recorder.wait_for(1, DEADLINE).await.unwrap();
    assert!(!request.is_finished());
    request.abort();
}

#[tokio::test]
async fn a_page_is_served_and_not_recorded() {
    let recorder = Recorder::start().unwrap();
    recorder.set_page("/metrics", "up 1\n");
    let text = reqwest_text(&format!("{}/metrics", recorder.url())).await;
    assert_eq!((text.as_str(), recorder.count()), ("up 1\n", 0));
}

#[tokio::test]
async fn a_wait_that_fails_tells_what_came_instead() {
    let recorder = Recorder::start().unwrap();
    http::client().unwrap().post(recorder.url()).body("something else").send().await.unwrap();
    let wait = recorder.wait_for_request("a greeting", Duration::from_millis(50), |request| request.text() == "hello");
    let error = wait.await.unwrap_err().to_string();
    assert!(error.contains("a greeting") && error.contains("something else"), "{error}");
}

async fn reqwest_text(url: &str) -> String {
    http::client().unwrap().get(url).send().await.unwrap().text().await.unwrap()
}
