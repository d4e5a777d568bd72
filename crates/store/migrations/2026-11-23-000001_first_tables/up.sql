-- The state of Tocsin. The worker is the only writer of alerts, incidents and their timeline, the notifier the only one
-- of deliveries; the ledger's rows are written by the worker and moved on by the notifier.

CREATE TABLE incidents (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    title text NOT NULL,
    summary text,
    status text NOT NULL CHECK (status IN ('triggered', 'acknowledged', 'resolved', 'canceled')),
    severity text NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')),
    group_key text NOT NULL,
    labels jsonb NOT NULL,
    alert_count integer NOT NULL,
    firing_critical integer NOT NULL CHECK (firing_critical >= 0),
    firing_warning integer NOT NULL CHECK (firing_warning >= 0),
    firing_info integer NOT NULL CHECK (firing_info >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    triggered_at timestamptz NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text,
    resolved_at timestamptz,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL
);

-- Promise 5: at most one open incident per group, whatever the workers do.
CREATE UNIQUE INDEX incidents_one_open_per_group ON incidents (group_key) WHERE status IN ('triggered', 'acknowledged');

CREATE TABLE alerts (
    id uuid PRIMARY KEY,
    integration text NOT NULL,
    fingerprint text NOT NULL,
    external_id text,
    source text NOT NULL,
    status text NOT NULL CHECK (status IN ('firing', 'resolved')),
    severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    title text NOT NULL,
    description text,
    labels jsonb NOT NULL,
    annotations jsonb NOT NULL,
    source_url text,
    incident_id uuid REFERENCES incidents (id),
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    occurrences bigint NOT NULL,
    UNIQUE (integration, fingerprint)
);

CREATE TABLE incident_alerts (
    incident_id uuid NOT NULL REFERENCES incidents (id),
    alert_id uuid NOT NULL REFERENCES alerts (id),
    PRIMARY KEY (incident_id, alert_id)
);

CREATE TABLE timeline (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id uuid NOT NULL REFERENCES incidents (id),
    at timestamptz NOT NULL,
    kind text NOT NULL,
    actor_type text NOT NULL DEFAULT 'system',
    actor_id text,
    actor_name text,
    content text NOT NULL
);

CREATE INDEX timeline_of_incident ON timeline (incident_id, id);

-- The notification ledger (promise 6).
CREATE TABLE notifications (
    id uuid PRIMARY KEY,
    incident_id uuid NOT NULL REFERENCES incidents (id),
    receiver text NOT NULL,
    revision bigint NOT NULL,
    kind text NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'sending', 'delivered', 'superseded', 'dead')),
    reason text,
    trace text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    lease_token uuid,
    lease_until timestamptz,
    finished_at timestamptz,
    UNIQUE (incident_id, receiver, revision)
);

CREATE INDEX notifications_unfinished ON notifications (next_attempt_at, id) WHERE status IN ('pending', 'sending');

-- Each attempt to deliver a notice.
CREATE TABLE deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    notification_id uuid NOT NULL REFERENCES notifications (id),
    attempt integer NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    latency_ms integer NOT NULL,
    http_status integer,
    answer text NOT NULL,
    UNIQUE (notification_id, attempt)
);

-- The events that were applied (promise 3).
CREATE TABLE event_ids (
    id uuid PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- Entries that cannot be applied (promise 4).
CREATE TABLE dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream text NOT NULL,
    entry_id text NOT NULL,
    fields jsonb NOT NULL,
    reason text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (stream, entry_id)
);
