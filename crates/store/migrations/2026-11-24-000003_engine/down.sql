DROP INDEX event_ids_by_age, alerts_firing, alerts_of_incident, alerts_inhibiting, alerts_inhibitable,
    incidents_closed_by_age, incidents_flapping, incidents_to_remind, incidents_resolved_by_group;
CREATE INDEX event_ids_by_age ON event_ids (applied_at);
DROP FUNCTION events_keep;
DROP TABLE events, commands, silences;
ALTER TABLE alerts DROP COLUMN event_status, DROP COLUMN event_received_at, DROP COLUMN firing_seen_at,
    DROP COLUMN expires_at, DROP COLUMN timed_out, DROP COLUMN silenced_by, DROP COLUMN inhibited_by,
    DROP COLUMN inhibits, DROP COLUMN inhibitable, RESET (fillfactor);
ALTER TABLE incidents DROP COLUMN routes, DROP COLUMN resolve_policy, DROP COLUMN declared, DROP COLUMN severity_is_set,
    DROP COLUMN resolved_by, DROP COLUMN flaps, DROP COLUMN flapping_since, DROP COLUMN remind_at;
