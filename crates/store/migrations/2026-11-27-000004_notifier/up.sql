-- The notifier: who is told in another's place, what providers call our messages, receivers that are switched off, escalation.

ALTER TABLE notifications
    -- The receiver in whose place this one is told, and why that one could not be; '' for a notice in its own right.
    ADD COLUMN instead_of text NOT NULL DEFAULT '',
    ADD COLUMN because text,
    -- When somebody had it tried again; its deadline begins anew.
    ADD COLUMN redriven_at timestamptz,
    -- Since when the receiver is owed this: from when it is due, or from when what it took the place of was. Its deadline
    -- counts from here, so that an incident that goes on changing does not put off the end of a receiver that takes nothing.
    ADD COLUMN owed_since timestamptz NOT NULL DEFAULT now();

-- Two receivers may have the same fallback.
ALTER TABLE notifications DROP CONSTRAINT notifications_incident_id_receiver_revision_key;
ALTER TABLE notifications ADD CONSTRAINT notifications_once UNIQUE (incident_id, receiver, revision, instead_of);

-- What is unfinished: receiver by receiver as it becomes due, and incident by incident in its order.
DROP INDEX notifications_unfinished;
CREATE INDEX notifications_due ON notifications (receiver, next_attempt_at, id) WHERE status IN ('pending', 'sending');
CREATE INDEX notifications_open ON notifications (incident_id, receiver, revision) WHERE status IN ('pending', 'sending');
CREATE INDEX notifications_dead ON notifications (finished_at DESC, id) WHERE status = 'dead';

-- One that is driven again begins with its first attempt anew.
ALTER TABLE deliveries DROP CONSTRAINT deliveries_notification_id_attempt_key;
CREATE INDEX deliveries_of_notification ON deliveries (notification_id, id);

-- What the provider calls the message that tells of an incident, where it can be edited later or answered to.
CREATE TABLE messages (
    incident_id uuid NOT NULL REFERENCES incidents (id),
    receiver text NOT NULL,
    -- The destination that it was sent to: a message of another one is not edited.
    destination text NOT NULL,
    reference jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (incident_id, receiver)
);

-- Receivers whose provider said that there is nobody any more (410), until their destination changes or somebody drives
-- what is dead again.
CREATE TABLE receivers_gone (
    receiver text PRIMARY KEY,
    destination text NOT NULL,
    reason text NOT NULL,
    gone_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE incidents
    -- When the next step of the escalation is due, and how much time after its beginning the last one was.
    ADD COLUMN escalate_at timestamptz,
    ADD COLUMN escalated_after_s integer NOT NULL DEFAULT 0 CHECK (escalated_after_s >= 0);

CREATE INDEX incidents_to_escalate ON incidents (escalate_at) WHERE status = 'triggered' AND escalate_at IS NOT NULL;
