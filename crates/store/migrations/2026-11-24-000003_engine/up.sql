-- The incident engine: timeouts, silences, inhibition, flapping, responders' commands, and a record of every decision.

ALTER TABLE incidents
    -- The paths of the routes whose receivers are told; the first one owns the group. The version before knows the root alone.
    ADD COLUMN routes text[] NOT NULL DEFAULT ARRAY['{}'],
    ADD COLUMN resolve_policy text NOT NULL DEFAULT 'all' CHECK (resolve_policy IN ('all', 'any', 'never')),
    -- Opened by a responder, not by an alert.
    ADD COLUMN declared boolean NOT NULL DEFAULT false,
    -- Its severity was set by a responder, and no longer follows the alerts.
    ADD COLUMN severity_is_set boolean NOT NULL DEFAULT false,
    ADD COLUMN resolved_by text,
    -- When it lately went on after it was over, and since when that is too often.
    ADD COLUMN flaps timestamptz[] NOT NULL DEFAULT '{}',
    ADD COLUMN flapping_since timestamptz,
    -- When receivers are told again that nobody has taken it.
    ADD COLUMN remind_at timestamptz;

-- What may be opened again.
CREATE INDEX incidents_resolved_by_group ON incidents (group_key, resolved_at DESC) WHERE status = 'resolved';
CREATE INDEX incidents_to_remind ON incidents (remind_at) WHERE status = 'triggered' AND remind_at IS NOT NULL;
CREATE INDEX incidents_flapping ON incidents (id) WHERE flapping_since IS NOT NULL;
-- What retention deletes; it does not touch those that are open.
CREATE INDEX incidents_closed_by_age ON incidents (resolved_at) WHERE status IN ('resolved', 'canceled');

ALTER TABLE alerts
    -- What the newest event says; `status` is what follows from all of them, and from the time.
    ADD COLUMN event_status text CHECK (event_status IN ('firing', 'resolved')),
    ADD COLUMN event_received_at timestamptz,
    -- When it was last heard to fire, until when that holds, and whether that time has run out.
    ADD COLUMN firing_seen_at timestamptz,
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN timed_out boolean NOT NULL DEFAULT false,
    -- What keeps it quiet.
    ADD COLUMN silenced_by uuid,
    ADD COLUMN inhibited_by uuid,
    -- The inhibitions that it is the source of, and those that it is subject to, as keys.
    ADD COLUMN inhibits text[] NOT NULL DEFAULT '{}',
    ADD COLUMN inhibitable text[] NOT NULL DEFAULT '{}',
    -- Room for the new version of a row beside the old one: most updates are signs of life, which touch no index.
    SET (fillfactor = 80);

-- Few at a time, of any number of alerts. On no column that a sign of life changes.
CREATE INDEX alerts_firing ON alerts (id) WHERE status = 'firing';
CREATE INDEX alerts_inhibiting ON alerts USING gin (inhibits) WHERE status = 'firing' AND inhibits <> '{}';
CREATE INDEX alerts_inhibitable ON alerts USING gin (inhibitable) WHERE status = 'firing' AND inhibitable <> '{}';
CREATE INDEX alerts_of_incident ON alerts (incident_id);

CREATE TABLE silences (
    id uuid PRIMARY KEY,
    matchers jsonb NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at >= starts_at),
    recurrence jsonb,
    author text NOT NULL,
    comment text NOT NULL,
    created_at timestamptz NOT NULL,
    -- Whether the alerts that fire have been told that it is in force.
    is_applied boolean NOT NULL DEFAULT false,
    deleted_at timestamptz
);

CREATE INDEX silences_by_end ON silences (ends_at) WHERE deleted_at IS NULL;

-- What responders asked for, and what came of it: a command that comes again is answered with its first outcome.
CREATE TABLE commands (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    actor_type text NOT NULL,
    actor_id text NOT NULL,
    actor_name text NOT NULL,
    action jsonb NOT NULL,
    outcome jsonb NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX commands_by_age ON commands USING brin (applied_at);

-- Every event of every alert as it came in, and what was decided about it; and what was decided about an incident without
-- one (then `alert_id` is NULL). By day, so that retention drops a day whole.
CREATE TABLE events (
    applied_at timestamptz NOT NULL DEFAULT now(),
    received_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    alert_id uuid,
    incident_id uuid,
    outcome text NOT NULL,
    -- JSON, which nobody but a reader takes apart. An event that says just what was known has no payload.
    detail text,
    payload text
) PARTITION BY RANGE (applied_at);

CREATE INDEX events_of_alert ON events (alert_id, applied_at) WHERE alert_id IS NOT NULL;
CREATE INDEX events_of_incident ON events (incident_id, applied_at) WHERE alert_id IS NULL;

-- Takes what no day is there for, so that applying never fails for it.
CREATE TABLE events_other PARTITION OF events DEFAULT;

-- Makes the days from today to `ahead` days from now, and drops those that are older than `keep` days. A function of the
-- tables' owner, because the worker may not make tables. Says which it made and dropped.
CREATE FUNCTION events_keep(ahead integer, keep integer) RETURNS TABLE (made text, dropped text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    day date;
    name text;
BEGIN
    IF ahead NOT BETWEEN 1 AND 30 OR keep < 1 THEN
        RAISE EXCEPTION 'ahead must be 1 to 30 days and keep at least 1 day';
    END IF;
    FOR day IN SELECT generate_series(current_date, current_date + ahead, '1 day')::date LOOP
        name := 'events_' || to_char(day, 'YYYYMMDD');
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF events FOR VALUES FROM (%L) TO (%L)', name, day, day + 1);
            RETURN QUERY SELECT name, NULL::text;
        END IF;
    END LOOP;
    FOR name IN
        SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass
    LOOP
        IF name ~ '^events_\d{8}$' AND to_date(right(name, 8), 'YYYYMMDD') < current_date - keep THEN
            EXECUTE format('DROP TABLE %I', name);
            RETURN QUERY SELECT NULL::text, name;
        END IF;
    END LOOP;
    DELETE FROM events_other WHERE applied_at < now() - make_interval(days => keep);
END $$;

REVOKE ALL ON FUNCTION events_keep FROM PUBLIC;
SELECT events_keep(3, 365);

-- Event ids come in the order of their age: an index of a few pages serves the purge, and costs nothing to keep.
DROP INDEX event_ids_by_age;
CREATE INDEX event_ids_by_age ON event_ids USING brin (applied_at) WITH (pages_per_range = 16);
