//! Parameters that cannot be meant.

use crate::api::{Api, READER, problem};

#[tokio::test]
async fn a_parameter_that_cannot_be_read_is_refused_by_name() {
    let api = Api::start().await;
    let long = format!("q={}", "x".repeat(201));
    for (path, query, name) in [
        ("incidents", "limit=0", "limit"),
        ("incidents", "limit=251", "limit"),
        ("incidents", "limit=-1", "limit"),
        ("incidents", "limit=many", "limit"),
        ("incidents", "limit=", "limit"),
        ("incidents", "limit=99999999999999999999", "limit"),
        ("incidents", "page=0", "page"),
        ("incidents", "page=first", "page"),
        ("incidents", "page=9223372036854775807", "page"),
        ("incidents", "page=202&limit=50", "page"),
        ("incidents", "cursor=%21", "cursor"),
        ("incidents", "cursor=AAAA", "cursor"),
        ("incidents", "cursor=", "cursor"),
        ("incidents", "cursor=NQ&page=2", "cursor"),
        ("incidents", "status=open", "status"),
        ("incidents", "status=resolved&status=open", "status"),
        ("incidents", "status=resolved,", "status"),
        ("incidents", "label=pod=~(", "label"),
        ("alerts", "source=", "source"),
        ("incidents", "severity=warning", "severity"),
        ("incidents", "label=team", "label"),
        ("incidents", "label==x", "label"),
        ("incidents", "created_after=yesterday", "created_after"),
        ("incidents", "created_before=2026-13-01T00:00:00Z", "created_before"),
        ("incidents", "q=a%00b", "q"),
        ("incidents", &long, "q"),
        ("incidents", "stauts=resolved", "stauts"),
        ("incidents", "source=generic", "source"),
        ("alerts", "status=triggered", "status"),
        ("alerts", "severity=high", "severity"),
        ("alerts", "cursor=NQ", "cursor"),
        ("alerts", "created_after=2026-01-01T00:00:00Z", "created_after"),
    ] {
        let response = api.get_as(READER, &format!("/api/v1/{path}?{query}")).await;
        let document = problem(response, 400, "invalid_parameter").await;
        let detail = document["detail"].as_str().unwrap();
        assert!(detail.starts_with(&format!("parameter {name}: ")), "{path}?{query}: {detail}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_refused_with_the_right_one() {
    let api = Api::start().await;
    for (path, allowed) in [
        ("/api/v1/incidents", "GET, HEAD, POST"),
        ("/api/v1/incidents/1", "GET, HEAD, PATCH"),
        ("/api/v1/incidents/1/timeline", "GET, HEAD"),
        ("/api/v1/incidents/1/acknowledge", "POST"),
        ("/api/v1/silences", "GET, HEAD, POST"),
        ("/api/v1/alerts", "GET, HEAD"),
    ] {
        let response = api.client.put(api.url(path)).bearer_auth(READER).send().await.unwrap();
        assert_eq!(response.headers()["allow"], allowed, "{path}");
        problem(response, 405, "method_not_allowed").await;
    }
}
