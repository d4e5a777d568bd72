//! What there is to read: incidents as a year of a large company leaves them.

use std::ops::Range;

/// Most services: what each has one in so many.
const MAX_SERVICES: u32 = 997;
/// At least so many incidents of each service, and of each state, or a page would not be full.
const AT_LEAST: u32 = 100;
/// One in so many incidents is triggered, and one acknowledged, where there are enough.
const ONE_OPEN_IN: u32 = 400;
/// Alerts that one statement writes: what triggers look at is kept until its end.
const ALERTS_AT_ONCE: u32 = 200_000;

/// How much there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) incidents: u32,
    /// Of each incident.
    pub(super) alerts: u32,
}

impl Size {
    /// How many services take turns.
    pub(super) fn services(self) -> u32 {
        (self.incidents / AT_LEAST).clamp(1, MAX_SERVICES)
    }

    fn one_open_in(self) -> u32 {
        (self.incidents / AT_LEAST).clamp(2, ONE_OPEN_IN)
    }

    /// Numbers of incidents that one statement writes.
    fn parts(self) -> impl Iterator<Item = Range<u32>> {
        let at_once = (ALERTS_AT_ONCE / self.alerts).max(1);
        (1..=self.incidents).step_by(at_once as usize).map(move |first| {
            let next = first.saturating_add(at_once).min(self.incidents + 1);
            first..next
        })
    }
}

/// SQL that makes incidents numbered from 1, with their alerts, memberships and three timeline entries each. Indexes of labels
/// and texts are made when all rows are there, which takes a third of the time.
pub(super) fn statements(size: Size) -> Vec<String> {
    let mut statements = vec![
        "CREATE TEMP TABLE later AS SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition \
         FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam \
         WHERE amname = 'gin' AND indrelid::regclass::text IN ('incident_terms', 'alert_terms')"
            .to_owned(),
        each_later("'DROP INDEX ' || name"),
    ];
    statements.extend(size.parts().flat_map(|numbers| part(size, &numbers)));
    statements.push(each_later("definition"));
    let tables = ["incidents", "incident_terms", "alerts", "alert_terms", "incident_alerts", "timeline", "tallies"];
    statements.extend(tables.map(|table| format!("VACUUM (ANALYZE) {table}")));
    statements.push("CHECKPOINT".to_owned());
    statements
}

/// What makes the incidents of these numbers.
fn part(size: Size, numbers: &Range<u32>) -> [String; 4] {
    let Range { start: first, end: next } = *numbers;
    let Size { incidents, alerts } = size;
    let (services, open) = (size.services(), size.one_open_in());
    let these = format!("number >= {first} AND number < {next}");
    [
        format!(
            "INSERT INTO incidents (id, title, summary, status, severity, group_key, labels, alert_count, \
                 firing_critical, firing_warning, firing_info, created_at, triggered_at, acknowledged_at, \
                 acknowledged_by, resolved_at, updated_at, version) \
             SELECT {id}, {TITLE} || ' on service-' || n % {services}, '{SUMMARY}', status, \
                 (ARRAY['critical', 'high', 'medium', 'low'])[n % 4 + 1], \
                 '{{}}:{{alertname=\"a\", number=\"' || n || '\"}}', \
                 jsonb_build_object('alertname', {TITLE}, 'service', 'service-' || n % {services}, \
                     'namespace', 'ns-' || n % 20, 'team', 'team-' || n % 12, 'pod', 'pod-' || n, \
                     'cluster', 'eu-' || n % 3, 'instance', '10.1.2.3:9090'), \
                 {alerts}, (status IN ('triggered', 'acknowledged'))::int * {alerts}, 0, 0, at, at, \
                 CASE WHEN status <> 'triggered' THEN at + interval '2 min' END, \
                 CASE WHEN status <> 'triggered' THEN 'Ada via ops' END, \
                 CASE WHEN status IN ('resolved', 'canceled') THEN at + interval '1 hour' END, at, 3 \
             FROM generate_series({first}, {next} - 1) AS n, \
                 LATERAL (SELECT now() - interval '365 days' * ({incidents} - n) / {incidents} AS at, \
                     CASE WHEN n % {open} = 0 THEN 'triggered' WHEN n % {open} = 1 THEN 'acknowledged' \
                         WHEN n % 97 = 0 THEN 'canceled' ELSE 'resolved' END AS status) AS t \
             ORDER BY n",
            id = id("at", "0", "n"),
        ),
        format!(
            "INSERT INTO alerts (id, integration, fingerprint, source, status, severity, title, description, labels, \
                 annotations, incident_id, started_at, ended_at, event_at, event_id, received_at, last_seen_at, occurrences) \
             SELECT {id}, 'bench', substr(md5(number || '.' || k), 1, 16), \
                 (ARRAY['prometheus', 'grafana', 'generic'])[number % 3 + 1], \
                 CASE WHEN resolved_at IS NULL THEN 'firing' ELSE 'resolved' END, \
                 (ARRAY['critical', 'warning', 'info'])[number % 3 + 1], title, '{SUMMARY}', \
                 labels || jsonb_build_object('replica', k::text), \
                 jsonb_build_object('runbook', 'https://wiki.example/runbooks/' || number % 50, 'description', '{SUMMARY}'), \
                 id, created_at, resolved_at, created_at, gen_random_uuid(), created_at, created_at, 4 \
             FROM incidents, generate_series(1, {alerts}) AS k WHERE {these} ORDER BY number, k",
            id = id("created_at", "k", "number"),
        ),
        format!(
            "INSERT INTO incident_alerts SELECT incident_id, alerts.id FROM alerts \
             JOIN incidents ON incidents.id = incident_id WHERE {these}"
        ),
        format!(
            "INSERT INTO timeline (incident_id, at, kind, content) \
             SELECT id, created_at, (ARRAY['triggered', 'acknowledged', 'resolved'])[place], \
                 'What happened to it, and who had a hand in it' \
             FROM incidents, generate_series(1, 3) AS place WHERE {these} ORDER BY number, place"
        ),
    ]
}

/// An id as the services make them: milliseconds first.
fn id(at: &str, place: &str, number: &str) -> String {
    format!(
        "(lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex({place}), 3, '0') || '8000' \
         || lpad(to_hex({number}), 12, '0'))::uuid"
    )
}

/// Runs a statement for each index that is made later.
fn each_later(statement: &str) -> String {
    format!(
        "DO $$ DECLARE statement text; BEGIN \
             FOR statement IN SELECT {statement} FROM later LOOP EXECUTE statement; END LOOP; \
         END $$"
    )
}

const TITLE: &str = "(ARRAY['High request latency', 'Disk almost full', 'Pod restarts too often', \
    'Certificate expires soon', 'Queue grows'])[n % 5 + 1]";
const SUMMARY: &str = "The 99th percentile of its latency has been above 500 ms for ten minutes.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_incident_is_of_one_part() {
        for size in [Size { incidents: 1_000, alerts: 1 }, Size { incidents: 450_000, alerts: 10 }] {
            let numbers: Vec<u32> = size.parts().flatten().collect();
            assert_eq!(numbers, (1..=size.incidents).collect::<Vec<_>>(), "{size:?}");
        }
    }
}
