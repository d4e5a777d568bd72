//! What an incident is, and the only ways in which it changes.

use chrono::{DateTime, Utc};

use crate::{AlertEvent, AlertSeverity, AlertStatus, IncidentId, Labels, named_enum};

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

/// An incident: the alerts of one group, from the first that fires until the last is resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Names it.
    pub id: IncidentId,
    /// One line for people; the first alert's.
    pub title: String,
    /// More lines for people; the first alert's.
    pub summary: Option<String>,
    /// Where it stands.
    pub status: IncidentStatus,
    /// The worst firing alert's; the last known once none fires.
    pub severity: IncidentSeverity,
    /// The group whose alerts it holds. No two open incidents share one.
    pub group_key: String,
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

impl Incident {
    /// The incident that a firing alert opens, at version 1.
    #[must_use]
    pub fn open(id: IncidentId, group_key: String, alert: &AlertEvent, at: DateTime<Utc>) -> Self {
        debug_assert_eq!(alert.status, AlertStatus::Firing, "only a firing alert opens an incident");
        let mut firing = FiringCounts::default();
        *firing.slot(alert.severity) += 1;
        Self {
            id,
            title: alert.title.clone(),
            summary: alert.description.clone(),
            status: IncidentStatus::Triggered,
            severity: alert.severity.into(),
            group_key,
            labels: alert.labels.clone(),
            alert_count: 1,
            firing,
            triggered_at: at,
            acknowledged_at: None,
            acknowledged_by: None,
            resolved_at: None,
            updated_at: at,
            version: 1,
        }
    }

    /// The incident after a change of one of its alerts: a pure function of both. Says whether the change closed it
    /// (policy `all`: it is over when no alert fires).
    #[must_use]
    pub fn after(mut self, change: AlertChange, labels: &Labels, at: DateTime<Utc>) -> (Self, bool) {
        match change {
            AlertChange::Fired { severity, member } => {
                *self.firing.slot(severity) += 1;
                if !member {
                    self.alert_count += 1;
                    self.labels.retain(|name, value| labels.get(name) == Some(value));
                }
            }
            AlertChange::SeverityChanged { from, to } => {
                *self.firing.slot(from) -= 1;
                *self.firing.slot(to) += 1;
            }
            AlertChange::Resolved { severity } => *self.firing.slot(severity) -= 1,
        }
        if let Some(worst) = self.firing.worst() {
            self.severity = worst.into();
        }
        let closes = self.status.is_open() && self.firing.total() == 0;
        if closes {
            self.status = IncidentStatus::Resolved;
            self.resolved_at = Some(at);
        }
        self.updated_at = self.updated_at.max(at);
        self.version += 1;
        (self, closes)
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
        self.updated_at = self.updated_at.max(at);
        self.version += 1;
        true
    }
}
