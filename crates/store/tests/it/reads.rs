//! Lists of tables that are large: what they find, what it costs, and what they count.

use std::collections::BTreeSet;
use std::time::Duration;

use tocsin_shared::{AlertId, AlertStatus, IncidentSeverity, IncidentStatus, MatchOp, Matcher};
use tocsin_store::{AlertFilter, IncidentFilter, IncidentPlace, NoticeFilter, Retention, Store, Total, Window, verify};
use tocsin_testbed::{Database, poll};

use crate::stage::{apply, delivery, firing, fresh, resolved};

/// How many incidents there are, each with an alert and a notice: too many to be read one by one.
const ROWS: i64 = 30_000;

/// Newest first: one in a hundred is open; `team-0` to `team-9` and `zone-0` to `zone-499` take turns; the oldest is alone with
/// its label.
const FILL: &str = "\
INSERT INTO incidents (id, title, status, severity, group_key, labels, alert_count, firing_critical, firing_warning, \
    firing_info, created_at, triggered_at, resolved_at, updated_at, version) \
SELECT (lpad(to_hex(1700000000000 + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid, \
    'Service ' || CASE n % 500 WHEN 7 THEN 'ördlich' ELSE 'usual' END || ' answers slowly ' || n, \
    CASE WHEN n % 100 = 0 THEN 'triggered' WHEN n % 100 = 50 THEN 'canceled' ELSE 'resolved' END, \
    (ARRAY['critical', 'high', 'medium', 'low'])[n % 4 + 1], n::text, \
    jsonb_build_object('team', 'team-' || n % 10, 'zone', 'zone-' || n % 500) || CASE n WHEN 1 THEN '{\"only\": \"one\"}' ELSE '{}' END::jsonb, \
    1, 0, CASE WHEN n % 100 = 0 THEN 1 ELSE 0 END, 0, at, at, CASE WHEN n % 100 = 0 THEN NULL ELSE at END, at, 1 \
FROM generate_series(1, $ROWS) AS n, LATERAL (SELECT $AT AS at) AS t; \
INSERT INTO alerts (id, integration, fingerprint, source, status, severity, title, labels, annotations, incident_id, \
    started_at, event_at, event_id, received_at, last_seen_at, occurrences) \
SELECT id, 'default', number::text, (ARRAY['prometheus', 'grafana'])[number % 2 + 1], \
    CASE status WHEN 'triggered' THEN 'firing' ELSE 'resolved' END, 'warning', title, labels, '{}', id, created_at, created_at, id, \
    created_at, created_at, 1 FROM incidents; \
INSERT INTO notifications (id, incident_id, receiver, revision, kind, status, trace, created_at, finished_at) \
SELECT id, id, 'ops-' || number % 3, 1, 'triggered', CASE number % 1000 WHEN 0 THEN 'dead' ELSE 'delivered' END, '', \
    created_at, created_at FROM incidents";

/// One in each second.
const STEADILY: &str = "'2026-01-01'::timestamptz + n * interval '1 second'";

/// A third in a storm of five seconds, then two years of silence, then an hour apart, and the last ones now.
const UNEVENLY: &str = "CASE WHEN n <= 10000 THEN '2021-01-01'::timestamptz + n * interval '500 us' \
    WHEN n <= 29700 THEN '2023-01-01'::timestamptz + n * interval '1 hour' \
    ELSE '2026-06-01'::timestamptz + n * interval '1 ms' END";

async fn filled() -> (Store, Database) {
    filled_at(STEADILY).await
}

