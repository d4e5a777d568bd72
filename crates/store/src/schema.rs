//! The tables as diesel sees them. The truth is in `migrations/`; `tests/it` compares the two.

diesel::table! {
    incidents (id) {
        id -> Uuid,
        number -> BigInt,
        title -> Text,
        summary -> Nullable<Text>,
        status -> Text,
        severity -> Text,
        group_key -> Text,
        labels -> Jsonb,
        alert_count -> Integer,
        firing_critical -> Integer,
        firing_warning -> Integer,
        firing_info -> Integer,
        created_at -> Timestamptz,
        triggered_at -> Timestamptz,
        acknowledged_at -> Nullable<Timestamptz>,
        acknowledged_by -> Nullable<Text>,
        resolved_at -> Nullable<Timestamptz>,
        updated_at -> Timestamptz,
        version -> BigInt,
        routes -> Array<Text>,
        resolve_policy -> Text,
        declared -> Bool,
        severity_is_set -> Bool,
        resolved_by -> Nullable<Text>,
        flaps -> Array<Timestamptz>,
        flapping_since -> Nullable<Timestamptz>,
        remind_at -> Nullable<Timestamptz>,
        escalate_at -> Nullable<Timestamptz>,
        escalated_after_s -> Integer,
    }
}

diesel::table! {
    alerts (id) {
        id -> Uuid,
        integration -> Text,
        fingerprint -> Text,
        external_id -> Nullable<Text>,
        source -> Text,
        status -> Text,
        severity -> Text,
        title -> Text,
        description -> Nullable<Text>,
        labels -> Jsonb,
        annotations -> Jsonb,
        source_url -> Nullable<Text>,
        incident_id -> Nullable<Uuid>,
        started_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        event_at -> Timestamptz,
        event_id -> Uuid,
        received_at -> Timestamptz,
        last_seen_at -> Timestamptz,
        occurrences -> BigInt,
        event_status -> Nullable<Text>,
        event_received_at -> Nullable<Timestamptz>,
        firing_seen_at -> Nullable<Timestamptz>,
        expires_at -> Nullable<Timestamptz>,
        timed_out -> Bool,
        silenced_by -> Nullable<Uuid>,
        inhibited_by -> Nullable<Uuid>,
        inhibits -> Array<Text>,
        inhibitable -> Array<Text>,
    }
}

diesel::table! {
    incident_alerts (incident_id, alert_id) {
        incident_id -> Uuid,
        alert_id -> Uuid,
    }
}

diesel::table! {
    timeline (id) {
        id -> BigInt,
        incident_id -> Uuid,
        at -> Timestamptz,
        kind -> Text,
        actor_type -> Text,
        actor_id -> Nullable<Text>,
        actor_name -> Nullable<Text>,
        content -> Text,
    }
}

diesel::table! {
    notifications (id) {
        id -> Uuid,
        incident_id -> Uuid,
        receiver -> Text,
        revision -> BigInt,
        kind -> Text,
        status -> Text,
        reason -> Nullable<Text>,
        trace -> Text,
        attempts -> Integer,
        created_at -> Timestamptz,
        next_attempt_at -> Timestamptz,
        lease_token -> Nullable<Uuid>,
        lease_until -> Nullable<Timestamptz>,
        finished_at -> Nullable<Timestamptz>,
        instead_of -> Text,
        because -> Nullable<Text>,
        redriven_at -> Nullable<Timestamptz>,
        owed_since -> Timestamptz,
        fate -> Text,
    }
}

diesel::table! {
    deliveries (notification_id, id) {
        id -> BigInt,
        notification_id -> Uuid,
        attempt -> Integer,
        at -> Timestamptz,
        latency_ms -> Integer,
        http_status -> Nullable<Integer>,
        answer -> Text,
    }
}

diesel::joinable!(incident_alerts -> alerts (alert_id));
diesel::allow_tables_to_appear_in_same_query!(incident_alerts, alerts);
