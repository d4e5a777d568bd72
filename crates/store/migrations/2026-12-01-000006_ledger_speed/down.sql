ALTER TABLE deliveries DROP CONSTRAINT deliveries_pkey;
ALTER TABLE deliveries
    ADD PRIMARY KEY (id),
    ADD FOREIGN KEY (notification_id) REFERENCES notifications (id);
CREATE INDEX deliveries_of_notification ON deliveries (notification_id, id);

DROP INDEX notifications_due, notifications_open, notifications_dead, notifications_by_state, notifications_by_receiver;
ALTER TABLE notifications DROP COLUMN fate, RESET (fillfactor);
CREATE INDEX notifications_due ON notifications (receiver, next_attempt_at, id) WHERE status IN ('pending', 'sending');
CREATE INDEX notifications_open ON notifications (incident_id, receiver, revision) WHERE status IN ('pending', 'sending');
CREATE INDEX notifications_dead ON notifications (finished_at DESC, id) WHERE status = 'dead';
CREATE INDEX notifications_by_state ON notifications (status, id);
CREATE INDEX notifications_by_receiver ON notifications (receiver, status, id);
