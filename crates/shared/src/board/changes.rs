//! What a batch has changed, in the form in which it is written.

use chrono::{DateTime, Utc};

use super::Alert;
use crate::command::Actor;
use crate::ledger::{Notice, NoticeKind};
use crate::{AlertEvent, AlertId, EventId, Incident, IncidentId, named_enum};

named_enum! {
    /// What a timeline entry tells.
    pub enum TimelineKind {
        /// The incident was opened.
        IncidentTriggered = "incident_triggered",
        /// Another alert joined, or one fires again.
        AlertFiring = "alert_firing",
        /// One alert stopped firing.
        AlertResolved = "alert_resolved",
        /// One alert was not heard of for too long, and counts as resolved.
        AlertTimedOut = "alert_timed_out",
        /// One alert became better or worse.
        AlertSeverityChanged = "alert_severity_changed",
        /// Somebody took the incident.
        IncidentAcknowledged = "incident_acknowledged",
        /// The incident was closed.
        IncidentResolved = "incident_resolved",
        /// The incident goes on.
        IncidentReopened = "incident_reopened",
        /// Somebody says that it was none.
        IncidentCanceled = "incident_canceled",
        /// Somebody said how bad it is.
        IncidentSeverityChanged = "incident_severity_changed",
        /// It comes and goes too often to be told each time.
        IncidentFlapping = "incident_flapping",
        /// It does so no more.
        IncidentStable = "incident_stable",
        /// Its receivers were told again that nobody has taken it.
        IncidentReminded = "incident_reminded",
        /// Nobody had taken it in time, and so further receivers were told.
        IncidentEscalated = "incident_escalated",
        /// Somebody has its alerts kept quiet for a time.
        IncidentSilenced = "incident_silenced",
        /// Somebody had what could not be told tried again.
        NoticesRedriven = "notices_redriven",
        /// Somebody wrote something down.
        Note = "note",
    }
}

/// One entry of an incident's timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// The incident.
    pub incident_id: IncidentId,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    pub kind: TimelineKind,
    /// Who did it; nobody, if it happened by itself.
    pub actor: Option<Actor>,
    /// One sentence for people.
    pub content: String,
}

named_enum! {
    /// What became of one event of an alert, or of an incident without one.
    pub enum Outcome {
        /// It opened an incident.
        Opened = "opened",
        /// It made the alert part of an open incident.
        Joined = "joined",
        /// The alert fires again in the incident that it belongs to.
        FiredAgain = "fired_again",
        /// It opened an incident again that was over.
        Reopened = "reopened",
        /// The alert fires, and something keeps it quiet.
        Suppressed = "suppressed",
        /// The alert stopped firing.
        Resolved = "resolved",
        /// The alert was not heard of for too long.
        TimedOut = "timed_out",
        /// A responder has closed the alert's incident.
        Ended = "ended",
        /// The alert goes on, better or worse.
        SeverityChanged = "severity_changed",
        /// The alert goes on as it was.
        SignOfLife = "sign_of_life",
        /// It is older than what is known of the alert.
        Stale = "stale",
        /// Somebody has taken the alert on.
        Acknowledged = "acknowledged",
        /// Its delivery had been applied before.
        Repeated = "repeated",
        /// A responder has changed the incident.
        Commanded = "commanded",
        /// Nobody has taken the incident for a while.
        Reminded = "reminded",
        /// Nobody has taken the incident in time.
        Escalated = "escalated",
        /// The incident flaps no more.
        Stable = "stable",
    }
}

/// What was decided about one event of an alert, and why: an alert's history, and what explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The delivery.
    pub event_id: EventId,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// The alert; none where it is about the incident alone.
    pub alert_id: Option<AlertId>,
    /// The incident that it belongs to after this.
    pub incident_id: Option<IncidentId>,
    /// What became of the event.
    pub outcome: Outcome,
    /// The paths of all routes that the alert matches, if it was routed. The first one owns the group.
    pub routes: Vec<String>,
    /// The group that it was put into, if it was routed.
    pub group_key: Option<String>,
    /// What keeps the alert quiet: `silence:<id>` or `inhibition:<alert id>`.
    pub suppressed_by: Option<String>,
    /// Who is told, and who is not.
    pub notices: Vec<NoticeDecision>,
    /// The event itself, if the sender sent one, and it says anything but what was known.
    pub event: Option<AlertEvent>,
}

/// Whether a receiver is told of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeDecision {
    /// What there is to tell.
    pub kind: NoticeKind,
    /// Who; nobody, if no route names a receiver.
    pub receiver: Option<String>,
    /// Why it is not told, if it is not.
    pub withheld: Option<&'static str>,
}

/// What a batch has changed, sorted by key so that rows are written in the order in which they are locked.
#[derive(Debug, Default)]
pub struct Changes {
    /// Alerts to write whole.
    pub alerts: Vec<Alert>,
    /// Alerts that were heard of again, and go on as they were: only that is to be written.
    pub heard: Vec<Alert>,
    /// Incidents that did not exist.
    pub opened: Vec<Incident>,
    /// Incidents that did.
    pub updated: Vec<Incident>,
    /// Whether some of the latter were over and are open again.
    pub reopens: bool,
    /// Whether an incident was to end while alerts of it fire that are not on the board: load them and try again.
    pub misses_members: bool,
    /// Alerts that joined an incident.
    pub memberships: Vec<(IncidentId, AlertId)>,
    /// Timeline entries, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// What receivers are to be told, in the order of the revisions.
    pub notices: Vec<Notice>,
    /// What was decided about each event.
    pub decisions: Vec<Decision>,
}
