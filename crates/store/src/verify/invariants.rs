//! The invariants of the state. Those of promise 5 come first, then the ledger's (6) and those of exactly once (3).

use super::Invariant;

/// Everything that holds at every moment.
pub const INVARIANTS: &[Invariant] = &[
    Invariant {
        name: "one-open-incident-per-group",
        rule: "a group has at most one open incident",
        query: "SELECT group_key FROM incidents WHERE status IN ('triggered', 'acknowledged') \
                GROUP BY group_key HAVING count(*) > 1",
    },
    Invariant {
        name: "firing-alert-in-open-incident",
        rule: "an alert that fires, and that nothing keeps quiet, is in an open incident",
        query: "SELECT a.id::text FROM alerts a LEFT JOIN incidents i ON i.id = a.incident_id \
                WHERE a.status = 'firing' AND a.silenced_by IS NULL AND a.inhibited_by IS NULL \
                AND (i.status IN ('triggered', 'acknowledged')) IS NOT TRUE",
    },
    Invariant {
        name: "alert-is-member",
        rule: "an alert is a member of its incident",
        query: "SELECT a.id::text FROM alerts a WHERE a.incident_id IS NOT NULL \
                AND NOT EXISTS (SELECT FROM incident_alerts m WHERE (m.incident_id, m.alert_id) = (a.incident_id, a.id))",
    },
    Invariant {
        name: "firing-counts",
        rule: "an incident counts its firing alerts, by severity, as they are",
        query: "SELECT i.id::text FROM incidents i LEFT JOIN ( \
                    SELECT incident_id, count(*) FILTER (WHERE severity = 'critical') AS critical, \
                        count(*) FILTER (WHERE severity = 'warning') AS warning, \
                        count(*) FILTER (WHERE severity = 'info') AS info \
                    FROM alerts WHERE status = 'firing' GROUP BY incident_id) AS f ON f.incident_id = i.id \
                WHERE (i.firing_critical, i.firing_warning, i.firing_info) \
                    <> (coalesce(f.critical, 0), coalesce(f.warning, 0), coalesce(f.info, 0))",
    },
    Invariant {
        name: "alert-count",
        rule: "an incident counts its alerts as they are",
        query: "SELECT i.id::text FROM incidents i \
                LEFT JOIN (SELECT incident_id, count(*) AS members FROM incident_alerts GROUP BY incident_id) AS m \
                    ON m.incident_id = i.id \
                WHERE i.alert_count <> coalesce(m.members, 0)",
    },
    Invariant {
        name: "open-incident-fires",
        rule: "an open incident has an alert that fires, unless only a responder may end it",
        query: "SELECT id::text FROM incidents WHERE status IN ('triggered', 'acknowledged') \
                AND resolve_policy <> 'never' AND NOT declared AND firing_critical + firing_warning + firing_info = 0",
    },
    Invariant {
        name: "closed-incident-is-quiet",
        rule: "no alert fires in an incident that is over",
        query: "SELECT id::text FROM incidents WHERE status NOT IN ('triggered', 'acknowledged') \
                AND firing_critical + firing_warning + firing_info > 0",
    },
    Invariant {
        name: "quiet-while-firing",
        rule: "an alert is silenced or inhibited while it fires, and only then",
        query: "SELECT id::text FROM alerts \
                WHERE status <> 'firing' AND (silenced_by IS NOT NULL OR inhibited_by IS NOT NULL)",
    },
    Invariant {
        name: "severity-is-worst-firing",
        rule: "an open incident is as severe as the worst of its alerts that fire, unless a responder says otherwise",
        query: "SELECT id::text FROM incidents WHERE status IN ('triggered', 'acknowledged') AND NOT severity_is_set \
                AND firing_critical + firing_warning + firing_info > 0 \
                AND severity <> CASE WHEN firing_critical > 0 THEN 'critical' WHEN firing_warning > 0 THEN 'medium' \
                    ELSE 'low' END",
    },
    Invariant {
        name: "closed-has-time",
        rule: "an incident has a time of its end if it is over, and only then",
        query: "SELECT id::text FROM incidents \
                WHERE (status IN ('resolved', 'canceled')) <> (resolved_at IS NOT NULL)",
    },
    Invariant {
        name: "acknowledged-has-time",
        rule: "an acknowledged incident has a time of its acknowledgement",
        query: "SELECT id::text FROM incidents WHERE status = 'acknowledged' AND acknowledged_at IS NULL",
    },
    Invariant {
        name: "waits-for-responder",
        rule: "only an incident that nobody has taken is to be told of again, or further receivers of it",
        query: "SELECT id::text FROM incidents \
                WHERE status <> 'triggered' AND (remind_at IS NOT NULL OR escalate_at IS NOT NULL)",
    },
    Invariant {
        name: "version-from-one",
        rule: "an incident's version is 1 or more",
        query: "SELECT id::text FROM incidents WHERE version < 1",
    },
    Invariant {
        name: "notice-of-known-version",
        rule: "a notice tells of a version that its incident has had",
        query: "SELECT n.id::text FROM notifications n JOIN incidents i ON i.id = n.incident_id \
                WHERE n.revision NOT BETWEEN 1 AND i.version",
    },
    Invariant {
        name: "one-notice-waits",
        rule: "at most one notice of an incident that was never tried waits for its time, per receiver (and per receiver in \
               whose place that one is told)",
        query: "SELECT concat_ws(' ', incident_id, receiver, instead_of) FROM notifications \
                WHERE status = 'pending' AND attempts = 0 AND next_attempt_at > now() \
                GROUP BY incident_id, receiver, instead_of HAVING count(*) > 1",
    },
    Invariant {
        name: "finished-notice-has-time",
        rule: "a notice has a time of its end if it has ended, and only then",
        query: "SELECT id::text FROM notifications \
                WHERE (status IN ('delivered', 'superseded', 'dead')) <> (finished_at IS NOT NULL)",
    },
    Invariant {
        name: "lease-while-sending",
        rule: "a notice is leased while it is sent, and only then",
        query: "SELECT id::text FROM notifications \
                WHERE (status = 'sending') <> (lease_token IS NOT NULL) OR (lease_token IS NULL) <> (lease_until IS NULL)",
    },
    Invariant {
        name: "attempt-of-known-notice",
        rule: "an attempt is one at a notice of the ledger",
        query: "SELECT d.notification_id::text FROM deliveries d \
                WHERE NOT EXISTS (SELECT FROM notifications n WHERE n.id = d.notification_id)",
    },
    Invariant {
        name: "alert-was-told-of",
        rule: "an alert has had an event at least",
        query: "SELECT id::text FROM alerts WHERE occurrences < 1",
    },
    Invariant {
        name: "event-is-known",
        // For a day no id is purged: `TOCSIN_WORKER_EVENT_ID_RETENTION` is at least as long.
        rule: "what an alert was last changed by, not older than a day, is among the applied events and commands",
        query: "SELECT a.id::text FROM alerts a WHERE a.received_at > now() - interval '24 hours' \
                AND NOT EXISTS (SELECT FROM event_ids e WHERE e.id = a.event_id) \
                AND NOT EXISTS (SELECT FROM commands c WHERE c.id = a.event_id)",
    },
    Invariant {
        name: "tallies-are-right",
        rule: "the counters say how many incidents and alerts there are of each kind",
        query: "SELECT concat_ws(' ', kind, status, severity, source) FROM ( \
                    SELECT 'incidents' AS kind, status, severity, '' AS source, 1 AS n FROM incidents \
                    UNION ALL SELECT 'alerts', status, severity, source, 1 FROM alerts \
                    UNION ALL SELECT of, status, severity, source, -count FROM tallies) AS counted \
                GROUP BY kind, status, severity, source HAVING sum(n) <> 0",
    },
    Invariant {
        name: "alert-can-be-found",
        rule: "an alert is found by its title and its labels as they are",
        query: "SELECT coalesce(a.id, t.alert_id)::text FROM alerts a FULL JOIN alert_terms t ON t.alert_id = a.id \
                WHERE (a.title, a.labels) IS DISTINCT FROM (t.title, t.labels)",
    },
    Invariant {
        name: "incident-can-be-found",
        rule: "an incident is found by its title, its labels and its time as they are",
        query: "SELECT coalesce(i.number, t.number)::text FROM incidents i FULL JOIN incident_terms t USING (number) \
                WHERE (i.title, i.labels, floor(extract(epoch FROM i.created_at))) \
                IS DISTINCT FROM (t.title, t.labels, t.seconds)",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_invariant_has_a_name_of_its_own() {
        let names: HashSet<_> = INVARIANTS.iter().map(|invariant| invariant.name).collect();
        assert_eq!(names.len(), INVARIANTS.len());
    }
}
