//! Batches: applied once, whatever is repeated.

use std::collections::BTreeMap;

use tocsin_shared::{AlertStatus, EventId, IncidentStatus};
use tocsin_store::{AlertFilter, Applied, DeadLetter, IncidentFilter, Window};
use tocsin_testbed::Database;

use crate::stage::{apply, at, delivery, firing, fresh, labels, policy, resolved};

const TABLES: [&str; 17] = [
    "alert_terms",
    "alerts",
    "commands",
    "dead_letters",
    "deliveries",
    "event_ids",
    "events",
    "inbox",
    "incident_alerts",
    "incident_terms",
    "incidents",
    "messages",
    "notifications",
    "receivers_gone",
    "silences",
    "tallies",
    "timeline",
];

/// Everything that the database holds, as text.
async fn contents(database: &Database) -> BTreeMap<&'static str, Vec<String>> {
    let mut contents = BTreeMap::new();
    for table in TABLES {
        let rows = database.sql(&format!("SELECT t::text FROM {table} AS t ORDER BY 1")).await.unwrap();
        contents.insert(table, rows.into_iter().flatten().collect());
    }
    contents
}

fn unreadable(entry_id: &str) -> DeadLetter {
    let fields = [("v", "9"), ("body", "a\0b")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    DeadLetter {
        stream: "events",
        entry_id: entry_id.to_owned(),
        fields: fields.into(),
        reason: "envelope version \"9\" is not supported".to_owned(),
    }
}

#[tokio::test]
async fn no_table_is_forgotten_when_contents_are_compared() {
    let (_, database) = fresh().await;
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' \
                  AND table_name NOT LIKE '\\_\\_diesel%' AND table_name NOT LIKE 'events\\_%' ORDER BY 1";
    assert_eq!(database.sql(tables).await.unwrap().concat(), TABLES);
}

#[tokio::test]
async fn a_batch_that_is_applied_again_changes_nothing() {
    let (store, database) = fresh().await;
    let batch = [
        firing("Down", 1),
        delivery("Down", "two", AlertStatus::Firing, 2),
        firing("Slow", 3),
        resolved("Slow", 4),
        resolved("Down", 5),
    ];
    let dead = [unreadable("7-0")];
    let first = store.batch_apply(&batch, &dead, &policy()).await.unwrap();
    assert_eq!(first, Applied { fresh: 5, repeated: 0, opened: 2, notices: 4 });
    let mut before = contents(&database).await;
    assert_eq!(before["dead_letters"].len(), 1);
    assert_eq!(before["alerts"].len(), 3);

    let second = store.batch_apply(&batch, &dead, &policy()).await.unwrap();
    assert_eq!(second, Applied { fresh: 0, repeated: 5, opened: 0, notices: 0 });
    let mut after = contents(&database).await;
    let history = [&mut before, &mut after].map(|contents| contents.remove("events").unwrap_or_default().len());
    assert_eq!(history, [5, 10], "only the history tells that it came again");
    assert_eq!(after, before);
}

#[tokio::test]
async fn of_two_copies_in_one_batch_one_is_applied() {
    let (store, database) = fresh().await;
    let applied = apply(&store, &[firing("Down", 1), firing("Down", 1)]).await;
    assert_eq!(applied, Applied { fresh: 1, repeated: 1, opened: 1, notices: 1 });
    assert_eq!(database.sql("SELECT occurrences FROM alerts").await.unwrap(), [["1"]]);
}

#[tokio::test]
async fn what_is_new_in_a_batch_is_applied_although_the_rest_is_repeated() {
    let (store, database) = fresh().await;
    apply(&store, &[firing("Down", 1)]).await;
    let applied = apply(&store, &[firing("Down", 1), firing("Down", 2), firing("Slow", 3)]).await;
    assert_eq!(applied, Applied { fresh: 2, repeated: 1, opened: 1, notices: 1 });
    let occurrences = database.sql("SELECT title, occurrences FROM alerts ORDER BY 1").await.unwrap();
    assert_eq!(occurrences, [["Down on one", "2"], ["Slow on one", "1"]]);
}

#[tokio::test]
async fn an_incident_may_close_and_the_next_of_its_group_open_in_one_batch() {
    let (store, _) = fresh().await;
    apply(&store, &[firing("Down", 1)]).await;
    let applied = apply(&store, &[resolved("Down", 2), firing("Down", 3)]).await;
    assert_eq!(applied, Applied { fresh: 2, repeated: 0, opened: 1, notices: 2 });
    let window = Window { before: None, offset: 0, limit: 10 };
    let page = store.incident_list(&IncidentFilter::default(), window).await.unwrap();
    let statuses: Vec<_> = page.items.iter().map(|record| record.incident.status).collect();
    assert_eq!(statuses, [IncidentStatus::Triggered, IncidentStatus::Resolved], "newest first");
}

#[tokio::test]
async fn an_incident_tells_its_story_in_order() {
    let (store, _) = fresh().await;
    apply(&store, &[firing("Down", 1), delivery("Down", "two", AlertStatus::Firing, 2)]).await;
    apply(&store, &[resolved("Down", 3), delivery("Down", "two", AlertStatus::Resolved, 4)]).await;
    let record = store.incident_get_by_number(1).await.unwrap().unwrap();
    let entries = store.timeline_list(record.incident.id).await.unwrap();
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["incident_triggered", "alert_firing", "alert_resolved", "alert_resolved", "incident_resolved"]);
    let members = store.incident_alerts(record.incident.id).await.unwrap();
    assert_eq!(members.len(), 2);
    assert!(members.iter().all(|alert| alert.incident_id == Some(record.incident.id)));
}

