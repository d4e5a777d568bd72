//! What a change of an alert makes of its incident.

use super::{Alert, Board, Cause, Decision, Dirt, Outcome, TimelineKind, Transition};
use crate::incident::AlertChange;
use crate::ledger::NoticeKind;
use crate::routing::Route;
use crate::{AlertStatus, Incident, IncidentId, IncidentStatus};

impl Board<'_> {
    /// Does what follows from an alert's transition, and says what that was.
    pub(super) fn follow(
        &mut self,
        alert: &mut Alert,
        transition: Transition,
        cause: &Cause,
        decision: &mut Decision,
    ) -> Outcome {
        match transition {
            Transition::Fired => {
                self.suppress(alert, cause.at);
                self.fire(alert, cause, decision)
            }
            Transition::Resolved { severity } => {
                self.resolve(alert, AlertChange::Resolved { severity }, TimelineKind::AlertResolved, cause, decision);
                Outcome::Resolved
            }
            Transition::SeverityChanged { from, to } => {
                self.suppress(alert, cause.at);
                let change = AlertChange::SeverityChanged { from, to };
                if let Some(incident) = alert.incident_id.and_then(|id| self.incidents.remove(&id)) {
                    let before = incident.severity;
                    let (incident, _) = incident.after(change, &alert.newest.labels, cause.at);
                    let content = format!("{} went from {from} to {to}", alert.newest.title);
                    self.tell(&incident, TimelineKind::AlertSeverityChanged, cause, content);
                    if incident.severity > before {
                        self.notify(&incident, NoticeKind::Updated, alert.quieted(), cause, decision);
                    }
                    self.keep(incident);
                }
                Outcome::SeverityChanged
            }
            Transition::None => Outcome::SignOfLife,
            Transition::Stale => Outcome::Stale,
        }
    }

    /// An alert begins to fire: it joins its group's open incident, opens the last one again, or opens one. If something
    /// keeps it quiet, it does so only where it belongs to an open one already.
    pub(super) fn fire(&mut self, alert: &mut Alert, cause: &Cause, decision: &mut Decision) -> Outcome {
        let policy = self.policy;
        let routes = policy.routing.matching(&alert.newest.labels);
        let Some(owner) = routes.first() else {
            return Outcome::Suppressed;
        };
        let group_key = owner.group_key(&alert.newest.labels);
        decision.routes = routes.iter().map(|route| route.path.clone()).collect();
        decision.group_key = Some(group_key.clone());
        let open = self.open_by_group.get(&group_key).copied();
        if alert.is_suppressed() && (open.is_none() || open != alert.incident_id) {
            decision.suppressed_by = alert.suppressor();
            // It is counted in no incident: the one that it was in last may be opened again by others.
            alert.incident_id = None;
            return Outcome::Suppressed;
        }
        if let Some(id) = open {
            return self.join(alert, id, &routes, cause, decision);
        }
        let over = self.over_by_group.get(&group_key).copied();
        if let Some(incident) = over.and_then(|id| self.incidents.get(&id)).filter(|i| may_reopen(i, owner, cause)) {
            let id = incident.id;
            return self.join(alert, id, &routes, cause, decision);
        }
        self.open(alert, &routes, cause, decision);
        Outcome::Opened
    }

    fn open(&mut self, alert: &mut Alert, routes: &[&Route], cause: &Cause, decision: &mut Decision) {
        let Some(owner) = routes.first() else {
            return;
        };
        let mut incident = Incident::open(IncidentId::generate(), owner, &alert.source, &alert.newest, cause.at);
        follow_routes(&mut incident, routes);
        self.await_responder(&mut incident, cause.at);
        alert.incident_id = Some(incident.id);
        self.memberships.insert((incident.id, alert.id));
        self.tell(&incident, TimelineKind::IncidentTriggered, cause, format!("Triggered by {}", alert.newest.title));
        self.notify(&incident, NoticeKind::Triggered, alert.quieted(), cause, decision);
        self.opened.insert(incident.id);
        self.keep(incident);
    }

    /// An alert joins an incident, which is opened again if it is over, or fires again in it.
    fn join(
        &mut self,
        alert: &mut Alert,
        id: IncidentId,
        routes: &[&Route],
        cause: &Cause,
        decision: &mut Decision,
    ) -> Outcome {
        let Some(mut incident) = self.incidents.remove(&id) else {
            return Outcome::Suppressed;
        };
        let member = alert.incident_id == Some(id) || self.memberships.contains(&(id, alert.id));
        if !member {
            self.memberships.insert((id, alert.id));
        }
        alert.incident_id = Some(id);
        let next_step = self.next_step(&incident);
        follow_routes(&mut incident, routes);
        let was_over = !incident.status.is_open();
        let change = AlertChange::Fired { severity: alert.newest.severity, member };
        let (mut incident, _) = incident.after(change, &alert.newest.labels, cause.at);
        self.add_steps(&mut incident, next_step);
        self.tell(&incident, TimelineKind::AlertFiring, cause, format!("{} is firing", alert.newest.title));
        if was_over {
            incident.reopen(cause.at);
            self.await_responder(&mut incident, cause.at);
            self.reopens = true;
            self.tell(&incident, TimelineKind::IncidentReopened, cause, "Fires again".to_owned());
        }
        if was_over {
            self.count_flap(&mut incident, alert.quieted(), cause, decision);
        } else {
            self.notify(&incident, NoticeKind::Updated, alert.quieted(), cause, decision);
        }
        self.keep(incident);
        match (was_over, member) {
            (true, _) => Outcome::Reopened,
            (false, true) => Outcome::FiredAgain,
            (false, false) => Outcome::Joined,
        }
    }

    /// An alert no longer fires, for the reason that `kind` tells.
    pub(super) fn resolve(
        &mut self,
        alert: &mut Alert,
        change: AlertChange,
        kind: TimelineKind,
        cause: &Cause,
        decision: &mut Decision,
    ) {
        let quieted = alert.quieted();
        (alert.silenced_by, alert.inhibited_by) = (None, None);
        // One that fired under a silence may belong to an incident that was over before.
        let Some(incident) = alert.incident_id.and_then(|id| self.incidents.remove(&id)) else {
            return;
        };
        if !incident.status.is_open() {
            self.incidents.insert(incident.id, incident);
            return;
        }
        let (mut incident, over) = incident.after(change, &alert.newest.labels, cause.at);
        let how = if kind == TimelineKind::AlertTimedOut { "was not heard of for too long" } else { "is resolved" };
        self.tell(&incident, kind, cause, format!("{} {how}", alert.newest.title));
        if over {
            let content =
                if incident.firing.total() == 0 { "All alerts are resolved" } else { "One alert is resolved" };
            self.end_members(&mut incident, cause);
            incident.close(None, cause.at);
            self.tell(&incident, TimelineKind::IncidentResolved, cause, content.to_owned());
            self.notify(&incident, NoticeKind::Resolved, quieted, cause, decision);
        }
        self.keep(incident);
    }

    /// Ends what still fires of an incident that is over, so that an alert fires if and only if it has an open incident.
    /// Its next event tells whether it goes on.
    pub(super) fn end_members(&mut self, incident: &mut Incident, cause: &Cause) {
        let fires = |alert: &&mut Alert| alert.incident_id == Some(incident.id) && alert.status == AlertStatus::Firing;
        let mut ended = Vec::new();
        for alert in self.alerts.values_mut().filter(fires) {
            ended.push(alert.newest.severity);
            alert.end(cause.event_id, cause.at);
            (alert.silenced_by, alert.inhibited_by) = (None, None);
            let mut decision = Decision::about(alert, cause, None);
            decision.outcome = Outcome::Ended;
            self.decisions.push(decision);
            self.dirty_alerts.insert(alert.key.clone(), Dirt::Changed);
        }
        incident.end_alerts(ended);
        self.misses_members |= incident.firing.total() > 0;
    }

    /// Counts that an incident goes on that was over; tells it, or that from now on it is not told each time.
    fn count_flap(
        &mut self,
        incident: &mut Incident,
        quieted: Option<&'static str>,
        cause: &Cause,
        decision: &mut Decision,
    ) {
        let rule = self.owner(incident).flap;
        if !incident.flap(rule, cause.at) {
            self.notify(incident, NoticeKind::Reopened, quieted, cause, decision);
            return;
        }
        let content = format!("Came back {} times within a while; not told each time from now on", rule.transitions);
        self.tell(incident, TimelineKind::IncidentFlapping, cause, content);
        self.notify(incident, NoticeKind::Flapping, quieted, cause, decision);
    }

    /// Puts an incident on the board, changed.
    pub(super) fn keep(&mut self, incident: Incident) {
        self.index(&incident);
        self.dirty_incidents.insert(incident.id);
        self.incidents.insert(incident.id, incident);
    }

    /// Keeps track of which incident a group has.
    pub(super) fn index(&mut self, incident: &Incident) {
        if incident.status.is_open() {
            self.open_by_group.insert(incident.group_key.clone(), incident.id);
            return;
        }
        if self.open_by_group.get(&incident.group_key) == Some(&incident.id) {
            self.open_by_group.remove(&incident.group_key);
        }
        if incident.status == IncidentStatus::Resolved {
            let last = self.over_by_group.get(&incident.group_key).and_then(|id| self.incidents.get(id));
            if last.is_none_or(|last| last.resolved_at <= incident.resolved_at) {
                self.over_by_group.insert(incident.group_key.clone(), incident.id);
            }
        }
    }
}

