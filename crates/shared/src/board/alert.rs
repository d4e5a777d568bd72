//! One alert: what follows from its events, in whatever order they come.
//!
//! Everything kept of the events is a maximum by some order: the newest event by `(event time, event id)`, the last sign
//! of life by the time of its receipt. So any order and any repetition of the same events ends in the same alert.
//!
//! An alert fires when the newest event says so. There are two exceptions:
//! - It was *heard to fire* well after its resolution was received ([`REFIRES_AFTER`]), though with times from before it.
//!   Alertmanager resolves what it has not heard of for a while; when its connection is back, the alert has its old start.
//! - It has *timed out*: nothing was heard of it for as long as the sender, or its integration, says that news may take.

use chrono::{DateTime, Utc};

use crate::{AlertEvent, AlertId, AlertSeverity, AlertStatus, Envelope, EventId, Fingerprint, IncidentId, SilenceId};

/// Time after the receipt of a resolution from which on a sign of life outranks it, whatever its times say. Longer than
/// what a sender or a proxy holds a request back for.
pub const REFIRES_AFTER: chrono::Duration = chrono::Duration::minutes(5);

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
    /// Whether it fires: what follows from all that is below.
    pub status: AlertStatus,
    /// The newest event.
    pub newest: AlertEvent,
    /// The newest event's id: breaks ties between events of one time.
    pub newest_id: EventId,
    /// When the newest event was received.
    pub newest_received_at: DateTime<Utc>,
    /// When it was last heard to fire.
    pub firing_seen_at: Option<DateTime<Utc>>,
    /// When it counts as resolved unless it is heard of again.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether that time has run out.
    pub timed_out: bool,
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
    /// The silence that keeps it quiet while it fires.
    pub silenced_by: Option<SilenceId>,
    /// The firing alert that inhibits it.
    pub inhibited_by: Option<AlertId>,
    /// The inhibitions of which it is the source.
    pub inhibits: Vec<String>,
    /// The inhibitions that it is subject to.
    pub inhibitable: Vec<String>,
}

/// What an event did to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// It begins to fire.
    Fired,
    /// It stops. `severity` is what it was.
    Resolved {
        /// Its severity while it fired.
        severity: AlertSeverity,
    },
    /// It goes on firing, better or worse.
    SeverityChanged {
        /// What it was.
        from: AlertSeverity,
        /// What it is.
        to: AlertSeverity,
    },
    /// It is as it was.
    None,
    /// The event is older than what is known: counted, and nothing else.
    Stale,
}

impl Alert {
    /// An alert that nobody has told of before `delivery`. `absorb` its event next.
    pub(super) fn unheard_of(key: AlertKey, event: &AlertEvent, delivery: &Envelope) -> Self {
        Self {
            id: AlertId::generate(),
            key,
            source: delivery.source.clone(),
            status: AlertStatus::Resolved,
            newest: AlertEvent { status: AlertStatus::Resolved, event_at: DateTime::<Utc>::MIN_UTC, ..event.clone() },
            newest_id: delivery.id,
            newest_received_at: delivery.received_at,
            firing_seen_at: None,
            expires_at: None,
            timed_out: false,
            incident_id: None,
            started_at: event.started_at.unwrap_or(event.event_at),
            received_at: delivery.received_at,
            last_seen_at: delivery.received_at,
            occurrences: 0,
            silenced_by: None,
            inhibited_by: None,
            inhibits: Vec::new(),
            inhibitable: Vec::new(),
        }
    }

    /// Takes in an event. `expires_at` is when the alert counts as resolved unless it is heard of again.
    pub(super) fn absorb(
        &mut self,
        event: &AlertEvent,
        id: EventId,
        received_at: DateTime<Utc>,
        expires_at: Option<DateTime<Utc>>,
    ) -> Transition {
        self.occurrences += 1;
        self.received_at = self.received_at.min(received_at);
        self.last_seen_at = self.last_seen_at.max(received_at);
        let (status, severity) = (self.status, self.newest.severity);
        let is_newer = (event.event_at, id) >= (self.newest.event_at, self.newest_id);
        let is_sign_of_life = event.status == AlertStatus::Firing && self.hear(received_at, expires_at);
        if is_newer {
            self.newest = event.after(&self.newest);
            (self.newest_id, self.newest_received_at) = (id, received_at);
            self.started_at = match (event.started_at, status) {
                (Some(at), _) => at,
                // What is repeated or ends goes back to what began.
                (None, AlertStatus::Firing) => self.started_at,
                (None, AlertStatus::Resolved) => event.event_at,
            };
        }
        self.status = self.derived_status();
        match (status, self.status) {
            (AlertStatus::Resolved, AlertStatus::Firing) => Transition::Fired,
            (AlertStatus::Firing, AlertStatus::Resolved) => Transition::Resolved { severity },
            (AlertStatus::Firing, AlertStatus::Firing) if severity != self.newest.severity => {
                Transition::SeverityChanged { from: severity, to: self.newest.severity }
            }
            _ if is_newer || is_sign_of_life => Transition::None,
            _ => Transition::Stale,
        }
    }

    /// Nothing was heard of it for too long.
    pub(super) fn time_out(&mut self) {
        self.timed_out = true;
        self.status = self.derived_status();
    }

    /// A responder says that it is over, by the command `id`.
    pub(super) fn end(&mut self, id: EventId, at: DateTime<Utc>) {
        self.newest.status = AlertStatus::Resolved;
        self.newest.ended_at = Some(at);
        self.newest.event_at = self.newest.event_at.max(at);
        // Whatever was heard of it until now, the responder has seen.
        let seen = self.firing_seen_at.map_or(at, |seen| seen.max(at));
        (self.newest_id, self.newest_received_at) = (id, seen);
        self.status = self.derived_status();
    }

    /// When it stopped firing, if it did.
    #[must_use]
    pub fn ended_at(&self) -> Option<DateTime<Utc>> {
        match self.status {
            AlertStatus::Firing => None,
            AlertStatus::Resolved if self.newest.status == AlertStatus::Firing => self.expires_at,
            AlertStatus::Resolved => self.newest.ended_at,
        }
    }

    /// Whether something keeps it quiet.
    #[must_use]
    pub fn is_suppressed(&self) -> bool {
        self.silenced_by.is_some() || self.inhibited_by.is_some()
    }

    /// Notes when it was heard to fire, and says whether that is news.
    fn hear(&mut self, at: DateTime<Utc>, expires_at: Option<DateTime<Utc>>) -> bool {
        let is_later = self.firing_seen_at.is_none_or(|seen| seen < at);
        if is_later {
            (self.firing_seen_at, self.expires_at, self.timed_out) = (Some(at), expires_at, false);
        } else if self.firing_seen_at == Some(at) {
            self.expires_at = self.expires_at.max(expires_at);
        }
        is_later
    }

    fn derived_status(&self) -> AlertStatus {
        let was_heard_since = self.firing_seen_at.is_some_and(|seen| seen > self.newest_received_at + REFIRES_AFTER);
        if (self.newest.status == AlertStatus::Firing || was_heard_since) && !self.timed_out {
            AlertStatus::Firing
        } else {
            AlertStatus::Resolved
        }
    }
}
