-- What each service may do with the tables, all of it: what is not granted here is not allowed (promise 9). Run by
-- `tocsin-worker migrate` each time, when the roles exist; a migration that adds a table or a column adds its line here.
BEGIN;

REVOKE ALL ON ALL TABLES IN SCHEMA public FROM tocsin_ingest, tocsin_worker, tocsin_notifier, tocsin_api;
GRANT USAGE ON SCHEMA public TO tocsin_ingest, tocsin_worker, tocsin_notifier, tocsin_api;

-- ingest: puts deliveries into the inbox and sees how many there are, not what they hold.
GRANT INSERT (v, id, received_at, source, integration, traceparent, body) ON inbox TO tocsin_ingest;
GRANT SELECT (seq, id), UPDATE (id) ON inbox TO tocsin_ingest;

-- worker: the only writer of the state. Locking a row asks for the right to update one of its columns.
GRANT SELECT, INSERT, UPDATE, DELETE ON alerts, incidents, silences TO tocsin_worker;
GRANT SELECT, INSERT, DELETE ON incident_alerts, timeline, notifications TO tocsin_worker;
-- What waits to be told may be taken back.
GRANT UPDATE (status, reason, finished_at) ON notifications TO tocsin_worker;
GRANT SELECT, INSERT, UPDATE (id), DELETE ON event_ids, dead_letters TO tocsin_worker;
GRANT SELECT, INSERT, UPDATE (outcome), DELETE ON commands TO tocsin_worker;
GRANT SELECT, INSERT ON events TO tocsin_worker;
GRANT EXECUTE ON FUNCTION events_keep TO tocsin_worker;
-- A dead letter that is driven again goes back into the inbox.
GRANT SELECT, INSERT, UPDATE (seq, id), DELETE ON inbox TO tocsin_worker;
-- With the incidents that they belong to.
GRANT SELECT (notification_id), DELETE ON deliveries TO tocsin_worker;
GRANT SELECT (incident_id), DELETE ON messages TO tocsin_worker;
-- What is dead is driven again, and its receiver switched on.
GRANT UPDATE (attempts, next_attempt_at, redriven_at) ON notifications TO tocsin_worker;
GRANT SELECT (receiver), DELETE ON receivers_gone TO tocsin_worker;
-- What triggers keep for it, under the owner's rights; it adds the counters up, and looks whether they are right.
GRANT EXECUTE ON FUNCTION tallies_fold TO tocsin_worker;
GRANT SELECT ON tallies, alert_terms, incident_terms TO tocsin_worker;

-- notifier: moves the ledger on and records its attempts.
GRANT SELECT ON alerts, incidents, incident_alerts, notifications, timeline TO tocsin_notifier;
-- The kind, because one notice may tell what an older one would have.
GRANT UPDATE (kind, status, reason, attempts, next_attempt_at, redriven_at, owed_since, lease_token, lease_until, finished_at)
    ON notifications TO tocsin_notifier;
GRANT SELECT, INSERT ON deliveries TO tocsin_notifier;
-- Who is told in another's place.
GRANT INSERT ON notifications TO tocsin_notifier;
GRANT SELECT, INSERT, UPDATE ON messages TO tocsin_notifier;
GRANT SELECT, INSERT, UPDATE, DELETE ON receivers_gone TO tocsin_notifier;

-- api: reads.
GRANT SELECT ON alerts, incidents, incident_alerts, timeline, notifications, deliveries, dead_letters, silences, events,
    receivers_gone, tallies, alert_terms, incident_terms TO tocsin_api;
-- How many deliveries wait, not what they hold.
GRANT SELECT (seq) ON inbox TO tocsin_api;

COMMIT;
