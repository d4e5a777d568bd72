//! What cannot be applied is kept with its reason, and stops nothing else.

use serde_json::json;

use super::system::{System, alert};

#[tokio::test]
async fn entries_that_cannot_be_applied_are_kept_and_the_rest_goes_on() {
    let system = System::start(|builder| builder).await;
    let tenant = system.topology.tenant();
    let key = format!("{}:v1:{{0}}:events", tenant.redis_prefix());
    // Ingest lets nothing of the kind pass; an older or broken writer might.
    let body = |label: &str| {
        json!({"alerts": [{
            "fingerprint": "0123456789abcdef", "status": "firing", "severity": "critical", "title": "Poison",
            "labels": {"alertname": label}, "started_at": "2026-01-01T00:00:00Z", "event_at": "2026-01-01T00:00:00Z",
        }]})
        .to_string()
    };
    let entry = |version: &str, id: &str, body: String| {
        ["XADD", &key, "*", "v", version, "id", id, "received_at", "2026-01-01T00:00:00Z", "source", "generic"]
            .into_iter()
            .map(str::to_owned)
            .chain(["integration".to_owned(), "default".to_owned(), "body".to_owned(), body])
            .collect::<Vec<_>>()
    };
    let id = |last: u8| format!("01890000-0000-7000-8000-0000000000{last:02}");
    system.topology.process("worker-1").unwrap().stop().await.unwrap();
    tenant.redis(entry("1", &id(1), body("Good"))).await.unwrap();
    tenant.redis(entry("99", &id(2), body("From the future"))).await.unwrap();
    tenant.redis(entry("1", &id(3), "not JSON".to_owned())).await.unwrap();
    // Readable, but nothing that Postgres could hold.
    tenant.redis(entry("1", &id(4), body("NUL \0 inside"))).await.unwrap();
    system.send(&alert("Behind them", "firing"), "behind").await.unwrap();
    system.topology.process("worker-1").unwrap().start().await.unwrap();

    system.wait_until_drained().await;
    let titles = tenant.sql("SELECT title FROM alerts ORDER BY title").await.unwrap();
    assert_eq!(titles, [["Behind them"], ["Poison"]]);
    let reasons = tenant.sql("SELECT fields->>'id', reason FROM dead_letters ORDER BY 1").await.unwrap();
    let ids: Vec<&str> = reasons.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(ids, [id(2), id(3), id(4)]);
    assert!(reasons[0][1].contains("version \"99\""), "{reasons:?}");
    assert!(reasons[1][1].contains("`body`"), "{reasons:?}");
    assert!(reasons[2][1].contains("Postgres"), "{reasons:?}");
    system.topology.stop().await.unwrap();
}