/// Where the `n`th incident was made at this time.
async fn filled_at(at: &str) -> (Store, Database) {
    let (store, database) = fresh().await;
    // Made when all rows are there, an index takes a fraction of the time.
    let find = "SELECT pg_get_indexdef(oid) FROM pg_class WHERE relname IN ('incident_terms_find', 'alert_terms_find')";
    let indexes: Vec<String> = database.sql(find).await.unwrap().into_iter().flatten().collect();
    database.sql("DROP INDEX incident_terms_find, alert_terms_find").await.unwrap();
    database.sql(&FILL.replace("$ROWS", &ROWS.to_string()).replace("$AT", at)).await.unwrap();
    database.sql(&indexes.join(";")).await.unwrap();
    for table in ["incidents", "incident_terms", "alerts", "alert_terms", "notifications"] {
        database.sql(&format!("VACUUM ANALYZE {table}")).await.unwrap();
    }
    (store, database)
}

fn window<C>(before: Option<C>) -> Window<C> {
    Window { before, offset: 0, limit: 50 }
}

fn matchers(texts: &[&str]) -> Vec<Matcher> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Everything that a filter finds, and the number of requests that it took.
async fn all_incidents(store: &Store, filter: &IncidentFilter) -> (Vec<i64>, usize) {
    let (mut numbers, mut before, mut requests) = (Vec::new(), None, 0);
    loop {
        let page = store.incident_list(filter, window(before)).await.unwrap();
        numbers.extend(page.items.iter().map(|record| record.number));
        requests += 1;
        before = page.next;
        if before.is_none() {
            return (numbers, requests);
        }
    }
}

/// The numbers of those that hold, newest first.
fn numbers(holds: impl Fn(i64) -> bool) -> Vec<i64> {
    (1..=ROWS).rev().filter(|n| holds(*n)).collect()
}

#[tokio::test]
async fn every_filter_finds_all_that_it_is_for_and_nothing_else() {
    filters_find_what_they_are_for(STEADILY).await;
}

#[tokio::test]
async fn filters_find_all_through_storms_and_silence() {
    filters_find_what_they_are_for(UNEVENLY).await;
}

async fn filters_find_what_they_are_for(at: &str) {
    let (store, _) = filled_at(at).await;
    let labelled = |texts: &[&str]| IncidentFilter { labels: matchers(texts), ..IncidentFilter::default() };
    let text = |text: &str| IncidentFilter { text: Some(text.to_owned()), ..IncidentFilter::default() };
    let open = IncidentFilter { status: vec![IncidentStatus::Triggered], ..IncidentFilter::default() };
    let cases: [(&str, IncidentFilter, Vec<i64>); 12] = [
        ("one in a hundred, by state", open.clone(), numbers(|n| n % 100 == 0)),
        (
            "several states and severities",
            IncidentFilter {
                status: vec![IncidentStatus::Triggered, IncidentStatus::Canceled, IncidentStatus::Triggered],
                severity: vec![IncidentSeverity::Critical, IncidentSeverity::Medium],
                ..IncidentFilter::default()
            },
            numbers(|n| n % 50 == 0 && n % 2 == 0),
        ),
        ("a rare label", labelled(&["only=one"]), vec![1]),
        ("a label of one in five hundred", labelled(&["zone=zone-7"]), numbers(|n| n % 500 == 7)),
        ("no such label", labelled(&["only=two"]), vec![]),
        ("what is unequal, of a rare label", labelled(&["zone=zone-8", "team!=team-8"]), vec![]),
        ("one label with two values", labelled(&["team=team-1", "team=team-2"]), vec![]),
        ("a label that is empty", labelled(&["only=\"\"", "zone=zone-1"]), numbers(|n| n % 500 == 1 && n != 1)),
        (
            "a regular expression alone",
            labelled(&["zone=~\"zone-(3|4)99\""]),
            numbers(|n| n % 500 == 399 || n % 500 == 499),
        ),
        ("a text of one in five hundred", text("ÖRDLICH answers"), numbers(|n| n % 500 == 7)),
        (
            "a text with a label",
            IncidentFilter { text: Some("slowly 1".to_owned()), ..labelled(&["zone=zone-9"]) },
            numbers(|n| n % 500 == 9 && n.to_string().starts_with('1')),
        ),
        (
            "a label in a state",
            IncidentFilter { status: open.status.clone(), ..labelled(&["zone=zone-100"]) },
            numbers(|n| n % 500 == 100),
        ),
    ];
    for (what, filter, expected) in cases {
        let (found, requests) = all_incidents(&store, &filter).await;
        assert_eq!(found, expected, "{what}");
        assert!(requests <= 3 + expected.len() / 10, "{what}: {requests} requests");
    }
}

