//! What is sent: types of their own, whose fields are the documented contract.

mod explain;
mod notice;
mod session;
mod silence;
mod system;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tocsin_shared::board::Alert;
use tocsin_shared::{
    AlertId, AlertSeverity, AlertStatus, Fingerprint, IncidentId, IncidentSeverity, IncidentStatus, Labels,
};
use tocsin_store::{IncidentRecord, Page, TimelineRecord, Total, Window};
use utoipa::ToSchema;

pub(crate) use self::explain::{DeadLetterView, DecisionView};
pub(crate) use self::notice::{NoticeDetailView, NoticeView};
pub(crate) use self::session::SessionView;
pub(crate) use self::silence::SilenceView;
pub(crate) use self::system::{Known, ReceiverView, StreamView, SystemView};
use crate::openapi::schemas;
use crate::params::write_cursor;

/// A list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListView<T> {
    /// Fewer than `limit`, or none, where what is searched for is rare: there is more as long as there is a `next_cursor`.
    data: Vec<T>,
    /// All that match, in this window or not; at least so many, if it is not exact.
    total: i64,
    total_is_exact: bool,
    limit: i64,
    offset: i64,
    /// Gives what follows; `null` at the end.
    next_cursor: Option<String>,
}

impl<T> ListView<T> {
    /// From a page of the store.
    pub(crate) fn new<I, C>(page: Page<I, C>, window: &Window<C>) -> Self
    where
        T: From<I>,
        C: std::fmt::Display,
    {
        Self {
            next_cursor: page.next.map(write_cursor),
            data: page.items.into_iter().map(T::from).collect(),
            total: page.total.count,
            total_is_exact: page.total.is_exact,
            limit: window.limit,
            offset: window.offset,
        }
    }

    /// The window on a list that the store gives whole.
    pub(crate) fn of_all<I, C>(items: Vec<I>, window: &Window<C>, position: impl Fn(&I) -> C) -> Self
    where
        T: From<I>,
        C: PartialEq + std::fmt::Display,
    {
        let total = items.len();
        let seen = window.before.as_ref().map_or(0, |cursor| {
            items.iter().position(|item| position(item) == *cursor).map_or(total, |index| index + 1)
        });
        let count = |number: i64| usize::try_from(number).unwrap_or_default();
        let mut rest = items.into_iter().skip(seen + count(window.offset));
        let items: Vec<I> = rest.by_ref().take(count(window.limit)).collect();
        let total = Total::exactly(i64::try_from(total).unwrap_or(i64::MAX));
        let next = rest.next().and(items.last().map(position));
        Self::new(Page { items, total, next }, window)
    }
}

/// What is going on: the alerts of one group, or what a responder declared.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Incident)]
pub(crate) struct IncidentView {
    #[schema(value_type = schemas::Id)]
    id: IncidentId,
    /// What people call it by.
    incident_number: i64,
    title: String,
    #[schema(value_type = schemas::IncidentStatus)]
    status: IncidentStatus,
    #[schema(value_type = schemas::IncidentSeverity)]
    severity: IncidentSeverity,
    summary: Option<String>,
    group_key: String,
    /// What the labels of all its alerts have in common.
    #[schema(value_type = schemas::Labels)]
    labels: Labels,
    /// How many alerts belong to it.
    alert_count: i32,
    /// How many of them fire.
    firing_count: i32,
    created_at: DateTime<Utc>,
    triggered_at: DateTime<Utc>,
    acknowledged_at: Option<DateTime<Utc>>,
    acknowledged_by: Option<String>,
    resolved_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
    /// Grows with each change of the incident itself.
    version: i64,
}

impl From<IncidentRecord> for IncidentView {
    fn from(record: IncidentRecord) -> Self {
        let IncidentRecord { number, created_at, incident } = record;
        Self {
            id: incident.id,
            incident_number: number,
            title: incident.title,
            status: incident.status,
            severity: incident.severity,
            summary: incident.summary,
            group_key: incident.group_key,
            labels: incident.labels,
            alert_count: incident.alert_count,
            firing_count: incident.firing.total(),
            created_at,
            triggered_at: incident.triggered_at,
            acknowledged_at: incident.acknowledged_at,
            acknowledged_by: incident.acknowledged_by,
            resolved_at: incident.resolved_at,
            updated_at: incident.updated_at,
            version: incident.version,
        }
    }
}