/// Whether the last incident of a group goes on when an alert fires at this time.
fn may_reopen(incident: &Incident, route: &Route, cause: &Cause) -> bool {
    let within = match incident.flapping_since {
        Some(_) => route.reopen_within.max(route.flap.window),
        None => route.reopen_within,
    };
    !within.is_zero() && incident.resolved_at.is_some_and(|resolved_at| cause.at < resolved_at + within)
}

/// The receivers of all routes of an incident's alerts are told of it, and those of their escalations when it is time.
fn follow_routes(incident: &mut Incident, routes: &[&Route]) {
    for route in routes.iter().filter(|route| route.receiver.is_some() || !route.escalation.is_empty()) {
        if !incident.routes.contains(&route.path) {
            incident.routes.push(route.path.clone());
        }
    }
}

impl Alert {
    /// Why nobody is told of it, if it is kept quiet.
    pub(super) fn quieted(&self) -> Option<&'static str> {
        match (self.silenced_by, self.inhibited_by) {
            (Some(_), _) => Some("the alert is silenced"),
            (None, Some(_)) => Some("the alert is inhibited"),
            (None, None) => None,
        }
    }

    /// What keeps it quiet.
    pub(super) fn suppressor(&self) -> Option<String> {
        let silence = self.silenced_by.map(|id| format!("silence:{id}"));
        silence.or_else(|| self.inhibited_by.map(|id| format!("inhibition:{id}")))
    }
}

impl Decision {
    /// A decision that is still to be made.
    pub(super) fn about(alert: &Alert, cause: &Cause, event: Option<&crate::AlertEvent>) -> Self {
        Self {
            event_id: cause.event_id,
            received_at: cause.at,
            alert_id: Some(alert.id),
            incident_id: alert.incident_id,
            outcome: Outcome::SignOfLife,
            routes: Vec::new(),
            group_key: None,
            suppressed_by: alert.suppressor(),
            notices: Vec::new(),
            event: event.cloned(),
        }
    }
    /// What was decided about an incident, without an event of an alert.
    pub(super) fn about_incident(incident: &Incident, cause: &Cause, outcome: Outcome) -> Self {
        Self {
            event_id: cause.event_id,
            received_at: cause.at,
            alert_id: None,
            incident_id: Some(incident.id),
            outcome,
            routes: incident.routes.clone(),
            group_key: Some(incident.group_key.clone()),
            suppressed_by: None,
            notices: Vec::new(),
            event: None,
        }
    }
}
