-- What has a label or a text is found from the newest backwards: the index knows the time of a row as well, in slices of 16
-- seconds and of 16, 256, … times as long, so that a few slices of one length cover any time. A list needs the newest fifty of a
-- million that match, not all of them.
--
-- Incidents are found beside their table now, as alerts are, and for the same reason: an incident that changes is written anew.

-- Whoever would write waits here until this is committed, and finds the triggers then.
LOCK TABLE incidents, alerts IN SHARE ROW EXCLUSIVE MODE;

-- Written anew, in the order of time. What the version before writes there needs no more than it did.
ALTER TABLE alert_terms RENAME TO alert_terms_before;
CREATE TABLE alert_terms (
    alert_id uuid NOT NULL,
    title text NOT NULL,
    labels jsonb NOT NULL,
    -- Since 1970, when the alert was made: its id begins with the milliseconds.
    seconds bigint NOT NULL
        GENERATED ALWAYS AS (('x' || translate(left(alert_id::text, 13), '-', ''))::bit(48)::bigint / 1000) STORED
);
INSERT INTO alert_terms (alert_id, title, labels) SELECT alert_id, title, labels FROM alert_terms_before ORDER BY alert_id;
DROP TABLE alert_terms_before;
ALTER TABLE alert_terms ADD PRIMARY KEY (alert_id);

CREATE TABLE incident_terms (
    number bigint PRIMARY KEY,
    title text NOT NULL,
    labels jsonb NOT NULL,
    -- Since 1970, when the incident was made.
    seconds bigint NOT NULL
);

CREATE FUNCTION incident_terms_insert() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO incident_terms (number, title, labels, seconds)
    SELECT number, title, labels, floor(extract(epoch FROM created_at)) FROM now_there;
    RETURN NULL;
END $$;

CREATE FUNCTION incident_terms_update() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE incident_terms SET title = NEW.title, labels = NEW.labels WHERE number = NEW.number;
    RETURN NULL;
END $$;

CREATE FUNCTION incident_terms_delete() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM incident_terms WHERE number = ANY(ARRAY(SELECT number FROM no_longer_there));
    RETURN NULL;
END $$;

CREATE TRIGGER incident_terms_insert AFTER INSERT ON incidents REFERENCING NEW TABLE AS now_there
    FOR EACH STATEMENT EXECUTE FUNCTION incident_terms_insert();
CREATE TRIGGER incident_terms_update AFTER UPDATE ON incidents FOR EACH ROW
    WHEN (OLD.title <> NEW.title OR OLD.labels <> NEW.labels) EXECUTE FUNCTION incident_terms_update();
CREATE TRIGGER incident_terms_delete AFTER DELETE ON incidents REFERENCING OLD TABLE AS no_longer_there
    FOR EACH STATEMENT EXECUTE FUNCTION incident_terms_delete();

INSERT INTO incident_terms SELECT number, title, labels, floor(extract(epoch FROM created_at)) FROM incidents ORDER BY number;

-- The slices are the expression that the statements of `store/list` have, to the letter.
CREATE INDEX alert_terms_find ON alert_terms USING gin (
    (ARRAY[seconds >> 4, (1::bigint << 40) + (seconds >> 8), (2::bigint << 40) + (seconds >> 12), (3::bigint << 40) + (seconds >> 16), (4::bigint << 40) + (seconds >> 20), (5::bigint << 40) + (seconds >> 24)]),
    labels jsonb_path_ops, title gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX incident_terms_find ON incident_terms USING gin (
    (ARRAY[seconds >> 4, (1::bigint << 40) + (seconds >> 8), (2::bigint << 40) + (seconds >> 12), (3::bigint << 40) + (seconds >> 16), (4::bigint << 40) + (seconds >> 20), (5::bigint << 40) + (seconds >> 24)]),
    labels jsonb_path_ops, title gin_trgm_ops) WITH (fastupdate = off);
DROP INDEX incidents_labels, incidents_title;

REVOKE ALL ON FUNCTION incident_terms_insert, incident_terms_update, incident_terms_delete FROM PUBLIC;
ANALYZE alert_terms;
ANALYZE incident_terms;
