//! The board: the alerts and incidents that a batch of events touches, and the rules by which events change them.
//!
//! A worker loads (and locks) the touched state, applies every event in memory, and writes what changed in a few
//! set-based statements. All that is decided is decided here, by pure functions; the store only loads and saves.
//!
//! Per alert, the newest event wins: events are ordered by `(event_at, event id)`, and one that is older than what the
//! alert has seen is counted but changes nothing else. So any order of the same events ends in the same alert.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::incident::AlertChange;
use crate::ledger::{Notice, NoticeKind};
use crate::routing::Route;
use crate::{
    AlertEvent, AlertId, AlertStatus, Envelope, EventId, Fingerprint, Incident, IncidentId, NotificationId, named_enum,
};

/// Names an alert across all integrations. Its order is the order in which rows are locked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertKey {
    /// The integration that reports it.
    pub integration: String,
    /// Its name there.
    pub fingerprint: Fingerprint,
}

/// What is known of one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Names it.
    pub id: AlertId,
    /// Names it to its sender.
    pub key: AlertKey,
    /// The kind of sender.
    pub source: String,
    /// The newest event.
    pub newest: AlertEvent,
    /// The newest event's id: breaks ties between events of one time.
    pub newest_id: EventId,
    /// The incident that it belongs to, or belonged to last.
    pub incident_id: Option<IncidentId>,
    /// Since when it fires, or fired last: what the sender says, or else the time of the event with which it began.
    pub started_at: DateTime<Utc>,
    /// When the first event came in.
    pub received_at: DateTime<Utc>,
    /// When the last event came in.
    pub last_seen_at: DateTime<Utc>,
    /// How many events came in, old ones included.
    pub occurrences: i64,
}

named_enum! {
    /// What a timeline entry tells.
    pub enum TimelineKind {
        /// The incident was opened.
        IncidentTriggered = "incident_triggered",
        /// Another alert joined, or one fires again.
        AlertFiring = "alert_firing",
        /// One alert stopped firing.
        AlertResolved = "alert_resolved",
        /// One alert became better or worse.
        AlertSeverityChanged = "alert_severity_changed",
        /// Somebody took the incident.
        IncidentAcknowledged = "incident_acknowledged",
        /// The incident was closed.
        IncidentResolved = "incident_resolved",
    }
}

/// One entry of an incident's timeline. All of them are the system's own so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// The incident.
    pub incident_id: IncidentId,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    pub kind: TimelineKind,
    /// One sentence for people.
    pub content: String,
}

/// What a batch has changed, sorted by key so that rows are written in the order in which they are locked.
#[derive(Debug, Default)]
pub struct Changes {
    /// Alerts to write whole.
    pub alerts: Vec<Alert>,
    /// Incidents that did not exist.
    pub opened: Vec<Incident>,
    /// Incidents that did.
    pub updated: Vec<Incident>,
    /// Alerts that joined an incident.
    pub memberships: Vec<(IncidentId, AlertId)>,
    /// Timeline entries, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// Ledger lines.
    pub notices: Vec<Notice>,
}

/// The state that a batch works on.
#[derive(Debug, Default)]
pub struct Board {
    alerts: BTreeMap<AlertKey, Alert>,
    incidents: BTreeMap<IncidentId, Incident>,
    open_by_group: HashMap<String, IncidentId>,
    dirty_alerts: HashSet<AlertKey>,
    dirty_incidents: HashSet<IncidentId>,
    opened: HashSet<IncidentId>,
    memberships: Vec<(IncidentId, AlertId)>,
    timeline: Vec<TimelineEntry>,
    notices: Vec<Notice>,
}

impl Board {
    /// A board with the state as it is stored: every alert that the batch names, and every open incident that one of
    /// them belongs to or may join.
    #[must_use]
    pub fn new(alerts: Vec<Alert>, incidents: Vec<Incident>) -> Self {
        let open_by_group =
            incidents.iter().filter(|i| i.status.is_open()).map(|i| (i.group_key.clone(), i.id)).collect();
        Self {
            alerts: alerts.into_iter().map(|alert| (alert.key.clone(), alert)).collect(),
            incidents: incidents.into_iter().map(|incident| (incident.id, incident)).collect(),
            open_by_group,
            ..Self::default()
        }
    }

