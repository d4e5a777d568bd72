//! What a test begins with: a store on a fresh database, and deliveries to apply.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tocsin_shared::routing::{FlapRule, Route, Routing};
use tocsin_shared::{
    AlertEvent, AlertSeverity, AlertStatus, Envelope, EventId, Fingerprint, Labels, Policy, TraceContext,
};
use tocsin_store::{Applied, Plans, Store, StoreConfig};
use tocsin_testbed::Database;

/// A store on a database, with a timeout that only a hanging Postgres reaches.
pub(crate) fn store_on(database: &Database) -> Store {
    store_with_timeout(database.url(), Duration::from_secs(20))
}

pub(crate) fn store_with_timeout(url: &str, timeout: Duration) -> Store {
    Store::new(&StoreConfig {
        url: url.into(),
        connections: 4,
        timeout,
        application: "tocsin-test",
        plans: Plans::Fresh,
    })
}

/// A store on a fresh database, and the database for a look past the store.
pub(crate) async fn fresh() -> (Store, Database) {
    let database = Database::shared().await.unwrap();
    (store_on(&database), database)
}

/// Whatever happens, `ops` is told, and what is over stays over.
pub(crate) fn policy() -> Policy {
    policy_of(Route {
        reopen_within: Duration::ZERO,
        flap: FlapRule { transitions: 0, window: Duration::ZERO },
        ..route()
    })
}

/// A route that tells `ops` of everything, with the defaults for the rest.
pub(crate) fn route() -> Route {
    Route { receiver: Some("ops".to_owned()), ..Route::default() }
}

pub(crate) fn policy_of(route: Route) -> Policy {
    Policy { routing: Routing::new(route), ..Policy::default() }
}

/// Applies deliveries that are all understood.
pub(crate) async fn apply(store: &Store, deliveries: &[Envelope]) -> Applied {
    store.batch_apply(deliveries, &[], &policy()).await.unwrap()
}

/// The n-th second of the time that tests live in.
pub(crate) fn at(second: i64) -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(second)
}

/// A delivery that says of the alert `pod` in the group `group` that it fires or is resolved since `second`.
pub(crate) fn delivery(group: &str, pod: &str, status: AlertStatus, second: i64) -> Envelope {
    let labels = labels(&[("alertname", group), ("pod", pod)]);
    Envelope {
        id: EventId::of_delivery("default", &format!("{group}/{pod}/{status}/{second}")),
        received_at: at(second),
        source: "generic".to_owned(),
        integration: "default".to_owned(),
        trace: TraceContext::new(1, 1, 0),
        alerts: vec![AlertEvent {
            fingerprint: Fingerprint::of_labels(&labels),
            external_id: None,
            status,
            severity: AlertSeverity::Warning,
            title: format!("{group} on {pod}"),
            description: None,
            labels,
            annotations: Labels::new(),
            source_url: None,
            started_at: Some(at(second)),
            ended_at: (status == AlertStatus::Resolved).then(|| at(second)),
            event_at: at(second),
            expires_at: None,
            expires: false,
            is_bare: false,
        }],
        acknowledged: Vec::new(),
    }
}

/// A delivery of a firing alert that is alone in its group.
pub(crate) fn firing(group: &str, second: i64) -> Envelope {
    delivery(group, "one", AlertStatus::Firing, second)
}

/// The end of what [`firing`] began.
pub(crate) fn resolved(group: &str, second: i64) -> Envelope {
    delivery(group, "one", AlertStatus::Resolved, second)
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}