#[tokio::test]
async fn a_part_of_the_time_is_a_range_of_the_index() {
    let (store, _) = filled().await;
    let at = |n: i64| {
        "2026-01-01T00:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap() + chrono::TimeDelta::seconds(n)
    };
    let hour =
        IncidentFilter { created_after: Some(at(100)), created_before: Some(at(200)), ..IncidentFilter::default() };
    assert_eq!(all_incidents(&store, &hour).await.0, numbers(|n| (100..200).contains(&n)));
    let open = IncidentFilter { status: vec![IncidentStatus::Triggered], ..hour.clone() };
    assert_eq!(all_incidents(&store, &open).await.0, [100]);
    let page = store.incident_list(&hour, window(None)).await.unwrap();
    assert_eq!(page.total, Total::exactly(100), "what was made in a part of the time is counted");
    let long = IncidentFilter { created_after: Some(at(0)), ..IncidentFilter::default() };
    let page = store.incident_list(&long, window(None)).await.unwrap();
    assert_eq!(page.total, Total { count: 10_000, is_exact: false }, "as far as that costs little");
}

#[tokio::test]
async fn the_newest_of_what_is_rare_are_found_without_the_others() {
    let (store, database) = filled().await;
    let filter = IncidentFilter { labels: matchers(&["zone=zone-7"]), ..IncidentFilter::default() };
    let page = store.incident_list(&filter, Window { before: None, offset: 0, limit: 5 }).await.unwrap();
    assert_eq!(page.items.iter().map(|record| record.number).collect::<Vec<_>>(), numbers(|n| n % 500 == 7)[..5]);
    assert_eq!(page.total, Total::exactly(60), "few enough are counted, shown or not");
    let text = IncidentFilter { text: Some("ördlich".to_owned()), ..IncidentFilter::default() };
    let found = store.incident_list(&text, Window { before: None, offset: 0, limit: 5 }).await.unwrap();
    assert!(!found.total.is_exact && (6..60).contains(&found.total.count), "{:?}", found.total);
    let open = IncidentFilter { status: vec![IncidentStatus::Triggered], ..text };
    let found = store.incident_list(&open, Window { before: None, offset: 0, limit: 5 }).await.unwrap();
    assert_eq!(found.total, Total::exactly(0), "those that are open were all looked at");
    let rest = store.incident_list(&filter, Window { before: page.next, offset: 0, limit: 250 }).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (55, None));
    let (after, before) =
        (database.sql("SELECT created_at FROM incidents WHERE number IN (1007, 507) ORDER BY 1").await)
            .unwrap()
            .into_iter()
            .map(|row| format!("{}:00", row[0]).parse().unwrap())
            .fold((None, None), |(_, before), at| (before, Some(at)));
    let part = IncidentFilter { created_after: after, created_before: before, ..filter };
    assert_eq!(all_incidents(&store, &part).await.0, [507], "from the one on, to before the other");
}