    /// Applies every alert of a delivery, in order, and then its acknowledgements. The caller has made sure that this delivery was never applied.
    pub fn apply(&mut self, delivery: &Envelope, route: &Route) {
        for event in &delivery.alerts {
            self.apply_event(delivery, event, route);
        }
        for fingerprint in &delivery.acknowledged {
            self.acknowledge(delivery, fingerprint, route);
        }
    }

    /// What has changed since [`Board::new`].
    #[must_use]
    pub fn into_changes(mut self) -> Changes {
        let mut changes = Changes {
            memberships: self.memberships,
            timeline: self.timeline,
            notices: self.notices,
            ..Changes::default()
        };
        changes.alerts = self.alerts.into_values().filter(|alert| self.dirty_alerts.remove(&alert.key)).collect();
        for incident in self.incidents.into_values().filter(|incident| self.dirty_incidents.contains(&incident.id)) {
            if self.opened.contains(&incident.id) {
                changes.opened.push(incident);
            } else {
                changes.updated.push(incident);
            }
        }
        // The unique index on open incidents is by group, so that is the order in which new ones must be inserted.
        changes.opened.sort_by(|a, b| a.group_key.cmp(&b.group_key));
        changes.memberships.sort_unstable();
        changes
    }

    fn apply_event(&mut self, delivery: &Envelope, event: &AlertEvent, route: &Route) {
        let key = AlertKey { integration: delivery.integration.clone(), fingerprint: event.fingerprint.clone() };
        self.dirty_alerts.insert(key.clone());
        let Some(known) = self.alerts.get_mut(&key) else {
            let alert = Alert {
                id: AlertId::generate(),
                key: key.clone(),
                source: delivery.source.clone(),
                newest: event.clone(),
                newest_id: delivery.id,
                incident_id: None,
                started_at: event.started_at.unwrap_or(event.event_at),
                received_at: delivery.received_at,
                last_seen_at: delivery.received_at,
                occurrences: 1,
            };
            let fires = event.status == AlertStatus::Firing;
            let incident_id = fires.then(|| self.fire(alert.id, None, event, delivery, route));
            self.alerts.insert(key, Alert { incident_id, ..alert });
            return;
        };

        known.occurrences += 1;
        known.received_at = known.received_at.min(delivery.received_at);
        known.last_seen_at = known.last_seen_at.max(delivery.received_at);
        if (event.event_at, delivery.id) < (known.newest.event_at, known.newest_id) {
            return;
        }
        known.newest_id = delivery.id;
        let event = &event.after(&known.newest);
        let before = std::mem::replace(&mut known.newest, event.clone());
        match (event.started_at, before.status) {
            (Some(at), _) => known.started_at = at,
            // What is repeated or ends goes back to what began.
            (None, AlertStatus::Firing) => {}
            (None, AlertStatus::Resolved) => known.started_at = event.event_at,
        }
        let (id, incident_id) = (known.id, known.incident_id);
        match (before.status, event.status) {
            (AlertStatus::Resolved, AlertStatus::Resolved) => {}
            (AlertStatus::Resolved, AlertStatus::Firing) => {
                let joined = self.fire(id, incident_id, event, delivery, route);
                if let Some(alert) = self.alerts.get_mut(&key) {
                    alert.incident_id = Some(joined);
                }
            }
            (AlertStatus::Firing, AlertStatus::Resolved) => {
                let change = AlertChange::Resolved { severity: before.severity };
                self.change_incident(incident_id, change, event, delivery, route);
            }
            (AlertStatus::Firing, AlertStatus::Firing) => {
                if before.severity != event.severity {
                    let change = AlertChange::SeverityChanged { from: before.severity, to: event.severity };
                    self.change_incident(incident_id, change, event, delivery, route);
                }
            }
        }
    }

