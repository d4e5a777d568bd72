//! What people who look after Tocsin see.

use serde_json::{Value, json};
use tocsin_shared::AlertStatus;
use tocsin_testbed::poll;
use tocsin_testbed::topology::TopologyBuilder;

use crate::api::{Api, DEADLINE, READER, alone, delivery, document, problem};

const LEDGER: &str = "\
INSERT INTO notifications (id, incident_id, receiver, revision, kind, status, reason, trace, attempts, created_at, finished_at, \
    next_attempt_at) \
SELECT x.id::uuid, incidents.id, receiver, revision, 'triggered', x.status, reason, '', attempts, now() - interval '90 s', \
    CASE WHEN x.status = 'pending' THEN NULL ELSE now() END, now() - interval '1 s' \
FROM incidents, (VALUES \
    ('ffffffff-0000-7000-8000-000000000001', 'mail', 1, 'delivered', NULL, 1), \
    ('ffffffff-0000-7000-8000-000000000002', 'ops', 1, 'dead', 'no such channel', 3), \
    ('ffffffff-0000-7000-8000-000000000003', 'late', 1, 'pending', NULL, 2), \
    ('ffffffff-0000-7000-8000-000000000004', 'old', 1, 'delivered', NULL, 1)) \
    AS x (id, receiver, revision, status, reason, attempts) \
WHERE number = 1";
const ATTEMPT: &str = "\
INSERT INTO deliveries (notification_id, attempt, latency_ms, http_status, answer) \
VALUES ('ffffffff-0000-7000-8000-000000000003', 2, 12, 503, 'over capacity')";
const GONE: &str = "INSERT INTO receivers_gone (receiver, destination, reason) VALUES ('old', 'd', '410 Gone')";

#[tokio::test]
async fn each_service_stream_and_receiver_is_told_of_in_numbers() {
    let yaml = format!("{}receivers: [{{name: nobody, silent: true}}]\n", document(&[(READER, "read")]));
    let api = Api::start_as(|topology| topology.config_text(yaml)).await;
    api.apply(&alone(2)).await;
    api.apply(&[delivery("group-02", "one", AlertStatus::Resolved, 2)]).await;
    for statement in [LEDGER, ATTEMPT, GONE] {
        api.topology.tenant().sql(statement).await.unwrap();
    }
    let system = poll::until("the api to have said how it is", DEADLINE, async || {
        let system = api.read("/api/v1/system").await;
        let says = system["services"][0]["rates"]["requests_per_s"].is_number();
        if says { Ok(system) } else { Err(system) }
    });
    let system = system.await.unwrap();
    let service = &system["services"][0];
    assert_eq!(
        (&service["service"], &service["instance"], &service["ready"]),
        (&json!("api"), &json!("api-1"), &json!(true))
    );
    let streams: Vec<&Value> = system["streams"].as_array().unwrap().iter().map(|stream| &stream["name"]).collect();
    assert_eq!(streams, ["events", "commands", "notifications"]);
    assert_eq!((&system["inbox"], &system["missing"]), (&json!({"length": 0}), &json!([])));
    assert_eq!(system["incidents"], json!({"triggered": 1, "acknowledged": 0}));
    assert_eq!((&system["alerts"], &system["dead_notifications"]), (&json!({"firing": 1}), &json!(1)));
    let receivers = system["receivers"].as_array().unwrap();
    let told: Vec<Value> = receivers
        .iter()
        .map(|receiver| json!([receiver["name"], receiver["kind"], receiver["state"], receiver["last_error"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!(["late", "unconfigured", "failing", "over capacity"]),
            json!(["mail", "unconfigured", "ok", null]),
            json!(["nobody", "silent", "ok", null]),
            json!(["old", "unconfigured", "gone", "410 Gone"]),
            json!(["ops", "unconfigured", "failing", "no such channel"]),
        ]
    );
    assert_eq!(
        (&receivers[0]["pending"], &receivers[1]["delivered_1h"], &receivers[4]["dead_1h"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert!(receivers[0]["oldest_pending_s"].as_f64().unwrap() >= 90.0);
    insta::assert_json_snapshot!(steady(system));
}

/// Without what differs from run to run: times, versions, rates and ages.
fn steady(mut system: Value) -> Value {
    let service = &mut system["services"][0];
    for name in ["started_at", "seen_at"] {
        assert!(service[name].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().is_ok(), "{service}");
        service[name] = json!("[time]");
    }
    service["version"] = json!("[version]");
    for rate in service["rates"].as_object_mut().unwrap().values_mut() {
        assert!(rate.as_f64().is_some_and(|rate| rate >= 0.0), "{rate}");
        *rate = json!("[rate]");
    }
    system["receivers"][0]["oldest_pending_s"] = json!("[age]");
    system
}

#[tokio::test]
async fn without_redis_it_is_what_postgres_knows() {
    let api = Api::start_as(TopologyBuilder::own_stores).await;
    api.apply(&alone(1)).await;
    api.topology.stores().unwrap().redis().process().stop().await.unwrap();
    let system = api.read("/api/v1/system").await;
    assert_eq!(system["missing"], json!(["redis"]));
    assert_eq!((&system["services"], &system["streams"]), (&json!([]), &json!([])));
    assert_eq!(system["incidents"]["triggered"], 1);
    problem(api.client.get(api.url("/api/v1/system")).send().await.unwrap(), 401, "missing_token").await;
}
