//! What an incident is, and the only ways in which it changes.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::routing::{FlapRule, ResolvePolicy, Route};
use crate::{AlertEvent, AlertSeverity, IncidentId, Labels, named_enum};

named_enum! {
    /// Where an incident stands.
    pub enum IncidentStatus {
        /// Open, and nobody has taken it.
        Triggered = "triggered",
        /// Open, and somebody has taken it.
        Acknowledged = "acknowledged",
        /// Over.
        Resolved = "resolved",
        /// Closed by somebody who says that it was none.
        Canceled = "canceled",
    }
}

impl IncidentStatus {
    /// Whether alerts can still join.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Triggered | Self::Acknowledged)
    }
}

named_enum! {
    /// How bad an incident is. Ordered: the worst is the greatest.
    pub enum IncidentSeverity {
        /// For information.
        Low = "low",
        /// Somebody should look.
        Medium = "medium",
        /// Somebody should look soon.
        High = "high",
        /// Somebody must act now.
        Critical = "critical",
    }
}

impl From<AlertSeverity> for IncidentSeverity {
    fn from(severity: AlertSeverity) -> Self {
        match severity {
            AlertSeverity::Critical => Self::Critical,
            AlertSeverity::Warning => Self::Medium,
            AlertSeverity::Info => Self::Low,
        }
    }
}

/// How many of an incident's alerts fire, by severity. Kept so that the worst is known without reading the alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FiringCounts {
    /// Firing with severity `critical`.
    pub critical: i32,
    /// Firing with severity `warning`.
    pub warning: i32,
    /// Firing with severity `info`.
    pub info: i32,
}

impl FiringCounts {
    /// All that fire.
    #[must_use]
    pub const fn total(self) -> i32 {
        self.critical + self.warning + self.info
    }

    fn slot(&mut self, severity: AlertSeverity) -> &mut i32 {
        match severity {
            AlertSeverity::Critical => &mut self.critical,
            AlertSeverity::Warning => &mut self.warning,
            AlertSeverity::Info => &mut self.info,
        }
    }

    fn worst(self) -> Option<AlertSeverity> {
        if self.critical > 0 {
            Some(AlertSeverity::Critical)
        } else if self.warning > 0 {
            Some(AlertSeverity::Warning)
        } else if self.info > 0 {
            Some(AlertSeverity::Info)
        } else {
            None
        }
    }
}

/// An incident: the alerts of one group, from the first that fires until it is over; or what a responder declared by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Names it.
    pub id: IncidentId,
    /// One line for people.
    pub title: String,
    /// More lines for people; the first alert's.
    pub summary: Option<String>,
    /// Where it stands.
    pub status: IncidentStatus,
    /// The worst firing alert's; the last known once none fires. A responder's word outranks both.
    pub severity: IncidentSeverity,
    /// Whether a responder has set the severity.
    pub severity_is_set: bool,
    /// The group whose alerts it holds. No two open incidents share one.
    pub group_key: String,
    /// The paths of the routes whose receivers are told. The first one owns the group.
    pub routes: Vec<String>,
    /// What ends it.
    pub policy: ResolvePolicy,
    /// Whether a responder has opened it, and not an alert.
    pub declared: bool,
    /// What the labels of all its alerts have in common.
    pub labels: Labels,
    /// How many alerts belong to it.
    pub alert_count: i32,
    /// How many of them fire.
    pub firing: FiringCounts,
    /// When the first alert came in.
    pub triggered_at: DateTime<Utc>,
    /// When somebody took it, if anybody did.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// Who.
    pub acknowledged_by: Option<String>,
    /// When it was closed, if it was.
    pub resolved_at: Option<DateTime<Utc>>,
    /// Who closed it, if it was a person.
    pub resolved_by: Option<String>,
    /// When it lately went on after it was over; as many as its flap rule looks at.
    pub flaps: Vec<DateTime<Utc>>,
    /// Since when that is too often to tell of each time.
    pub flapping_since: Option<DateTime<Utc>>,
    /// When its receivers are told again that nobody has taken it.
    pub remind_at: Option<DateTime<Utc>>,
    /// When the next step of its escalation is due.
    pub escalate_at: Option<DateTime<Utc>>,
    /// The time of the last step that was run, since the clock began; zero when none was.
    pub escalated_after: Duration,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Rises by one with every change.
    pub version: i64,
}