#[tokio::test]
async fn what_was_applied_is_read_back_whole() {
    let (store, _) = fresh().await;
    let mut told = firing("Down", 1);
    let event = &mut told.alerts[0];
    event.external_id = Some("check-7".to_owned());
    event.description = Some("line one\nline \"two\" \\ three".to_owned());
    event.annotations = labels(&[("runbook", "https://wiki.example/down"), ("empty", "")]);
    event.source_url = Some("https://prometheus.example/graph".to_owned());
    apply(&store, std::slice::from_ref(&told)).await;
    let window = Window { before: None, offset: 0, limit: 1 };
    let page = store.alert_list(&AlertFilter::default(), window).await.unwrap();
    let alert = store.alert_get(page.items[0].id).await.unwrap().unwrap();
    assert_eq!(alert.newest, told.alerts[0]);
    assert_eq!((alert.newest_id, alert.received_at, alert.source.as_str()), (told.id, told.received_at, "generic"));
    let record = store.incident_get(alert.incident_id.unwrap()).await.unwrap().unwrap();
    assert_eq!(record.incident.summary, told.alerts[0].description);
    assert_eq!(record.incident.labels, told.alerts[0].labels);
}

#[tokio::test]
async fn an_acknowledgement_reaches_the_incident_whether_or_not_its_alert_is_in_the_batch() {
    let (store, _) = fresh().await;
    let acknowledged = |group: &str, second| {
        let mut told = firing(group, second);
        told.id = EventId::of_delivery("default", &format!("{group}/acknowledged/{second}"));
        told.acknowledged = told.alerts.drain(..).map(|event| event.fingerprint).collect();
        told
    };
    apply(&store, &[firing("Down", 1)]).await;
    let applied = apply(&store, &[acknowledged("Down", 2), firing("Slow", 2), acknowledged("Slow", 3)]).await;
    assert_eq!(applied, Applied { fresh: 3, repeated: 0, opened: 1, notices: 3 });
    for (number, at) in [(1, at(2)), (2, at(3))] {
        let incident = store.incident_get_by_number(number).await.unwrap().unwrap().incident;
        assert_eq!(incident.status, IncidentStatus::Acknowledged);
        assert_eq!((incident.acknowledged_at, incident.acknowledged_by.as_deref()), (Some(at), Some("default")));
    }
    let applied = apply(&store, &[acknowledged("Unknown", 4), acknowledged("Down", 5)]).await;
    assert_eq!(applied, Applied { fresh: 2, repeated: 0, opened: 0, notices: 0 });
    apply(&store, &[resolved("Down", 6)]).await;
    let incident = store.incident_get_by_number(1).await.unwrap().unwrap().incident;
    assert_eq!(
        (incident.status, incident.acknowledged_at),
        (IncidentStatus::Resolved, Some(at(2))),
        "it is remembered"
    );
}

#[tokio::test]
async fn a_dead_letter_is_kept_once_and_with_its_reason() {
    let (store, database) = fresh().await;
    for _ in 0..2 {
        let applied = store.batch_apply(&[], &[unreadable("7-0"), unreadable("7-0")], &policy()).await.unwrap();
        assert_eq!(applied, Applied::default());
    }
    store.batch_apply(&[], &[unreadable("7-1")], &policy()).await.unwrap();
    let letters = "SELECT stream, entry_id, fields->>'v', fields->>'body', reason FROM dead_letters ORDER BY 2";
    let reason = "envelope version \"9\" is not supported";
    assert_eq!(
        database.sql(letters).await.unwrap(),
        [["events", "7-0", "9", "a\u{fffd}b", reason], ["events", "7-1", "9", "a\u{fffd}b", reason]]
    );
}
