DROP INDEX incidents_to_escalate, notifications_dead, notifications_open, notifications_due;
CREATE INDEX notifications_unfinished ON notifications (next_attempt_at, id) WHERE status IN ('pending', 'sending');
ALTER TABLE incidents DROP COLUMN escalate_at, DROP COLUMN escalated_after_s;
DROP TABLE receivers_gone, messages;
DELETE FROM deliveries USING notifications WHERE deliveries.notification_id = notifications.id AND instead_of <> '';
DELETE FROM notifications WHERE instead_of <> '';
ALTER TABLE notifications DROP CONSTRAINT notifications_once;
ALTER TABLE notifications ADD CONSTRAINT notifications_incident_id_receiver_revision_key
    UNIQUE (incident_id, receiver, revision);
ALTER TABLE notifications DROP COLUMN instead_of, DROP COLUMN because, DROP COLUMN redriven_at,
    DROP COLUMN owed_since;