    /// An alert begins to fire: it joins its group's open incident, or opens one. Says which.
    fn fire(
        &mut self,
        alert_id: AlertId,
        last_incident: Option<IncidentId>,
        event: &AlertEvent,
        delivery: &Envelope,
        route: &Route,
    ) -> IncidentId {
        let group_key = route.group_key(&event.labels);
        if let Some(&open) = self.open_by_group.get(&group_key) {
            let member = last_incident == Some(open);
            if !member {
                self.memberships.push((open, alert_id));
            }
            self.change_incident(
                Some(open),
                AlertChange::Fired { severity: event.severity, member },
                event,
                delivery,
                route,
            );
            return open;
        }
        let incident = Incident::open(IncidentId::generate(), group_key.clone(), event, delivery.received_at);
        let id = incident.id;
        self.memberships.push((id, alert_id));
        self.tell(id, delivery, TimelineKind::IncidentTriggered, format!("Triggered by {}", event.title));
        self.notify(&incident, NoticeKind::Triggered, delivery, route);
        self.open_by_group.insert(group_key, id);
        self.opened.insert(id);
        self.dirty_incidents.insert(id);
        self.incidents.insert(id, incident);
        id
    }

    fn change_incident(
        &mut self,
        id: Option<IncidentId>,
        change: AlertChange,
        event: &AlertEvent,
        delivery: &Envelope,
        route: &Route,
    ) {
        let Some(incident) = id.and_then(|id| self.incidents.remove(&id)) else {
            return;
        };
        let (incident, closed) = incident.after(change, &event.labels, delivery.received_at);
        let (kind, content) = match change {
            AlertChange::Fired { .. } => (TimelineKind::AlertFiring, format!("{} is firing", event.title)),
            AlertChange::Resolved { .. } => (TimelineKind::AlertResolved, format!("{} is resolved", event.title)),
            AlertChange::SeverityChanged { from, to } => {
                (TimelineKind::AlertSeverityChanged, format!("{} went from {from} to {to}", event.title))
            }
        };
        self.tell(incident.id, delivery, kind, content);
        if closed {
            self.open_by_group.remove(&incident.group_key);
            self.tell(incident.id, delivery, TimelineKind::IncidentResolved, "All alerts are resolved".to_owned());
            self.notify(&incident, NoticeKind::Resolved, delivery, route);
        }
        self.dirty_incidents.insert(incident.id);
        self.incidents.insert(incident.id, incident);
    }

    /// Somebody has taken an alert on, as its sender reports: the incident that it belongs to is acknowledged, if the alert
    /// fires. An alert that is unknown or resolved is nobody's business any more.
    fn acknowledge(&mut self, delivery: &Envelope, fingerprint: &Fingerprint, route: &Route) {
        let key = AlertKey { integration: delivery.integration.clone(), fingerprint: fingerprint.clone() };
        let firing = self.alerts.get(&key).filter(|alert| alert.newest.status == AlertStatus::Firing);
        let Some(mut incident) = firing.and_then(|alert| alert.incident_id).and_then(|id| self.incidents.remove(&id))
        else {
            return;
        };
        if incident.acknowledge(&delivery.integration, delivery.received_at) {
            let content = format!("Acknowledged by {}", delivery.integration);
            self.tell(incident.id, delivery, TimelineKind::IncidentAcknowledged, content);
            self.notify(&incident, NoticeKind::Acknowledged, delivery, route);
            self.dirty_incidents.insert(incident.id);
        }
        self.incidents.insert(incident.id, incident);
    }

    fn tell(&mut self, incident_id: IncidentId, delivery: &Envelope, kind: TimelineKind, content: String) {
        self.timeline.push(TimelineEntry { incident_id, at: delivery.received_at, kind, content });
    }

    fn notify(&mut self, incident: &Incident, kind: NoticeKind, delivery: &Envelope, route: &Route) {
        if let Some(receiver) = &route.receiver {
            self.notices.push(Notice {
                id: NotificationId::generate(),
                incident_id: incident.id,
                receiver: receiver.clone(),
                revision: incident.version,
                kind,
                created_at: delivery.received_at,
                trace: delivery.trace.to_string(),
            });
        }
    }
}

#[cfg(test)]
mod tests;