#[tokio::test]
async fn alerts_are_found_by_state_source_label_and_text() {
    let (store, database) = filled().await;
    let all = async |filter: AlertFilter| {
        let (mut ids, mut before): (Vec<AlertId>, _) = (Vec::new(), None);
        loop {
            let page = store.alert_list(&filter, window(before)).await.unwrap();
            ids.extend(page.items.iter().map(|alert| alert.id));
            before = page.next;
            if before.is_none() {
                return ids;
            }
        }
    };
    let expected = async |condition: &str| {
        let rows = database.sql(&format!("SELECT id FROM alerts WHERE {condition} ORDER BY id DESC")).await.unwrap();
        rows.into_iter().map(|row| row[0].parse::<AlertId>().unwrap()).collect::<Vec<_>>()
    };
    let firing = AlertFilter { status: vec![AlertStatus::Firing], ..AlertFilter::default() };
    assert_eq!(all(firing.clone()).await, expected("status = 'firing'").await);
    let grafana = AlertFilter { source: vec!["grafana".to_owned(), "nobody".to_owned()], ..firing.clone() };
    assert_eq!(all(grafana).await, expected("status = 'firing' AND source = 'grafana'").await);
    let zone = AlertFilter { labels: matchers(&["zone=zone-3"]), ..AlertFilter::default() };
    assert_eq!(all(zone).await, expected("labels ->> 'zone' = 'zone-3'").await);
    let text = AlertFilter { text: Some("slowly 2999".to_owned()), ..AlertFilter::default() };
    assert_eq!(all(text).await, expected("title LIKE '%slowly 2999%'").await);
}

#[tokio::test]
async fn no_list_reads_a_large_table_whole() {
    let (store, database) = filled().await;
    let read = "SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_user_tables \
                WHERE relname IN ('incidents', 'incident_terms', 'alerts', 'alert_terms', 'notifications')";
    // What was read is told with a delay, and the test itself has filled the tables by reading them.
    database.sql("SELECT pg_stat_force_next_flush(); SELECT pg_stat_reset()").await.unwrap();
    let labels = || matchers(&["zone=zone-3", "team=~\"team-.*\""]);
    let texts = || [None, Some("answers".to_owned()), Some("slowly 17".to_owned()), Some("ly".to_owned())];
    for labels in [Vec::new(), labels(), vec![Matcher::new("zone", MatchOp::NotEqual, "x").unwrap()]] {
        for text in texts() {
            for status in [vec![], vec![IncidentStatus::Triggered, IncidentStatus::Acknowledged]] {
                let filter =
                    IncidentFilter { labels: labels.clone(), text: text.clone(), status, ..IncidentFilter::default() };
                let page = store.incident_list(&filter, window(None)).await.unwrap();
                store.incident_list(&filter, window(page.next)).await.unwrap();
            }
            for (status, source) in [(vec![], vec![]), (vec![AlertStatus::Firing], vec!["grafana".to_owned()])] {
                let filter = AlertFilter {
                    labels: labels.clone(),
                    text: text.clone(),
                    status,
                    source,
                    ..AlertFilter::default()
                };
                let page = store.alert_list(&filter, window(None)).await.unwrap();
                store.alert_list(&filter, window(page.next)).await.unwrap();
            }
        }
    }
    for receiver in [vec![], vec!["ops-1".to_owned()]] {
        for status in [vec![], vec!["dead".parse().unwrap()]] {
            let filter = NoticeFilter { receiver: receiver.clone(), status, incident: None };
            let page = store.notice_list(&filter, window(None)).await.unwrap();
            store.notice_list(&filter, window(page.next)).await.unwrap();
        }
    }
    drop(store);
    let looked = "SELECT sum(idx_scan) FROM pg_stat_user_tables WHERE relname IN ('incidents', 'alerts')";
    poll::until("what was read to be told", Duration::from_secs(10), async || {
        poll::expect(database.sql(looked).await.unwrap()[0][0].parse::<i64>().unwrap_or(0), |scans| *scans > 100)
    })
    .await
    .unwrap();
    assert_eq!(database.sql(read).await.unwrap(), [["0"]]);
}

