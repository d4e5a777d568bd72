-- Reads that cost the same at any size: an index for every order in which a list is read, indexes for labels and texts, and
-- counters for totals.

-- Trigrams find a text anywhere in a title. The extension is trusted: the owner of the database may make it, wherever
-- Postgres' own extensions are installed.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
EXCEPTION WHEN OTHERS THEN
    RAISE EXCEPTION 'cannot make the extension pg_trgm: %', SQLERRM USING HINT =
        'Install Postgres'' own extensions (Debian has them in the server, Red Hat in postgresql-contrib), and have the '
        'owner of the database or an administrator run: CREATE EXTENSION pg_trgm;';
END $$;

-- Lists run from the newest to the oldest. Each list is a merge of ranges of one of these indexes: one range for each status
-- and severity that is wanted.
CREATE INDEX incidents_by_age ON incidents (created_at, number);
CREATE INDEX incidents_by_state ON incidents (status, severity, created_at, number);
CREATE INDEX alerts_by_state ON alerts (status, severity, id);
CREATE INDEX alerts_by_source ON alerts (source, status, severity, id);
CREATE INDEX notifications_by_state ON notifications (status, id);
CREATE INDEX notifications_by_receiver ON notifications (receiver, status, id);
CREATE INDEX silences_by_age ON silences (created_at DESC, id) WHERE deleted_at IS NULL;

-- What is rare is found here, what is common by walking along a list. Without a pending list: whoever would have to empty it
-- is a worker in the middle of a batch.
CREATE INDEX incidents_labels ON incidents USING gin (labels jsonb_path_ops) WITH (fastupdate = off);
CREATE INDEX incidents_title ON incidents USING gin (title gin_trgm_ops) WITH (fastupdate = off);

-- By what alerts are found, beside them: an alert that begins or ceases to fire is written anew, and would have to be put
-- into these indexes again, some forty entries, though nothing in them changes.
CREATE TABLE alert_terms (
    alert_id uuid PRIMARY KEY,
    title text NOT NULL,
    labels jsonb NOT NULL
);

-- Functions of the tables' owner: whoever writes the state keeps this as well, and nobody else can.
CREATE FUNCTION alert_terms_insert() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO alert_terms SELECT id, title, labels FROM now_there;
    RETURN NULL;
END $$;

CREATE FUNCTION alert_terms_update() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE alert_terms SET title = NEW.title, labels = NEW.labels WHERE alert_id = NEW.id;
    RETURN NULL;
END $$;

CREATE FUNCTION alert_terms_delete() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM alert_terms WHERE alert_id = ANY(ARRAY(SELECT id FROM no_longer_there));
    RETURN NULL;
END $$;

CREATE TRIGGER alert_terms_insert AFTER INSERT ON alerts REFERENCING NEW TABLE AS now_there
    FOR EACH STATEMENT EXECUTE FUNCTION alert_terms_insert();
CREATE TRIGGER alert_terms_update AFTER UPDATE ON alerts FOR EACH ROW
    WHEN (OLD.title <> NEW.title OR OLD.labels <> NEW.labels) EXECUTE FUNCTION alert_terms_update();
CREATE TRIGGER alert_terms_delete AFTER DELETE ON alerts REFERENCING OLD TABLE AS no_longer_there
    FOR EACH STATEMENT EXECUTE FUNCTION alert_terms_delete();

-- Those that are there already. The triggers have locked out every writer until this is committed.
INSERT INTO alert_terms SELECT id, title, labels FROM alerts;
CREATE INDEX alert_terms_labels ON alert_terms USING gin (labels jsonb_path_ops) WITH (fastupdate = off);
CREATE INDEX alert_terms_title ON alert_terms USING gin (title gin_trgm_ops) WITH (fastupdate = off);

