//! The board: the alerts and incidents that a batch touches, and the rules by which events and responders change them.
//!
//! A worker loads (and locks) the touched state, applies everything in memory, and writes what changed in a few set-based
//! statements. All that is decided is decided here, by pure functions; the store only loads and saves.
//!
//! What an event makes of its alert is in [`alert`], what that makes of the incident in [`incidents`], who is told in
//! [`telling`], what a responder may do in [`responding`], and what passes with time in
//! [`duties`], [`reminders`] and [`escalation`].

mod alert;
mod changes;
mod duties;
mod escalation;
mod incidents;
mod reminders;
mod responding;
mod telling;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

pub use alert::{Alert, AlertKey, REFIRES_AFTER, Transition};
pub use changes::{Changes, Decision, NoticeDecision, Outcome, TimelineEntry, TimelineKind};
use chrono::{DateTime, Utc};
pub use telling::Cause;

use crate::ledger::Notice;
use crate::policy::Policy;
use crate::silence::Silence;
use crate::{AlertEvent, AlertId, AlertStatus, Envelope, Fingerprint, Incident, IncidentId};

/// For how long an alert that expires may go without news, unless its integration says: Alertmanager's `resolve_timeout`.
const RESOLVE_TIMEOUT: Duration = Duration::from_mins(5);

/// The state that a batch works on.
#[derive(Debug)]
pub struct Board<'a> {
    policy: &'a Policy,
    silences: &'a [Silence],
    alerts: BTreeMap<AlertKey, Alert>,
    incidents: BTreeMap<IncidentId, Incident>,
    open_by_group: HashMap<String, IncidentId>,
    /// The incident of each group that was over last, if it may be opened again.
    over_by_group: HashMap<String, IncidentId>,
    /// Firing alerts by the inhibitions of which they are the source.
    inhibitors: HashMap<String, BTreeSet<AlertId>>,
    /// Alerts that changed, and whether more than what a sign of life changes.
    dirty_alerts: HashMap<AlertKey, Dirt>,
    dirty_incidents: HashSet<IncidentId>,
    opened: HashSet<IncidentId>,
    reopens: bool,
    misses_members: bool,
    memberships: BTreeSet<(IncidentId, AlertId)>,
    timeline: Vec<TimelineEntry>,
    notices: Vec<Notice>,
    decisions: Vec<Decision>,
}

/// How much of an alert is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dirt {
    /// That it was heard of again.
    Heard,
    /// All of it.
    Changed,
}

/// The state as it is stored.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Every alert that the batch names.
    pub alerts: Vec<Alert>,
    /// Every open incident that one of them belongs to or may join; and those that are over and may be opened again.
    pub incidents: Vec<Incident>,
    /// Firing alerts by the inhibitions of which they are the source, as far as the batch's alerts are subject to them.
    pub inhibitors: Vec<(String, AlertId)>,
}

impl<'a> Board<'a> {
    /// A board with the state as it is stored. `silences` are all that may be in force.
    #[must_use]
    pub fn new(policy: &'a Policy, silences: &'a [Silence], loaded: Loaded) -> Self {
        let mut board = Self {
            policy,
            silences,
            alerts: BTreeMap::new(),
            incidents: BTreeMap::new(),
            open_by_group: HashMap::new(),
            over_by_group: HashMap::new(),
            inhibitors: HashMap::new(),
            dirty_alerts: HashMap::new(),
            dirty_incidents: HashSet::new(),
            opened: HashSet::new(),
            reopens: false,
            misses_members: false,
            memberships: BTreeSet::new(),
            timeline: Vec::new(),
            notices: Vec::new(),
            decisions: Vec::new(),
        };
        for (key, alert) in loaded.inhibitors {
            board.inhibitors.entry(key).or_default().insert(alert);
        }
        for incident in loaded.incidents {
            board.index(&incident);
            board.incidents.insert(incident.id, incident);
        }
        board.alerts = loaded.alerts.into_iter().map(|alert| (alert.key.clone(), alert)).collect();
        board
    }

    /// Applies every alert of a delivery, in order, and then its acknowledgements. The caller has made sure that this
    /// delivery was never applied.
    pub fn apply(&mut self, delivery: &Envelope) {
        for event in &delivery.alerts {
            self.apply_event(delivery, event);
        }
        for fingerprint in &delivery.acknowledged {
            self.apply_acknowledgement(delivery, fingerprint);
        }
    }