/// What happened to one alert of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertChange {
    /// It began to fire; `member` says whether it had belonged to this incident before.
    Fired {
        /// How bad it is.
        severity: AlertSeverity,
        /// Whether it belonged to the incident already.
        member: bool,
    },
    /// It goes on firing, with another severity.
    SeverityChanged {
        /// What it was.
        from: AlertSeverity,
        /// What it is.
        to: AlertSeverity,
    },
    /// It stopped firing.
    Resolved {
        /// What its severity was while it fired.
        severity: AlertSeverity,
    },
}

/// A change of an incident that its state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the incident is {status}: it cannot be {wanted}")]
pub struct InvalidTransition {
    /// Where it stands.
    pub status: IncidentStatus,
    /// What was asked for.
    pub wanted: &'static str,
}

impl Incident {
    /// The incident that a firing alert opens on `route`.
    #[must_use]
    pub fn open(id: IncidentId, route: &Route, source: &str, alert: &AlertEvent, at: DateTime<Utc>) -> Self {
        let mut firing = FiringCounts::default();
        *firing.slot(alert.severity) += 1;
        Self {
            title: route.title.render(source, alert),
            summary: alert.description.clone(),
            severity: alert.severity.into(),
            group_key: route.group_key(&alert.labels),
            routes: vec![route.path.clone()],
            policy: route.resolve,
            labels: alert.labels.clone(),
            alert_count: 1,
            firing,
            ..Self::empty(id, at)
        }
    }

