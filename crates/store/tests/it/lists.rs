//! Lists: windows that hold still while rows come in, and filters.

use chrono::TimeDelta;
use tocsin_shared::{
    AlertId, AlertSeverity, AlertStatus, Envelope, IncidentSeverity, IncidentStatus, MatchOp, Matcher,
};
use tocsin_store::{AlertFilter, IncidentFilter, Store, Total, Window};

use crate::stage::{apply, delivery, firing, fresh, resolved};

fn window<C>(before: Option<C>, limit: i64) -> Window<C> {
    Window { before, offset: 0, limit }
}

async fn incident_titles(store: &Store, filter: IncidentFilter) -> Vec<String> {
    let page = store.incident_list(&filter, window(None, 50)).await.unwrap();
    assert_eq!((page.total, page.next), (Total::exactly(i64::try_from(page.items.len()).unwrap()), None));
    page.items.into_iter().map(|record| record.incident.title).collect()
}

async fn alert_titles(store: &Store, filter: AlertFilter) -> Vec<String> {
    let page = store.alert_list(&filter, window(None, 50)).await.unwrap();
    assert_eq!((page.total, page.next), (Total::exactly(i64::try_from(page.items.len()).unwrap()), None));
    page.items.into_iter().map(|alert| alert.newest.title).collect()
}

fn equal(pairs: &[(&str, &str)]) -> Vec<Matcher> {
    pairs.iter().map(|&(name, value)| Matcher::new(name, MatchOp::Equal, value).unwrap()).collect()
}

/// `count` firing alerts, each alone in its group.
fn alone(name: &str, count: usize) -> Vec<Envelope> {
    (0..count).map(|n| firing(&format!("{name}-{n}"), 1)).collect()
}

#[tokio::test]
async fn windows_on_incidents_visit_each_once_while_others_come_in() {
    let (store, _) = fresh().await;
    apply(&store, &alone("old", 23)).await;
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = store.incident_list(&IncidentFilter::default(), window(before, 5)).await.unwrap();
        before = page.next;
        seen.extend(page.items.iter().map(|record| record.number));
        if before.is_none() {
            break;
        }
        apply(&store, &alone(&format!("new-{}", seen.len()), 3)).await;
    }
    assert_eq!(seen, (1..=23).rev().collect::<Vec<_>>(), "newest first, and none that came in meanwhile");
}

#[tokio::test]
async fn windows_on_alerts_visit_each_once_while_others_come_in() {
    let (store, _) = fresh().await;
    apply(&store, &alone("old", 23)).await;
    let all = store.alert_list(&AlertFilter::default(), window(None, 50)).await.unwrap();
    let all: Vec<AlertId> = all.items.iter().map(|alert| alert.id).collect();
    assert!(all.is_sorted_by(|a, b| a > b), "newest first");
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = store.alert_list(&AlertFilter::default(), window(before, 5)).await.unwrap();
        before = page.next;
        seen.extend(page.items.iter().map(|alert| alert.id));
        if before.is_none() {
            break;
        }
        apply(&store, &alone(&format!("new-{}", seen.len()), 3)).await;
    }
    assert_eq!(seen, all);
}

#[tokio::test]
async fn an_offset_skips_and_the_total_counts_all_that_match() {
    let (store, _) = fresh().await;
    apply(&store, &alone("old", 7)).await;
    let last = Window { before: None, offset: 5, limit: 5 };
    let page = store.incident_list(&IncidentFilter::default(), last).await.unwrap();
    let numbers: Vec<_> = page.items.iter().map(|record| record.number).collect();
    assert_eq!((numbers, page.total, page.next), (vec![2, 1], Total::exactly(7), None));
    let full = store.alert_list(&AlertFilter::default(), window(None, 7)).await.unwrap();
    assert_eq!((full.items.len(), full.next), (7, None), "a window that just fits has nothing after it");
}

