DROP INDEX incidents_to_escalate, notifications_dead, notifications_due;
ALTER TABLE incidents DROP COLUMN escalate_at, DROP COLUMN escalated_after_s;
DROP TABLE receivers_gone, messages;
DELETE FROM deliveries USING notifications WHERE deliveries.notification_id = notifications.id AND instead_of <> '';
DELETE FROM notifications WHERE instead_of <> '';
ALTER TABLE notifications DROP CONSTRAINT notifications_once;
ALTER TABLE notifications ADD CONSTRAINT notifications_incident_id_receiver_revision_key
    UNIQUE (incident_id, receiver, revision);
ALTER TABLE notifications DROP COLUMN instead_of, DROP COLUMN because, DROP COLUMN redriven_at;