/// An incident with the newest of its alerts and of its timeline.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IncidentDetail)]
pub(crate) struct IncidentDetailView {
    #[serde(flatten)]
    pub(crate) incident: IncidentView,
    pub(crate) alerts: Vec<AlertView>,
    pub(crate) timeline: Vec<TimelineView>,
}

/// What has happened to an incident, or was said of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TimelineEntry)]
pub(crate) struct TimelineView {
    id: i64,
    timestamp: DateTime<Utc>,
    #[schema(value_type = schemas::TimelineKind)]
    r#type: String,
    #[schema(value_type = schemas::ActorKind)]
    actor_type: String,
    actor_id: Option<String>,
    actor_name: Option<String>,
    content: String,
}

impl From<TimelineRecord> for TimelineView {
    fn from(record: TimelineRecord) -> Self {
        Self {
            id: record.id,
            timestamp: record.at,
            r#type: record.kind,
            actor_type: record.actor_type,
            actor_id: record.actor_id,
            actor_name: record.actor_name,
            content: record.content,
        }
    }
}

/// What a sender tells of one thing that it watches.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Alert)]
pub(crate) struct AlertView {
    #[schema(value_type = schemas::Id)]
    id: AlertId,
    /// Its sender's own name of it.
    external_id: Option<String>,
    source: String,
    #[schema(value_type = String)]
    fingerprint: Fingerprint,
    #[schema(value_type = schemas::AlertStatus)]
    status: AlertStatus,
    #[schema(value_type = schemas::AlertSeverity)]
    severity: AlertSeverity,
    title: String,
    description: Option<String>,
    #[schema(value_type = schemas::Labels)]
    labels: Labels,
    #[schema(value_type = schemas::Labels)]
    annotations: Labels,
    /// The incident that it belongs to.
    #[schema(value_type = Option<schemas::Id>)]
    incident_id: Option<IncidentId>,
    started_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    received_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    /// How often it was told of.
    occurrences: i64,
}

impl From<Alert> for AlertView {
    fn from(alert: Alert) -> Self {
        let (status, ended_at) = (alert.status, alert.ended_at());
        let event = alert.newest;
        Self {
            id: alert.id,
            external_id: event.external_id,
            source: alert.source,
            fingerprint: event.fingerprint,
            status,
            severity: event.severity,
            title: event.title,
            description: event.description,
            labels: event.labels,
            annotations: event.annotations,
            incident_id: alert.incident_id,
            started_at: alert.started_at,
            ended_at,
            received_at: alert.received_at,
            last_seen_at: alert.last_seen_at,
            occurrences: alert.occurrences,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct Item(i64);

    impl From<i64> for Item {
        fn from(number: i64) -> Self {
            Self(number)
        }
    }

    fn window(before: Option<i64>, offset: i64, limit: i64) -> Window<i64> {
        Window { before, offset, limit }
    }

    #[test]
    fn a_window_on_a_whole_list_is_as_one_on_a_page() {
        let view = |window| ListView::<Item>::of_all(vec![5, 4, 3, 2, 1], &window, |number| *number);
        let numbers = |view: &ListView<Item>| view.data.iter().map(|item| item.0).collect::<Vec<_>>();
        for (window, expected, has_more) in [
            (window(None, 0, 5), vec![5, 4, 3, 2, 1], false),
            (window(None, 0, 2), vec![5, 4], true),
            (window(Some(4), 0, 2), vec![3, 2], true),
            (window(Some(2), 0, 2), vec![1], false),
            (window(None, 4, 2), vec![1], false),
            (window(None, 6, 2), vec![], false),
            (window(Some(7), 0, 2), vec![], false),
        ] {
            let view = view(window);
            assert_eq!(numbers(&view), expected, "{window:?}");
            assert_eq!((view.total, view.next_cursor.is_some()), (5, has_more), "{window:?}");
        }
    }
}
