//! What surrounds every request.

use tocsin_service::health::Readiness;
use tocsin_service::http::{HttpMetrics, ServeError, serve};
use tocsin_service::shutdown::Shutdown;

use crate::server::{METRICS, Server, config};

#[tokio::test]
async fn requests_are_measured_by_route_pattern_and_never_by_path() {
    // Of its own, because the recorder belongs to the whole process.
    const OWN: HttpMetrics = HttpMetrics {
        requests: "tocsin_measured_http_requests_total",
        duration: "tocsin_measured_http_request_duration_seconds",
    };
    let shutdown = Shutdown::default();
    let server = Server::start_with(OWN, Readiness::builder(&shutdown).build(), shutdown).await;
    for path in ["/things/1", "/things/2", "/nowhere/secret-1", "/nowhere/secret-2", "/nowhere/secret-3"] {
        server.get(path).await;
    }
    server.client.delete(server.url("/things/1")).send().await.unwrap();
    let odd = reqwest::Method::from_bytes(b"BREW").unwrap();
    server.client.request(odd, server.url("/things/1")).send().await.unwrap();

    let response = server.get("/metrics").await;
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let page = response.text().await.unwrap();
    for line in [
        r#"tocsin_measured_http_requests_total{route="/things/{id}",method="GET",status="200"} 2"#,
        r#"tocsin_measured_http_requests_total{route="/things/{id}",method="DELETE",status="405"} 1"#,
        r#"tocsin_measured_http_requests_total{route="/things/{id}",method="other",status="405"} 1"#,
        r#"tocsin_measured_http_requests_total{route="unmatched",method="GET",status="404"} 3"#,
        r#"tocsin_measured_http_request_duration_seconds_count{route="/things/{id}",method="GET"} 2"#,
        r#"tocsin_measured_http_request_duration_seconds_bucket{route="/things/{id}",method="GET",le="+Inf"} 2"#,
        "# TYPE tocsin_measured_http_requests_total counter",
        "# HELP tocsin_measured_http_requests_total HTTP requests answered, by route, method and status",
    ] {
        assert!(page.lines().any(|seen| seen == line), "{line} is not on the page:\n{page}");
    }
    assert!(!page.contains("secret") && !page.contains("BREW"), "{page}");
}

#[tokio::test]
async fn a_reasonable_request_id_is_kept_and_any_other_is_replaced() {
    let server = Server::start().await;
    let echoed = async |id: &[u8]| {
        let given = reqwest::header::HeaderValue::from_bytes(id).unwrap();
        let response = server.client.get(server.url("/things/1")).header("X-Request-Id", given).send().await.unwrap();
        response.headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    let longest = "a".repeat(128);
    for id in ["6f0b4f0e-9d55-5b1c-8c3a-7e2100000000", "A.b:c_d-9", "x", &longest] {
        assert_eq!(echoed(id.as_bytes()).await, id);
    }
    let too_long = "a".repeat(129);
    let odd: [&[u8]; 6] = [b"", b"a b", b"a\"b", b"<script>", b"caf\xc3\xa9", too_long.as_bytes()];
    for id in odd {
        let made = echoed(id).await;
        assert_eq!(uuid::Uuid::parse_str(&made).unwrap().get_version_num(), 7, "{made} for {id:?}");
    }
}

#[tokio::test]
async fn every_request_without_an_id_gets_one_of_its_own() {
    let server = Server::start().await;
    let (one, other) = (server.get("/things/1").await, server.get("/things/1").await);
    assert_ne!(one.headers()["x-request-id"], other.headers()["x-request-id"]);
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_its_variable() {
    let server = Server::start().await;
    let address = server.url("").trim_start_matches("http://").parse::<std::net::SocketAddr>().unwrap();
    let shutdown = Shutdown::default();
    let readiness = Readiness::builder(&shutdown).build();
    let error = serve(&config(address.port()), METRICS, readiness, shutdown, |_| {}).await.unwrap_err();
    assert!(matches!(error, ServeError::Bind { address: named, .. } if named == address), "{error:?}");
    assert_eq!(error.to_string(), format!("cannot listen on {address} (TOCSIN_LISTEN)"));
}
