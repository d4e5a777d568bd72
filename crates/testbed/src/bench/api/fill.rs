//! What there is to read: incidents as a year of a large company leaves them, one in two hundred still open.

/// SQL that makes incidents numbered from 1, each with an alert, its membership and three timeline entries. Indexes of labels and
/// texts are made when all rows are there, which takes a third of the time.
pub(super) fn statements(incidents: u32) -> Vec<String> {
    let filled = format!(
        "INSERT INTO incidents (id, title, summary, status, severity, group_key, labels, alert_count, firing_critical, \
             firing_warning, firing_info, created_at, triggered_at, acknowledged_at, acknowledged_by, resolved_at, \
             updated_at, version) \
         SELECT (lpad(to_hex(1700000000000 + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid, \
             {TITLE} || ' on service-' || n % 997, '{SUMMARY}', status, \
             (ARRAY['critical', 'high', 'medium', 'low'])[n % 4 + 1], '{{}}:{{alertname=\"a\", number=\"' || n || '\"}}', \
             jsonb_build_object('alertname', {TITLE}, 'service', 'service-' || n % 997, 'namespace', 'ns-' || n % 20, \
                 'team', 'team-' || n % 12, 'pod', 'pod-' || n, 'cluster', 'eu-' || n % 3, 'instance', '10.1.2.3:9090'), \
             1, (status IN ('triggered', 'acknowledged'))::int, 0, 0, at, at, \
             CASE WHEN status <> 'triggered' THEN at + interval '2 min' END, \
             CASE WHEN status <> 'triggered' THEN 'Ada via ops' END, \
             CASE WHEN status IN ('resolved', 'canceled') THEN at + interval '1 hour' END, at, 3 \
         FROM generate_series(1, {incidents}) AS n, \
             LATERAL (SELECT now() - interval '365 days' * ({incidents} - n) / {incidents} AS at, \
                 CASE WHEN n % 400 = 0 THEN 'triggered' WHEN n % 400 = 1 THEN 'acknowledged' \
                     WHEN n % 97 = 0 THEN 'canceled' ELSE 'resolved' END AS status) AS t \
         ORDER BY n"
    );
    let alerts = format!(
        "INSERT INTO alerts (id, integration, fingerprint, source, status, severity, title, description, labels, \
             annotations, incident_id, started_at, ended_at, event_at, event_id, received_at, last_seen_at, occurrences) \
         SELECT id, 'bench', substr(md5(number::text), 1, 16), \
             (ARRAY['prometheus', 'grafana', 'generic'])[number % 3 + 1], \
             CASE WHEN resolved_at IS NULL THEN 'firing' ELSE 'resolved' END, \
             (ARRAY['critical', 'warning', 'info'])[number % 3 + 1], title, '{SUMMARY}', labels, \
             jsonb_build_object('runbook', 'https://wiki.example/runbooks/' || number % 50, 'description', '{SUMMARY}'), \
             id, created_at, resolved_at, created_at, gen_random_uuid(), created_at, created_at, 4 \
         FROM incidents ORDER BY number"
    );
    vec![
        "CREATE TEMP TABLE later AS SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition \
         FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam \
         WHERE amname = 'gin' AND indrelid::regclass::text IN ('incidents', 'alert_terms')"
            .to_owned(),
        each_later("'DROP INDEX ' || name"),
        filled,
        alerts,
        "INSERT INTO incident_alerts SELECT incident_id, id FROM alerts".to_owned(),
        "INSERT INTO timeline (incident_id, at, kind, content) \
         SELECT id, created_at, (ARRAY['triggered', 'acknowledged', 'resolved'])[place], \
             'What happened to it, and who had a hand in it' \
         FROM incidents, generate_series(1, 3) AS place ORDER BY number, place"
            .to_owned(),
        each_later("definition"),
        "VACUUM (ANALYZE) incidents".to_owned(),
        "VACUUM (ANALYZE) alerts".to_owned(),
        "VACUUM (ANALYZE) alert_terms".to_owned(),
        "VACUUM (ANALYZE) incident_alerts".to_owned(),
        "VACUUM (ANALYZE) timeline".to_owned(),
        "VACUUM (ANALYZE) tallies".to_owned(),
        "CHECKPOINT".to_owned(),
    ]
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
