-- Where ingest puts deliveries while Redis is away (promise 2). The worker takes them out in the order of `seq`.
CREATE TABLE inbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The fields of an envelope, as they stand in an entry of the events stream.
    v text NOT NULL,
    id uuid NOT NULL UNIQUE,
    received_at timestamptz NOT NULL,
    source text NOT NULL,
    integration text NOT NULL,
    traceparent text NOT NULL,
    body text NOT NULL
    -- A queue: rows come and go at its ends, and what is dead at the lower one is in everybody's way.
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Event ids are purged by age.
CREATE INDEX event_ids_by_age ON event_ids (applied_at);
