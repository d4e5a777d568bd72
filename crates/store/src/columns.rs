//! The columns of rows that are read whole, by name.
//!
//! Never `*`: Postgres refuses a statement that was prepared with it ("cached plan must not change result type") from the moment
//! in which a migration adds a column, and the connection has it prepared for good. A service of the version before, which runs
//! on while an upgrade is rolled out, would go on failing.

macro_rules! alerts {
    () => {
        "alerts.id, alerts.integration, alerts.fingerprint, alerts.external_id, alerts.source, alerts.status, alerts.severity, \
         alerts.title, alerts.description, alerts.labels, alerts.annotations, alerts.source_url, alerts.incident_id, \
         alerts.started_at, alerts.ended_at, alerts.event_at, alerts.event_id, alerts.received_at, alerts.last_seen_at, \
         alerts.occurrences, alerts.event_status, alerts.event_received_at, alerts.firing_seen_at, alerts.expires_at, \
         alerts.timed_out, alerts.silenced_by, alerts.inhibited_by, alerts.inhibits, alerts.inhibitable"
    };
}

macro_rules! incidents {
    () => {
        "id, number, title, summary, status, severity, group_key, labels, alert_count, firing_critical, firing_warning, \
         firing_info, created_at, triggered_at, acknowledged_at, acknowledged_by, resolved_at, updated_at, version, routes, \
         resolve_policy, declared, severity_is_set, resolved_by, flaps, flapping_since, remind_at, escalate_at, \
         escalated_after_s"
    };
}

macro_rules! inbox {
    () => {
        "seq, v, id, received_at, source, integration, traceparent, body"
    };
}

macro_rules! notifications {
    () => {
        "id, incident_id, receiver, revision, kind, status, reason, attempts, created_at, next_attempt_at, finished_at, \
         redriven_at, instead_of, because"
    };
}

macro_rules! silences {
    () => {
        "id, matchers, starts_at, ends_at, recurrence, author, comment, created_at, is_applied"
    };
}

macro_rules! timeline {
    () => {
        "id, at, kind, actor_type, actor_id, actor_name, content"
    };
}

pub(crate) use {alerts, inbox, incidents, notifications, silences, timeline};