#[tokio::test]
async fn incidents_are_filtered_by_what_they_are() {
    let (store, database) = fresh().await;
    let mut critical = firing("Down", 1);
    critical.alerts[0].severity = AlertSeverity::Critical;
    critical.alerts[0].labels.insert("team".to_owned(), "db".to_owned());
    apply(&store, &[critical]).await;
    apply(&store, &[firing("Slow", 2)]).await;
    apply(&store, &[resolved("Slow", 3)]).await;

    let status = |status| IncidentFilter { status: vec![status], ..IncidentFilter::default() };
    assert_eq!(incident_titles(&store, status(IncidentStatus::Triggered)).await, ["Down on one"]);
    assert_eq!(incident_titles(&store, status(IncidentStatus::Resolved)).await, ["Slow on one"]);
    assert_eq!(incident_titles(&store, status(IncidentStatus::Canceled)).await, [""; 0]);
    let severity = |severity| IncidentFilter { severity: vec![severity], ..IncidentFilter::default() };
    assert_eq!(incident_titles(&store, severity(IncidentSeverity::Critical)).await, ["Down on one"]);
    assert_eq!(incident_titles(&store, severity(IncidentSeverity::Medium)).await, ["Slow on one"]);
    let labelled = |pairs| IncidentFilter { labels: equal(pairs), ..IncidentFilter::default() };
    assert_eq!(incident_titles(&store, labelled(&[("pod", "one")])).await.len(), 2);
    assert_eq!(incident_titles(&store, labelled(&[("pod", "one"), ("team", "db")])).await, ["Down on one"]);
    assert_eq!(incident_titles(&store, labelled(&[("team", "web")])).await, [""; 0]);

    database.sql("UPDATE incidents SET created_at = '2026-01-01 00:00:00Z' WHERE number = 1").await.unwrap();
    let first = crate::stage::at(0);
    let from = |at| IncidentFilter { created_after: Some(at), ..IncidentFilter::default() };
    let until = |at| IncidentFilter { created_before: Some(at), ..IncidentFilter::default() };
    let moment = TimeDelta::microseconds(1);
    assert_eq!(incident_titles(&store, from(first)).await.len(), 2, "that very moment counts as after");
    assert_eq!(incident_titles(&store, from(first + moment)).await, ["Slow on one"]);
    assert_eq!(incident_titles(&store, until(first)).await, [""; 0], "and not as before");
    assert_eq!(incident_titles(&store, until(first + moment)).await, ["Down on one"]);
}

#[tokio::test]
async fn alerts_are_filtered_by_what_they_are() {
    let (store, _) = fresh().await;
    let mut critical = firing("Down", 1);
    critical.source = "prometheus".to_owned();
    critical.alerts[0].severity = AlertSeverity::Critical;
    let gone = delivery("Slow", "two", AlertStatus::Resolved, 2);
    apply(&store, &[critical, gone]).await;

    let down = AlertFilter { status: vec![AlertStatus::Firing], ..AlertFilter::default() };
    assert_eq!(alert_titles(&store, down).await, ["Down on one"]);
    let info = AlertFilter { severity: vec![AlertSeverity::Critical], ..AlertFilter::default() };
    assert_eq!(alert_titles(&store, info).await, ["Down on one"]);
    let generic = AlertFilter { source: vec!["generic".to_owned()], ..AlertFilter::default() };
    assert_eq!(alert_titles(&store, generic).await, ["Slow on two"]);
    let labelled = AlertFilter { labels: equal(&[("pod", "two")]), ..AlertFilter::default() };
    assert_eq!(alert_titles(&store, labelled.clone()).await, ["Slow on two"]);
    let both = AlertFilter { status: vec![AlertStatus::Firing], ..labelled };
    assert_eq!(alert_titles(&store, both).await, [""; 0], "filters must all hold");
}

#[tokio::test]
async fn a_text_is_found_as_it_is_written_whatever_its_case() {
    let (store, _) = fresh().await;
    let titles = ["100% full", "1000 full", "disk_full", "disk-full", r"C:\temp full"];
    let batch = titles.iter().map(|title| {
        let mut told = firing(title, 1);
        told.alerts[0].title = (*title).to_owned();
        told
    });
    apply(&store, &batch.collect::<Vec<_>>()).await;
    for (text, found) in [
        ("100%", &["100% full"][..]),
        ("K_F", &["disk_full"]),
        (r":\T", &[r"C:\temp full"]),
        ("'", &[]),
        ("%", &["100% full"]),
    ] {
        let text = Some(text.to_owned());
        let incidents = IncidentFilter { text: text.clone(), ..IncidentFilter::default() };
        assert_eq!(incident_titles(&store, incidents).await, found, "{text:?}");
        let alerts = AlertFilter { text: text.clone(), ..AlertFilter::default() };
        assert_eq!(alert_titles(&store, alerts).await, found, "{text:?}");
    }
}
