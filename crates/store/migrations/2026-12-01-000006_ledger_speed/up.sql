-- A notice is claimed without a new entry in any index. Postgres writes the new version of a row beside the old one, and leaves
-- the indexes alone, as long as no column changes that an index has in its columns or its condition. `status` goes from
-- pending to sending and back; its fate is open all the while.
ALTER TABLE notifications
    ADD COLUMN fate text NOT NULL
        GENERATED ALWAYS AS (CASE WHEN status IN ('pending', 'sending') THEN 'open' ELSE status END) STORED,
    -- Room for that version of every row of a page: a backlog is claimed in the order in which it was written.
    SET (fillfactor = 50);

DROP INDEX notifications_due, notifications_open, notifications_dead, notifications_by_state, notifications_by_receiver;
CREATE INDEX notifications_due ON notifications (receiver, next_attempt_at, id) WHERE fate = 'open';
CREATE INDEX notifications_open ON notifications (incident_id, receiver, revision) WHERE fate = 'open';
CREATE INDEX notifications_dead ON notifications (finished_at DESC, id) WHERE fate = 'dead';
CREATE INDEX notifications_by_state ON notifications (fate, id);
CREATE INDEX notifications_by_receiver ON notifications (receiver, fate, id);

-- An attempt is written by the statement that has its notice's row, and deleted by the transaction that deletes that: to look
-- the row up once more, and lock it, cost more than to write the attempt. `tocsin-worker verify` looks for what has none.
ALTER TABLE deliveries
    DROP CONSTRAINT deliveries_notification_id_fkey,
    DROP CONSTRAINT deliveries_pkey;
-- One index for both.
DROP INDEX deliveries_of_notification;
ALTER TABLE deliveries ADD PRIMARY KEY (notification_id, id);
