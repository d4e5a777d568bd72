CREATE INDEX incidents_labels ON incidents USING gin (labels jsonb_path_ops) WITH (fastupdate = off);
CREATE INDEX incidents_title ON incidents USING gin (title gin_trgm_ops) WITH (fastupdate = off);
DROP TRIGGER incident_terms_insert ON incidents;
DROP TRIGGER incident_terms_update ON incidents;
DROP TRIGGER incident_terms_delete ON incidents;
DROP FUNCTION incident_terms_insert, incident_terms_update, incident_terms_delete;
DROP TABLE incident_terms;

DROP INDEX alert_terms_find;
ALTER TABLE alert_terms DROP COLUMN seconds;
CREATE INDEX alert_terms_labels ON alert_terms USING gin (labels jsonb_path_ops) WITH (fastupdate = off);
CREATE INDEX alert_terms_title ON alert_terms USING gin (title gin_trgm_ops) WITH (fastupdate = off);