    /// The incident that a responder declares. It has no alerts, and ends when a responder says so.
    #[must_use]
    pub fn declare(
        id: IncidentId,
        route: &Route,
        title: &str,
        severity: IncidentSeverity,
        labels: Labels,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            title: title.to_owned(),
            severity,
            severity_is_set: true,
            group_key: format!("declared:{id}"),
            routes: vec![route.path.clone()],
            policy: ResolvePolicy::Never,
            declared: true,
            labels,
            ..Self::empty(id, at)
        }
    }

    fn empty(id: IncidentId, at: DateTime<Utc>) -> Self {
        Self {
            id,
            title: String::new(),
            summary: None,
            status: IncidentStatus::Triggered,
            severity: IncidentSeverity::Medium,
            severity_is_set: false,
            group_key: String::new(),
            routes: Vec::new(),
            policy: ResolvePolicy::All,
            declared: false,
            labels: Labels::new(),
            alert_count: 0,
            firing: FiringCounts::default(),
            triggered_at: at,
            acknowledged_at: None,
            acknowledged_by: None,
            resolved_at: None,
            resolved_by: None,
            flaps: Vec::new(),
            flapping_since: None,
            remind_at: None,
            escalate_at: None,
            escalated_after: Duration::ZERO,
            updated_at: at,
            version: 1,
        }
    }

    /// The incident after a change of one of its alerts: a pure function of both. Says whether its policy makes that its
    /// end; [`Incident::close`] ends it.
    #[must_use]
    pub fn after(mut self, change: AlertChange, labels: &Labels, at: DateTime<Utc>) -> (Self, bool) {
        let worst_before = self.severity;
        match change {
            AlertChange::Fired { severity, member } => {
                *self.firing.slot(severity) += 1;
                if !member {
                    self.labels.retain(|name, value| labels.get(name) == Some(value));
                    self.alert_count += 1;
                }
            }
            AlertChange::SeverityChanged { from, to } => {
                *self.firing.slot(from) -= 1;
                *self.firing.slot(to) += 1;
            }
            AlertChange::Resolved { severity } => *self.firing.slot(severity) -= 1,
        }
        self.severity = match self.firing.worst() {
            Some(worst) if !self.severity_is_set => worst.into(),
            _ => worst_before,
        };
        let ends = match self.policy {
            ResolvePolicy::All => self.firing.total() == 0,
            ResolvePolicy::Any => matches!(change, AlertChange::Resolved { .. }),
            ResolvePolicy::Never => false,
        };
        self.changed(at);
        let over = self.status.is_open() && ends;
        (self, over)
    }

    /// Alerts of these severities fire no more, because the incident is over.
    pub fn end_alerts(&mut self, severities: impl IntoIterator<Item = AlertSeverity>) {
        for severity in severities {
            *self.firing.slot(severity) -= 1;
        }
    }

    /// It is over: by itself, or because somebody says so.
    pub fn close(&mut self, by: Option<&str>, at: DateTime<Utc>) {
        self.status = IncidentStatus::Resolved;
        self.resolved_at = Some(at);
        self.resolved_by = by.map(str::to_owned);
        (self.remind_at, self.escalate_at) = (None, None);
        self.updated_at = self.updated_at.max(at);
    }

    /// Somebody takes the incident. Says whether that changed it: it does not when it is taken already or over, nor when
    /// `at` is before it was triggered, since that was said of an earlier one.
    pub fn acknowledge(&mut self, by: &str, at: DateTime<Utc>) -> bool {
        if self.status != IncidentStatus::Triggered || at < self.triggered_at {
            return false;
        }
        self.status = IncidentStatus::Acknowledged;
        self.acknowledged_at = Some(at);
        self.acknowledged_by = Some(by.to_owned());
        (self.remind_at, self.escalate_at) = (None, None);
        self.changed(at);
        true
    }

    /// It goes on, as nobody's: an alert of its group fires again, or somebody says so.
    pub fn reopen(&mut self, at: DateTime<Utc>) {
        self.status = IncidentStatus::Triggered;
        self.triggered_at = self.triggered_at.max(at);
        (self.resolved_at, self.resolved_by) = (None, None);
        (self.acknowledged_at, self.acknowledged_by) = (None, None);
        self.changed(at);
    }

    /// Somebody says that it was none.
    pub fn cancel(&mut self, by: &str, at: DateTime<Utc>) {
        self.close(Some(by), at);
        self.status = IncidentStatus::Canceled;
        self.changed(at);
    }

    /// Whether there is something in it that can be silenced, by the labels that its alerts share.
    ///
    /// # Errors
    /// What is in the way, for whoever asks.
    pub fn silenceable(&self) -> Result<(), &'static str> {
        if !self.status.is_open() {
            Err("it is over; there is nothing to silence")
        } else if self.alert_count == 0 {
            Err("it has no alerts; there is nothing to silence")
        } else if self.labels.values().all(String::is_empty) {
            Err("its alerts have no label in common; make a silence by its matchers")
        } else {
            Ok(())
        }
    }

    /// Somebody says how bad it is.
    pub fn set_severity(&mut self, severity: IncidentSeverity, at: DateTime<Utc>) {
        (self.severity, self.severity_is_set) = (severity, true);
        self.changed(at);
    }

    /// Counts that it goes on after it was over, and says whether that makes it flap from now on.
    pub fn flap(&mut self, rule: FlapRule, at: DateTime<Utc>) -> bool {
        if rule.transitions == 0 {
            return false;
        }
        self.flaps.retain(|flap| at < *flap + rule.window);
        self.flaps.push(at);
        let looked_at = rule.transitions as usize;
        if self.flaps.len() > looked_at {
            self.flaps.drain(..self.flaps.len() - looked_at);
        }
        let begins = self.flapping_since.is_none() && self.flaps.len() == looked_at;
        if begins {
            self.flapping_since = Some(at);
        }
        begins
    }

    /// It has not fired again for a while.
    pub fn calm_down(&mut self, at: DateTime<Utc>) {
        (self.flapping_since, self.flaps) = (None, Vec::new());
        self.changed(at);
    }

    /// Notes a change.
    pub fn changed(&mut self, at: DateTime<Utc>) {
        self.updated_at = self.updated_at.max(at);
        self.version += 1;
    }
}