    /// What has changed since [`Board::new`].
    #[must_use]
    pub fn into_changes(self) -> Changes {
        let mut changes = Changes {
            reopens: self.reopens,
            misses_members: self.misses_members,
            memberships: self.memberships.into_iter().collect(),
            timeline: self.timeline,
            notices: self.notices,
            decisions: self.decisions,
            ..Changes::default()
        };
        for alert in self.alerts.into_values() {
            match self.dirty_alerts.get(&alert.key) {
                Some(Dirt::Changed) => changes.alerts.push(alert),
                Some(Dirt::Heard) => changes.heard.push(alert),
                None => {}
            }
        }
        for incident in self.incidents.into_values().filter(|incident| self.dirty_incidents.contains(&incident.id)) {
            if self.opened.contains(&incident.id) {
                changes.opened.push(incident);
            } else {
                changes.updated.push(incident);
            }
        }
        // The unique index on open incidents is by group, so that is the order in which new ones must be inserted.
        changes.opened.sort_by(|a, b| a.group_key.cmp(&b.group_key));
        changes
    }

    fn apply_event(&mut self, delivery: &Envelope, event: &AlertEvent) {
        let key = AlertKey { integration: delivery.integration.clone(), fingerprint: event.fingerprint.clone() };
        let mut alert = self.alerts.remove(&key).unwrap_or_else(|| Alert::unheard_of(key, event, delivery));
        let is_news = alert.occurrences == 0 || !event.repeats(&alert.newest);
        let expires_at = self.expires_at(&alert, event, delivery.received_at);
        let transition = alert.absorb(event, delivery.id, delivery.received_at, expires_at);
        let cause = Cause::of(delivery);
        let mut decision = Decision::about(&alert, &cause, is_news.then_some(event));
        if !is_news && transition == Transition::None {
            self.decisions.push(decision);
            self.dirty_alerts.entry(alert.key.clone()).or_insert(Dirt::Heard);
            self.alerts.insert(alert.key.clone(), alert);
            return;
        }
        self.note_inhibitions(&mut alert);
        decision.outcome = self.follow(&mut alert, transition, &cause, &mut decision);
        decision.incident_id = alert.incident_id;
        self.decisions.push(decision);
        self.put_back(alert);
    }

    /// Somebody has taken an alert on, as its sender reports: the incident that it belongs to is acknowledged, if the alert
    /// fires. An alert that is unknown or resolved is nobody's business any more.
    fn apply_acknowledgement(&mut self, delivery: &Envelope, fingerprint: &Fingerprint) {
        let key = AlertKey { integration: delivery.integration.clone(), fingerprint: fingerprint.clone() };
        let Some(alert) = self.alerts.get(&key).filter(|alert| alert.status == AlertStatus::Firing) else {
            return;
        };
        let cause = Cause::of(delivery);
        let mut decision = Decision::about(alert, &cause, None);
        decision.outcome = Outcome::Acknowledged;
        if let Some(incident) = alert.incident_id.and_then(|id| self.incidents.remove(&id)) {
            self.acknowledge(incident, &cause.by_sender(&delivery.integration), &mut decision);
        }
        self.decisions.push(decision);
    }

    /// When an alert counts as resolved unless it is heard of again: as the sender says, or else its integration.
    fn expires_at(&self, alert: &Alert, event: &AlertEvent, received_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let configured = self.policy.resolve_timeouts.get(&alert.key.integration).copied();
        let timeout = configured.or_else(|| event.expires.then_some(RESOLVE_TIMEOUT));
        event.expires_at.or_else(|| timeout.map(|timeout| received_at + timeout))
    }

    /// Keeps an alert's inhibitions current, and who inhibits whom.
    fn note_inhibitions(&mut self, alert: &mut Alert) {
        if self.policy.inhibition.is_empty() && alert.inhibits.is_empty() && alert.inhibitable.is_empty() {
            return;
        }
        for key in &alert.inhibits {
            if let Some(sources) = self.inhibitors.get_mut(key) {
                sources.remove(&alert.id);
            }
        }
        alert.inhibits = self.policy.inhibition.source_keys(&alert.newest.labels);
        alert.inhibitable = self.policy.inhibition.target_keys(&alert.newest.labels);
        if alert.status == AlertStatus::Firing {
            for key in &alert.inhibits {
                self.inhibitors.entry(key.clone()).or_default().insert(alert.id);
            }
        }
    }

    /// Finds out what keeps an alert quiet at `at`.
    fn suppress(&self, alert: &mut Alert, at: DateTime<Utc>) {
        (alert.silenced_by, alert.inhibited_by) = (None, None);
        if alert.status == AlertStatus::Firing {
            let silence = self.silences.iter().find(|silence| silence.mutes(&alert.newest.labels, at));
            alert.silenced_by = silence.map(|silence| silence.id);
            let mut sources = alert.inhibitable.iter().filter_map(|key| self.inhibitors.get(key)).flatten();
            alert.inhibited_by = sources.find(|source| **source != alert.id).copied();
        }
    }

    fn put_back(&mut self, alert: Alert) {
        self.dirty_alerts.insert(alert.key.clone(), Dirt::Changed);
        self.alerts.insert(alert.key.clone(), alert);
    }
}

#[cfg(test)]
mod tests;
