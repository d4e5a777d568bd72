//! Traces: from a sender's header to the collector and into the envelope.

use serde_json::json;
use tocsin_testbed::doubles::Recorder;
use tocsin_testbed::{Service, Topology, http, poll};

use crate::server::DEADLINE;

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT_ID: &str = "b7ad6b7169203331";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test]
async fn a_senders_trace_goes_on_in_the_exported_span_and_in_the_envelope() {
    let collector = Recorder::start().unwrap();
    let topology = Topology::builder()
        .count(Service::Worker, 0)
        .count(Service::Notifier, 0)
        .count(Service::Api, 0)
        .env("TOCSIN_OTLP_ENDPOINT", format!("{}/v1/traces", collector.url()))
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
        .start()
        .await
        .unwrap();
    let client = http::client().unwrap();
    let ready = format!("{}/ready", topology.service_url("ingest-1").unwrap());
    // Until Redis is known to be there, deliveries go to the inbox.
    poll::until("ingest to know Redis", DEADLINE, async || {
        let body = client.get(&ready).send().await.unwrap().text().await.unwrap();
        poll::expect(body, |body| body.contains(r#""redis":"ok""#))
    })
    .await
    .unwrap();
    let response = client
        .post(format!("{}/api/v1/webhooks/generic", topology.url()))
        .header("traceparent", format!("00-{TRACE_ID}-{PARENT_ID}-01"))
        .json(&json!({"title": "Traced", "status": "firing"}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);

    let what = "a span of the sender's trace";
    let trace_id = bytes(TRACE_ID);
    let export = collector.wait_for_request(what, DEADLINE, |request| contains(&request.body, &trace_id));
    let export = export.await.unwrap();
    assert_eq!((export.method.as_str(), export.path.as_str()), ("POST", "/v1/traces"));
    assert_eq!(export.header("content-type"), Some("application/x-protobuf"));
    assert!(contains(&export.body, &bytes(PARENT_ID)), "the span has the sender's as its parent");
    assert!(contains(&export.body, b"webhook"), "{}", export.text());

    let key = format!("{}:v1:{{0}}:events", topology.tenant().redis_prefix());
    let entry = topology.tenant().redis(["XRANGE", &key, "-", "+"]).await.unwrap();
    let mut fields = entry.lines().skip_while(|line| *line != "traceparent");
    let traceparent = fields.nth(1).unwrap_or_else(|| panic!("no traceparent in {entry}"));
    let [version, trace, span, flags] = traceparent.split('-').collect::<Vec<_>>()[..] else { panic!("{traceparent}") };
    assert_eq!((version, trace, flags), ("00", TRACE_ID, "01"));
    assert_ne!(span, PARENT_ID, "what follows is a child of our span, not of the sender's");
    assert!(contains(&export.body, &bytes(span)), "our span is the one that was exported");
}