-- How many incidents and alerts there are of each kind. Every connection counts in rows of its own (`slot` is its process),
-- so that none waits for another's transaction; the sum over the slots is what there is. Row 0 takes up the others.
CREATE TABLE tallies (
    of text NOT NULL CHECK (of IN ('incidents', 'alerts')),
    status text NOT NULL,
    severity text NOT NULL,
    -- Of alerts; '' of incidents.
    source text NOT NULL,
    slot integer NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (of, slot, status, severity, source)
    -- Most updates change the count alone, and find room beside the old row.
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE FUNCTION incidents_tally() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO tallies AS t SELECT 'incidents', status, severity, '', pg_backend_pid(), count(*)
        FROM now_there GROUP BY 2, 3
        ON CONFLICT (of, slot, status, severity, source) DO UPDATE SET count = t.count + excluded.count;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO tallies AS t SELECT 'incidents', status, severity, '', pg_backend_pid(), -count(*)
        FROM no_longer_there GROUP BY 2, 3
        ON CONFLICT (of, slot, status, severity, source) DO UPDATE SET count = t.count + excluded.count;
    ELSE
        INSERT INTO tallies AS t SELECT 'incidents', status, severity, '', pg_backend_pid(), sum(n)
        FROM (SELECT status, severity, 1 AS n FROM now_there UNION ALL SELECT status, severity, -1 FROM no_longer_there) AS d
        GROUP BY 2, 3 HAVING sum(n) <> 0
        ON CONFLICT (of, slot, status, severity, source) DO UPDATE SET count = t.count + excluded.count;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION alerts_tally() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO tallies AS t SELECT 'alerts', status, severity, source, pg_backend_pid(), count(*)
        FROM now_there GROUP BY 2, 3, 4
        ON CONFLICT (of, slot, status, severity, source) DO UPDATE SET count = t.count + excluded.count;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO tallies AS t SELECT 'alerts', status, severity, source, pg_backend_pid(), -count(*)
        FROM no_longer_there GROUP BY 2, 3, 4
        ON CONFLICT (of, slot, status, severity, source) DO UPDATE SET count = t.count + excluded.count;
    ELSE
        INSERT INTO tallies AS t SELECT 'alerts', status, severity, source, pg_backend_pid(), sum(n)
        FROM (SELECT status, severity, source, 1 AS n FROM now_there
              UNION ALL SELECT status, severity, source, -1 FROM no_longer_there) AS d
        GROUP BY 2, 3, 4 HAVING sum(n) <> 0
        ON CONFLICT (of, slot, status, severity, source) DO UPDATE SET count = t.count + excluded.count;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER incidents_tally_insert AFTER INSERT ON incidents REFERENCING NEW TABLE AS now_there
    FOR EACH STATEMENT EXECUTE FUNCTION incidents_tally();
CREATE TRIGGER incidents_tally_update AFTER UPDATE ON incidents
    REFERENCING OLD TABLE AS no_longer_there NEW TABLE AS now_there FOR EACH STATEMENT EXECUTE FUNCTION incidents_tally();
CREATE TRIGGER incidents_tally_delete AFTER DELETE ON incidents REFERENCING OLD TABLE AS no_longer_there
    FOR EACH STATEMENT EXECUTE FUNCTION incidents_tally();
CREATE TRIGGER alerts_tally_insert AFTER INSERT ON alerts REFERENCING NEW TABLE AS now_there
    FOR EACH STATEMENT EXECUTE FUNCTION alerts_tally();
CREATE TRIGGER alerts_tally_update AFTER UPDATE ON alerts
    REFERENCING OLD TABLE AS no_longer_there NEW TABLE AS now_there FOR EACH STATEMENT EXECUTE FUNCTION alerts_tally();
CREATE TRIGGER alerts_tally_delete AFTER DELETE ON alerts REFERENCING OLD TABLE AS no_longer_there
    FOR EACH STATEMENT EXECUTE FUNCTION alerts_tally();

-- What is there already.
INSERT INTO tallies SELECT 'incidents', status, severity, '', 0, count(*) FROM incidents GROUP BY 2, 3;
INSERT INTO tallies SELECT 'alerts', status, severity, source, 0, count(*) FROM alerts GROUP BY 2, 3, 4;

-- Adds the slots of others up in slot 0, but for those that somebody is counting in just now. One at a time: whoever calls
-- it holds the lock of a duty. Says how many rows went away.
CREATE FUNCTION tallies_fold() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH idle AS MATERIALIZED (
        SELECT ctid FROM tallies WHERE slot <> 0 FOR UPDATE SKIP LOCKED
    ), taken AS (
        DELETE FROM tallies WHERE ctid = ANY(ARRAY(SELECT ctid FROM idle))
        RETURNING of, status, severity, source, count
    ), added AS (
        INSERT INTO tallies AS t
        SELECT of, status, severity, source, 0, sum(count) FROM taken GROUP BY of, status, severity, source
        ON CONFLICT (of, slot, status, severity, source) DO UPDATE SET count = t.count + excluded.count
    )
    SELECT count(*) FROM taken
$$;

REVOKE ALL ON FUNCTION tallies_fold, incidents_tally, alerts_tally, alert_terms_insert, alert_terms_update, alert_terms_delete
    FROM PUBLIC;
