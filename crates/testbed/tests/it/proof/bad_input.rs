//! What nobody should send is refused with a reason, and does no harm.

use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use tocsin_testbed::Process;

use super::system::System;

/// Memory that a service may gain by being sent rubbish, in KiB: what its allocator keeps, not what it leaks.
const MAX_GROWTH_KIB: u64 = 16 * 1024;

const ONE_ALERT: &str = r#"{"alerts":[{"status":"firing","labels":{"alertname":"Fine"}}]}"#;

struct Case {
    what: &'static str,
    request: fn(&System, &str) -> RequestBuilder,
    status: u16,
    code: &'static str,
}

fn webhook(system: &System, base: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    let url = format!("{base}/api/v1/webhooks/prometheus");
    system.client.post(url).header("Content-Type", "application/json").body(body)
}

fn read(system: &System, base: &str, path: &str) -> RequestBuilder {
    system.client.get(format!("{base}{path}")).bearer_auth(system.topology.token())
}

const CASES: &[Case] = &[
    Case { what: "no body", request: |s, b| webhook(s, b, ""), status: 400, code: "empty_body" },
    Case { what: "not JSON", request: |s, b| webhook(s, b, "alert!"), status: 400, code: "invalid_json" },
    Case {
        what: "half a document",
        request: |s, b| webhook(s, b, r#"{"alerts":[{"#),
        status: 400,
        code: "invalid_json",
    },
    Case {
        what: "wrong types",
        request: |s, b| webhook(s, b, r#"{"alerts":"many"}"#),
        status: 400,
        code: "invalid_payload",
    },
    Case { what: "no alerts", request: |s, b| webhook(s, b, r#"{"alerts":[]}"#), status: 400, code: "invalid_payload" },
    Case {
        what: "10 MB",
        request: |s, b| webhook(s, b, "x".repeat(10_000_000)),
        status: 413,
        code: "payload_too_large",
    },
    Case {
        what: "100,000 nested arrays",
        request: |s, b| webhook(s, b, format!(r#"{{"x":{}"#, "[".repeat(100_000))),
        status: 400,
        code: "invalid_json",
    },
    Case {
        what: "invalid UTF-8",
        request: |s, b| {
            webhook(s, b, b"{\"alerts\":[{\"status\":\"firing\",\"labels\":{\"a\":\"\xff\xfe\"}}]}".to_vec())
        },
        status: 400,
        code: "invalid_json",
    },
    Case {
        what: "not declared as JSON",
        request: |s, b| {
            s.client.post(format!("{b}/api/v1/webhooks/generic")).header("Content-Type", "text/plain").body("{}")
        },
        status: 415,
        code: "unsupported_media_type",
    },
    Case {
        what: "an unknown source",
        request: |s, b| s.client.post(format!("{b}/api/v1/webhooks/nagios")).json(&Value::Null),
        status: 404,
        code: "unknown_source",
    },
    Case {
        what: "a webhook by GET",
        request: |s, b| s.client.get(format!("{b}/api/v1/webhooks/generic")),
        status: 405,
        code: "method_not_allowed",
    },
    Case {
        what: "a delivery id that is none",
        request: |s, b| webhook(s, b, ONE_ALERT).header("Idempotency-Key", "x".repeat(300)),
        status: 400,
        code: "bad_request",
    },
];

const API_CASES: &[Case] = &[
    Case {
        what: "no token",
        request: |s, b| s.client.get(format!("{b}/api/v1/incidents")),
        status: 401,
        code: "missing_token",
    },
    Case {
        what: "a wrong token",
        request: |s, b| s.client.get(format!("{b}/api/v1/incidents")).bearer_auth("guess"),
        status: 401,
        code: "invalid_token",
    },
    Case {
        what: "another scheme",
        request: |s, b| s.client.get(format!("{b}/api/v1/alerts")).basic_auth("a", Some("b")),
        status: 401,
        code: "invalid_token",
    },
    Case {
        what: "an unknown incident",
        request: |s, b| read(s, b, "/api/v1/incidents/01890000-0000-7000-8000-000000000000"),
        status: 404,
        code: "not_found",
    },
    Case {
        what: "an unknown number",
        request: |s, b| read(s, b, "/api/v1/incidents/999999"),
        status: 404,
        code: "not_found",
    },
    Case {
        what: "an id that is none",
        request: |s, b| read(s, b, "/api/v1/incidents/%00%ff"),
        status: 404,
        code: "not_found",
    },
    Case {
        what: "an unknown alert",
        request: |s, b| read(s, b, "/api/v1/alerts/01890000-0000-7000-8000-000000000000"),
        status: 404,
        code: "not_found",
    },
    Case { what: "an unknown address", request: |s, b| read(s, b, "/api/v1/nothing"), status: 404, code: "not_found" },
    Case {
        what: "an unknown parameter",
        request: |s, b| read(s, b, "/api/v1/incidents?colour=red"),
        status: 400,
        code: "invalid_parameter",
    },
    Case {
        what: "a limit out of bounds",
        request: |s, b| read(s, b, "/api/v1/alerts?limit=100000"),
        status: 400,
        code: "invalid_parameter",
    },
    Case {
        what: "a forged cursor",
        request: |s, b| read(s, b, "/api/v1/alerts?cursor=AAAA"),
        status: 400,
        code: "invalid_parameter",
    },
    Case {
        what: "a method that is none",
        request: |s, b| s.client.request(Method::DELETE, format!("{b}/api/v1/alerts")),
        status: 405,
        code: "method_not_allowed",
    },
];

#[tokio::test]
async fn every_bad_request_gets_its_reason_and_does_no_harm() {
    let system = System::start(|builder| builder).await;
    let front_door = system.topology.url();
    let services = ["ingest-1", "api-1"].map(|name| system.topology.process(name).unwrap());

    for (cases, name) in [(CASES, "ingest-1"), (API_CASES, "api-1")] {
        for base in [front_door.clone(), system.topology.service_url(name).unwrap()] {
            for case in cases {
                assert_refused(case, (case.request)(&system, &base).send().await.unwrap()).await;
            }
        }
    }

    // Once more in numbers, now that every buffer that stays has been allocated.
    let before = services.map(resident_kib);
    for _ in 0..20 {
        for case in CASES.iter().chain(API_CASES) {
            let response = (case.request)(&system, &front_door).send().await.unwrap();
            assert_eq!(response.status(), case.status, "{}", case.what);
        }
    }
    for (process, before) in services.into_iter().zip(before) {
        let growth = resident_kib(process).saturating_sub(before);
        assert!(growth < MAX_GROWTH_KIB, "{} has grown by {growth} KiB from {before}", process.name());
    }

    for process in system.topology.processes() {
        let log = std::fs::read_to_string(process.log_file()).unwrap();
        assert!(!log.contains("panicked"), "{} panicked:\n{}", process.name(), process.log_tail(30));
    }
    system.wait_until_drained().await;
    assert_eq!(system.count("SELECT count(*) FROM event_ids").await, 0, "nothing of it was accepted");
    system.topology.stop().await.unwrap();
}

async fn assert_refused(case: &Case, response: Response) {
    let what = case.what;
    assert_eq!(response.status(), case.status, "{what}");
    assert_eq!(response.headers()["content-type"], "application/problem+json", "{what}");
    let request_id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["code"], case.code, "{what}: {problem}");
    assert_eq!(problem["status"], case.status, "{what}");
    assert_eq!(problem["request_id"], request_id.as_str(), "{what}");
    assert_eq!(problem["error"]["code"], case.code, "{what}");
    assert_eq!(problem["error"]["request_id"], request_id.as_str(), "{what}");
    for member in ["type", "title"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{what}: {member}");
    }
}

fn resident_kib(process: &Process) -> u64 {
    process.memory().unwrap().resident_kib
}
