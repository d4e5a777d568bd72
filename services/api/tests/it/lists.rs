//! Lists: pages, cursors, filters.

use serde_json::Value;
use tocsin_shared::{AlertSeverity, AlertStatus};

use crate::api::{Api, alone, delivery};

fn titles(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap()).collect()
}

/// All titles, by following cursors with windows of two.
async fn all_titles(api: &Api, path: &str) -> Vec<String> {
    let (mut all, mut next) = (Vec::new(), String::new());
    loop {
        let list = api.read(&format!("{path}?limit=2{next}")).await;
        assert_eq!((&list["limit"], &list["offset"]), (&2.into(), &0.into()));
        all.extend(titles(&list).into_iter().map(str::to_owned));
        match list["next_cursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => return all,
        }
    }
}

#[tokio::test]
async fn cursors_lead_to_each_item_once_from_the_newest_to_the_oldest() {
    let api = Api::start().await;
    api.apply(&alone(5)).await;
    let expected: Vec<_> = (1..=5).rev().map(|n| format!("group-{n:02} on one")).collect();
    assert_eq!(all_titles(&api, "/api/v1/incidents").await, expected);
    let mut alerts = all_titles(&api, "/api/v1/alerts").await;
    alerts.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(alerts, expected);
}

#[tokio::test]
async fn pages_count_from_one_and_say_what_they_skip() {
    let api = Api::start().await;
    api.apply(&alone(5)).await;
    for (page, offset, length) in [(1, 0, 2), (2, 2, 2), (3, 4, 1), (4, 6, 0)] {
        let list = api.read(&format!("/api/v1/incidents?limit=2&page={page}")).await;
        assert_eq!((&list["total"], &list["offset"]), (&5.into(), &offset.into()), "page {page}");
        assert_eq!(titles(&list).len(), length, "page {page}");
        assert_eq!(list["next_cursor"].is_null(), page > 2, "page {page}");
    }
    let first = api.read("/api/v1/incidents?limit=2&page=1").await;
    let next = api.read(&format!("/api/v1/incidents?limit=2&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!(titles(&next), titles(&api.read("/api/v1/incidents?limit=2&page=2").await), "the ways can be mixed");
}

#[tokio::test]
async fn the_largest_window_is_allowed() {
    let api = Api::start().await;
    api.apply(&alone(60)).await;
    assert_eq!(titles(&api.read("/api/v1/incidents").await).len(), 50);
    assert_eq!(titles(&api.read("/api/v1/incidents?limit=250").await).len(), 60);
}

#[tokio::test]
async fn parameters_reach_the_filters() {
    let api = Api::start().await;
    let mut critical = delivery("Down", "db-1", AlertStatus::Firing, 1);
    critical.source = "prometheus".to_owned();
    critical.alerts[0].severity = AlertSeverity::Critical;
    api.apply(&[critical]).await;
    api.apply(&[delivery("Slow=a", "web-1", AlertStatus::Firing, 2)]).await;
    api.apply(&[delivery("Slow=a", "web-1", AlertStatus::Resolved, 3)]).await;
    for (query, found) in [
        ("incidents?status=triggered", &["Down on db-1"][..]),
        ("incidents?status=resolved", &["Slow=a on web-1"]),
        ("incidents?status=triggered,resolved", &["Slow=a on web-1", "Down on db-1"]),
        ("incidents?status=triggered&status=canceled", &["Down on db-1"]),
        ("incidents?severity=critical", &["Down on db-1"]),
        ("incidents?severity=critical,medium&status=resolved", &["Slow=a on web-1"]),
        ("incidents?label=pod%3Dweb-1", &["Slow=a on web-1"]),
        ("incidents?label=alertname=Slow=a&label=pod=web-1", &["Slow=a on web-1"]),
        ("incidents?label=alertname=Down&label=pod=web-1", &[]),
        ("incidents?label=pod!=web-1", &["Down on db-1"]),
        ("incidents?label=pod=~db-.*", &["Down on db-1"]),
        ("incidents?label=pod=~db", &[]),
        ("incidents?label=pod!~db-.*", &["Slow=a on web-1"]),
        ("incidents?label=team=", &["Slow=a on web-1", "Down on db-1"]),
        ("incidents?q=DOWN", &["Down on db-1"]),
        ("incidents?q=", &["Slow=a on web-1", "Down on db-1"]),
        ("incidents?q=%25", &[]),
        ("incidents?created_after=2020-01-01T00:00:00Z", &["Slow=a on web-1", "Down on db-1"]),
        ("incidents?created_before=2020-01-01T01:00:00%2B01:00", &[]),
        ("alerts?status=firing", &["Down on db-1"]),
        ("alerts?severity=warning", &["Slow=a on web-1"]),
        ("alerts?source=prometheus", &["Down on db-1"]),
        ("alerts?source=nobody", &[]),
        ("alerts?source=nobody,prometheus", &["Down on db-1"]),
        ("alerts?label=pod=db-1&q=down&status=firing&severity=critical", &["Down on db-1"]),
    ] {
        let list = api.read(&format!("/api/v1/{query}")).await;
        assert_eq!(titles(&list), found, "{query}");
        assert_eq!((&list["total"], &list["total_is_exact"]), (&found.len().into(), &true.into()), "{query}");
    }
}