#[tokio::test]
async fn totals_follow_what_is_written_by_whomever() {
    let (store, database) = fresh().await;
    let total = async |status: Vec<IncidentStatus>| {
        let filter = IncidentFilter { status, ..IncidentFilter::default() };
        store.incident_list(&filter, window(None::<IncidentPlace>)).await.unwrap().total
    };
    apply(&store, &(0..20).map(|n| firing(&format!("g-{n}"), 1)).collect::<Vec<_>>()).await;
    apply(&store, &(0..5).map(|n| resolved(&format!("g-{n}"), 2)).collect::<Vec<_>>()).await;
    assert_eq!(total(vec![]).await, Total::exactly(20));
    assert_eq!(total(vec![IncidentStatus::Triggered]).await, Total::exactly(15));
    assert_eq!(total(vec![IncidentStatus::Resolved, IncidentStatus::Canceled]).await, Total::exactly(5));
    assert!(store.tallies_fold().await.unwrap().done > 0);
    assert_eq!(database.sql("SELECT count(*) FROM tallies WHERE slot <> 0").await.unwrap(), [["0"]]);
    assert_eq!(total(vec![IncidentStatus::Triggered]).await, Total::exactly(15), "adding up changes no sum");
    apply(&store, &[resolved("g-7", 3)]).await;
    assert_eq!(total(vec![IncidentStatus::Triggered]).await, Total::exactly(14));
    database
        .sql("UPDATE incidents SET resolved_at = now() - interval '90 days' WHERE status = 'resolved'")
        .await
        .unwrap();
    let day = Duration::from_hours(24);
    store.retention_step(Retention { incidents: 30 * day, commands: day }).await.unwrap();
    assert_eq!(total(vec![]).await, Total::exactly(14), "what is forgotten is not counted");
    assert_eq!(verify(&database.url().into()).await.unwrap(), []);
}

#[tokio::test]
async fn totals_are_right_while_many_write_and_somebody_adds_up() {
    let (store, database) = fresh().await;
    let writers = (0..4).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..15 {
                let pod = format!("pod-{n}");
                apply(&store, &[delivery(&format!("w-{writer}-{n}"), &pod, AlertStatus::Firing, n)]).await;
                apply(&store, &[delivery(&format!("w-{writer}-{n}"), &pod, AlertStatus::Resolved, n + 100)]).await;
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        store.tallies_fold().await.unwrap();
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(verify(&database.url().into()).await.unwrap(), []);
    let resolved = AlertFilter { status: vec![AlertStatus::Resolved], ..AlertFilter::default() };
    assert_eq!(store.alert_list(&resolved, window(None)).await.unwrap().total, Total::exactly(60));
}

#[tokio::test]
async fn an_alert_is_found_by_the_title_that_it_has_now() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1)]).await;
    let mut renamed = firing("Down", 2);
    renamed.alerts[0].title = "Another title".to_owned();
    apply(&store, &[renamed]).await;
    // Enough others that a walk does not come to it.
    apply(&store, &(0..300).map(|n| firing(&format!("other-{n:04}"), 3)).collect::<Vec<_>>()).await;
    let found = async |text: &str| {
        let filter = AlertFilter { text: Some(text.to_owned()), ..AlertFilter::default() };
        let page = store.alert_list(&filter, window(None)).await.unwrap();
        (page.items.len(), page.total)
    };
    assert_eq!(found("another TITLE").await, (1, Total::exactly(1)));
    assert_eq!(found("Down on one").await, (0, Total::exactly(0)));
    database.sql("UPDATE incidents SET title = 'Renamed' WHERE number = 1").await.unwrap();
    let renamed = IncidentFilter { text: Some("renamed".to_owned()), ..IncidentFilter::default() };
    let page = store.incident_list(&renamed, window(None)).await.unwrap();
    assert_eq!(page.total, Total::exactly(page.items.len().try_into().unwrap()));
    assert_eq!(page.items.len(), 1);
    let mut titles = BTreeSet::new();
    for row in database.sql("SELECT title FROM alert_terms WHERE title LIKE '%title%'").await.unwrap() {
        titles.insert(row[0].clone());
    }
    assert_eq!(titles.into_iter().collect::<Vec<_>>(), ["Another title"]);
}
