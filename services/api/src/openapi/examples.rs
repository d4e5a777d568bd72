//! Bodies as they look. A test compares them with the schemas, field by field.

use serde_json::{Value, json};

/// The id of whatever an example shows.
pub(crate) const ID: &str = "01990a3e-0000-7000-8000-000000000001";
const OTHER_ID: &str = "01990a3e-0000-7000-8000-000000000002";

pub(crate) fn incident() -> Value {
    json!({
        "id": ID,
        "incident_number": 12,
        "title": "DiskFull on db-1",
        "status": "acknowledged",
        "severity": "high",
        "summary": "The disk of db-1 is full in 4 hours.",
        "group_key": "{}:{alertname=\"DiskFull\"}",
        "labels": {"alertname": "DiskFull", "team": "db"},
        "alert_count": 2,
        "firing_count": 1,
        "created_at": "2026-03-02T10:00:00.25Z",
        "triggered_at": "2026-03-02T10:00:00Z",
        "acknowledged_at": "2026-03-02T10:03:00Z",
        "acknowledged_by": "Ann via dashboard",
        "resolved_at": null,
        "updated_at": "2026-03-02T10:03:00Z",
        "version": 3,
    })
}

pub(crate) fn incident_detail() -> Value {
    let mut detail = incident();
    detail["alerts"] = json!([alert()]);
    detail["timeline"] = json!([timeline()]);
    detail
}

pub(crate) fn timeline() -> Value {
    json!({
        "id": 41,
        "timestamp": "2026-03-02T10:03:00Z",
        "type": "incident_acknowledged",
        "actor_type": "token",
        "actor_id": "dashboard",
        "actor_name": "Ann via dashboard",
        "content": "Ann via dashboard has taken the incident.",
    })
}

pub(crate) fn alert() -> Value {
    json!({
        "id": OTHER_ID,
        "external_id": null,
        "source": "prometheus",
        "fingerprint": "3b4314a9553d4d86",
        "status": "firing",
        "severity": "warning",
        "title": "DiskFull on db-1",
        "description": "The disk of db-1 is full in 4 hours.",
        "labels": {"alertname": "DiskFull", "host": "db-1", "team": "db"},
        "annotations": {"runbook": "https://wiki.example/disk"},
        "incident_id": ID,
        "started_at": "2026-03-02T09:59:30Z",
        "ended_at": null,
        "received_at": "2026-03-02T10:00:00Z",
        "last_seen_at": "2026-03-02T10:05:00Z",
        "occurrences": 6,
    })
}

pub(crate) fn decision() -> Value {
    json!({
        "event_id": OTHER_ID,
        "received_at": "2026-03-02T10:00:00Z",
        "applied_at": "2026-03-02T10:00:00.02Z",
        "alert_id": OTHER_ID,
        "incident_id": ID,
        "outcome": "opened",
        "routes": ["{}"],
        "group_key": "{}:{alertname=\"DiskFull\"}",
        "suppressed_by": null,
        "notices": [{"receiver": "ops", "kind": "triggered"}],
        "event": {"status": "firing", "title": "DiskFull on db-1", "severity": "warning"},
    })
}

pub(crate) fn silence() -> Value {
    json!({
        "id": ID,
        "status": "active",
        "matchers": ["alertname=\"DiskFull\"", "host=~\"db-.*\""],
        "starts_at": "2026-03-02T10:00:00Z",
        "ends_at": "2026-03-04T10:00:00Z",
        "recurrence": null,
        "author": "Ann via dashboard",
        "comment": "moving the data",
        "created_at": "2026-03-02T10:00:00Z",
    })
}

pub(crate) fn new_silence() -> Value {
    json!({
        "matchers": ["alertname=\"DiskFull\"", "host=~\"db-.*\""],
        "starts_at": "2100-03-02T10:00:00Z",
        "ends_at": "2100-03-30T10:00:00Z",
        "recurrence": {"days": ["sat", "sun"], "from": "22:00", "to": "06:00", "zone": "Europe/Berlin"},
        "comment": "moving the data",
    })
}

pub(crate) fn declaration() -> Value {
    json!({
        "title": "The site is slow",
        "summary": "Customers call.",
        "severity": "medium",
        "labels": {"team": "web"},
    })
}

pub(crate) fn notification() -> Value {
    json!({
        "id": OTHER_ID,
        "incident_id": ID,
        "receiver": "ops",
        "revision": 1,
        "kind": "triggered",
        "status": "delivered",
        "reason": null,
        "attempts": 1,
        "created_at": "2026-03-02T10:00:00Z",
        "next_attempt_at": null,
        "finished_at": "2026-03-02T10:00:00.4Z",
        "redriven_at": null,
        "instead_of": null,
        "because": null,
    })
}

pub(crate) fn notification_detail() -> Value {
    let mut detail = notification();
    detail["deliveries"] = json!([
        {"attempt": 1, "at": "2026-03-02T10:00:00.4Z", "latency_ms": 180, "http_status": 200, "answer": "ok"},
    ]);
    detail
}

pub(crate) fn dead_letter() -> Value {
    json!({
        "id": 7,
        "stream": "events",
        "entry_id": "1772445600000-0",
        "reason": "envelope version \"9\" is not supported",
        "fields": {"v": "9"},
        "created_at": "2026-03-02T10:00:00Z",
    })
}

pub(crate) fn session() -> Value {
    json!({"name": "ops", "scopes": ["read", "respond"], "expires_at": "2026-03-02T22:00:00Z"})
}

pub(crate) fn system() -> Value {
    json!({
        "services": [{
            "service": "ingest",
            "instance": "ingest-1",
            "version": "0.1.0",
            "started_at": "2026-03-02T08:00:00Z",
            "seen_at": "2026-03-02T10:00:01Z",
            "ready": true,
            "rates": {"requests_per_s": 12.5},
        }],
        "streams": [{"name": "events", "length": 3, "pending": 2, "lag": 1, "oldest_s": 0.2}],
        "inbox": {"length": 0},
        "receivers": [{
            "name": "ops",
            "kind": "slack",
            "pending": 0,
            "oldest_pending_s": 0.0,
            "delivered_1h": 31,
            "dead_1h": 0,
            "state": "ok",
            "last_error": null,
        }],
        "incidents": {"triggered": 1, "acknowledged": 2},
        "alerts": {"firing": 5},
        "dead_letters": 0,
        "dead_notifications": 0,
        "missing": [],
    })
}

pub(crate) fn done(count: Option<usize>) -> Value {
    let mut done = json!({"command_id": ID, "status": "done", "changed": true});
    if let Some(count) = count {
        done["count"] = count.into();
    }
    done
}

/// A client that has come for the first time, and what then happens.
pub(crate) fn events() -> String {
    format!("retry: 1000\nid: 1772445600000-0\n\nid: 1772445780000-0\nevent: incident\ndata: {}\n\n", incident())
}
