//! No token, session or key is in a log, at whatever level, of whatever process, however a request fails.

use reqwest::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::system::{System, alert};

const READER: &str = "reader-s3cret-1f0c9a6e";
const ADMIN: &str = "admin-s3cret-77ab02d1";
const STRANGER: &str = "stranger-s3cret-94d8e3";
const KEY: &str = "key-s3cret-0123456789abcdef01234";
const OTHER_KEY: &str = "other-s3cret-6789abcdef0123456789";
const SESSION_SECRET: &str = "session-s3cret-0123456789abcdef0123456789";

fn config() -> String {
    let sha256 = |secret: &str| hex::encode(Sha256::digest(secret));
    format!(
        "receivers: [{{name: nobody, silent: true}}]\nroute: {{receiver: nobody}}\n\
         integrations: [{{name: vendor, keys: [{{sha256: {key}}}]}}]\n\
         api:\n  session_secret_env: TOCSIN_TEST_SESSION_SECRET\n  tokens:\n  \
         - {{name: reader, scopes: [read], sha256: {reader}}}\n  - {{name: admin, scopes: [admin], sha256: {admin}}}\n",
        key = sha256(KEY),
        reader = sha256(READER),
        admin = sha256(ADMIN),
    )
}

#[tokio::test]
async fn a_secret_is_never_in_a_log() {
    let system = System::start(|builder| {
        builder.config_text(config()).env("TOCSIN_LOG", "trace").env("TOCSIN_TEST_SESSION_SECRET", SESSION_SECRET)
    })
    .await;
    let url = |path: &str| format!("{}{path}", system.topology.url());
    let mut statuses = std::collections::BTreeSet::new();
    let mut send = async |request: reqwest::RequestBuilder| {
        let response = request.send().await.unwrap();
        statuses.insert(response.status().as_u16());
        response
    };

    for token in [READER, ADMIN, STRANGER] {
        for (method, path) in [
            (Method::GET, "/api/v1/incidents"),
            (Method::GET, "/api/v1/incidents/999"),
            (Method::GET, "/api/v1/incidents?limit=0"),
            (Method::PUT, "/api/v1/incidents"),
            (Method::POST, "/api/v1/incidents"),
            (Method::POST, "/api/v1/notifications/redrive"),
            (Method::GET, "/api/v1/nothing"),
        ] {
            send(system.client.request(method.clone(), url(path)).bearer_auth(token).body("{")).await;
            send(system.client.request(method, url(path)).basic_auth(token, Some(token))).await;
        }
        for body in [json!({"token": token}), json!({"token": [token]}), json!({token: token}), json!(token)] {
            let request = system.client.post(url("/api/v1/session")).header("X-Tocsin-Client", "test");
            let answer = send(request.json(&body)).await;
            if let Some(cookie) = answer.headers().get("set-cookie") {
                let cookie = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
                for path in ["/api/v1/incidents", "/api/v1/incidents/1/acknowledge"] {
                    send(system.client.post(url(path)).header("Cookie", &cookie)).await;
                    send(system.client.get(url(path)).header("Cookie", format!("{cookie}x"))).await;
                }
            }
        }
    }
    for key in [KEY, OTHER_KEY] {
        for source in ["generic", "prometheus", "datadog", "nagios"] {
            for body in [alert("Down", "firing"), json!({"alerts": 1})] {
                send(system.client.post(url(&format!("/api/v1/webhooks/{source}/{key}"))).json(&body)).await;
                send(system.client.post(url(&format!("/api/v1/webhooks/{source}"))).bearer_auth(key).json(&body)).await;
            }
        }
        send(system.client.post(url("/api/v2/alerts")).basic_auth("prometheus", Some(key)).json(&json!([{}]))).await;
        let event = json!({"routing_key": key, "event_action": "trigger", "payload": {"summary": "s"}});
        send(system.client.post(url("/v2/enqueue")).json(&event)).await;
    }
    for status in [200, 400, 401, 403, 404, 405] {
        assert!(statuses.contains(&status), "{status}: {statuses:?}");
    }
    system.wait_until_drained().await;

    let mut lines = 0;
    for process in system.topology.processes() {
        let log = std::fs::read_to_string(process.log_file()).unwrap();
        lines += log.lines().count();
        for secret in ["s3cret", "tocsin_session="] {
            let told = log.lines().find(|line| line.contains(secret));
            assert!(told.is_none(), "{} has told {secret}: {told:?}", process.name());
        }
    }
    assert!(lines > 20, "{lines}");
    system.topology.stop().await.unwrap();
}
