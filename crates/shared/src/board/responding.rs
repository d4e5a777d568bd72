//! What responders do with incidents.

use std::time::Duration;

use super::escalation::spoken;
use super::telling::Recipient;
use super::{Board, Cause, Decision, Outcome, TimelineKind};
use crate::command::{Action, Command, CommandOutcome};
use crate::ledger::NoticeKind;
use crate::{ErrorCode, Incident, IncidentId, IncidentStatus};

impl Board<'_> {
    /// Does what a responder asks of an incident. The board must hold it, and the alerts of it that fire. Silences and dead
    /// letters are none of the board's business.
    pub fn command(&mut self, command: &Command) -> CommandOutcome {
        let cause = Cause::of_command(command);
        match &command.action {
            Action::Declare { title, summary, severity, labels } => {
                let routes = self.policy.routing.matching(labels);
                let owner = routes.first().copied().unwrap_or(self.policy.routing.root());
                let id = IncidentId::generate();
                let mut incident = Incident::declare(id, owner, title, *severity, labels.clone(), command.at);
                incident.summary.clone_from(summary);
                incident.routes = routes.iter().map(|route| route.path.clone()).collect();
                self.await_responder(&mut incident, command.at);
                self.opened.insert(id);
                let content = format!("Declared by {}", command.actor.name);
                self.change(incident, &cause, TimelineKind::IncidentTriggered, content, Some(NoticeKind::Triggered))
            }
            Action::Acknowledge { incident }
            | Action::Resolve { incident, .. }
            | Action::Cancel { incident, .. }
            | Action::Reopen { incident }
            | Action::Note { incident, .. }
            | Action::SilenceIncident { incident, .. }
            | Action::SetSeverity { incident, .. } => match self.incidents.remove(incident) {
                Some(found) => self.act(found, command, &cause),
                None => rejected(ErrorCode::NotFound, "there is no such incident"),
            },
            Action::Silence { .. }
            | Action::SilenceEnd { .. }
            | Action::SilenceDelete { .. }
            | Action::Redrive { .. }
            | Action::RedriveNotices { .. } => rejected(ErrorCode::Internal, "this is no command of an incident"),
        }
    }

    fn act(&mut self, mut incident: Incident, command: &Command, cause: &Cause) -> CommandOutcome {
        let by = command.actor.name.as_str();
        let at = command.at;
        let (kind, content, notice) = match (&command.action, incident.status) {
            (Action::Acknowledge { .. }, IncidentStatus::Acknowledged)
            | (Action::Resolve { .. }, IncidentStatus::Resolved)
            | (Action::Cancel { .. }, IncidentStatus::Canceled)
            | (Action::Reopen { .. }, IncidentStatus::Triggered) => return self.unchanged(incident),
            (Action::Acknowledge { .. }, IncidentStatus::Triggered) => {
                // Whoever acknowledges has seen it, whatever the clock of the api says.
                incident.acknowledge(by, at.max(incident.triggered_at));
                (TimelineKind::IncidentAcknowledged, format!("Acknowledged by {by}"), Some(NoticeKind::Acknowledged))
            }
            (Action::Resolve { note, .. }, IncidentStatus::Triggered | IncidentStatus::Acknowledged) => {
                self.end_members(&mut incident, cause);
                incident.close(Some(by), at);
                incident.changed(at);
                let content = with_note(format!("Resolved by {by}"), note.as_deref());
                (TimelineKind::IncidentResolved, content, Some(NoticeKind::Resolved))
            }
            (Action::Cancel { note, .. }, IncidentStatus::Triggered | IncidentStatus::Acknowledged) => {
                self.end_members(&mut incident, cause);
                incident.cancel(by, at);
                let content = with_note(format!("Canceled by {by}"), note.as_deref());
                (TimelineKind::IncidentCanceled, content, Some(NoticeKind::Canceled))
            }
            (Action::Reopen { .. }, IncidentStatus::Resolved | IncidentStatus::Canceled) => {
                if self.open_by_group.contains_key(&incident.group_key) {
                    return self.refused(incident, "its group has another open incident by now");
                }
                incident.reopen(at);
                self.await_responder(&mut incident, at);
                // Nothing of it fires, so only a responder can say when it is over.
                self.reopens = true;
                incident.policy = crate::routing::ResolvePolicy::Never;
                (TimelineKind::IncidentReopened, format!("Reopened by {by}"), Some(NoticeKind::Reopened))
            }
            (Action::Reopen { .. }, IncidentStatus::Acknowledged) => {
                incident.reopen(at);
                self.await_responder(&mut incident, at);
                (TimelineKind::IncidentReopened, format!("Given back by {by}"), Some(NoticeKind::Updated))
            }
            (Action::Note { text, .. }, _) => {
                incident.changed(at);
                (TimelineKind::Note, text.clone(), None)
            }
            (Action::SilenceIncident { duration_s, .. }, IncidentStatus::Triggered | IncidentStatus::Acknowledged) => {
                if let Err(detail) = incident.silenceable() {
                    return self.refused(incident, detail);
                }
                incident.changed(at);
                let time = spoken(Duration::from_secs((*duration_s).into()));
                (TimelineKind::IncidentSilenced, format!("Silenced for {time} by {by}"), Some(NoticeKind::Updated))
            }
            (Action::SetSeverity { severity, .. }, _) => {
                if incident.severity == *severity && incident.severity_is_set {
                    return self.unchanged(incident);
                }
                let content = format!("{by} set the severity from {} to {severity}", incident.severity);
                incident.set_severity(*severity, at);
                let notice = incident.status.is_open().then_some(NoticeKind::Updated);
                (TimelineKind::IncidentSeverityChanged, content, notice)
            }
            (_, status) => {
                let remedy = if status.is_open() { "" } else { "; reopen it first" };
                return self.refused(incident, &format!("it is {status}{remedy}"));
            }
        };
        self.change(incident, cause, kind, content, notice)
    }

    fn change(
        &mut self,
        incident: Incident,
        cause: &Cause,
        kind: TimelineKind,
        content: String,
        notice: Option<NoticeKind>,
    ) -> CommandOutcome {
        let id = incident.id;
        self.tell(&incident, kind, cause, content);
        let mut decision = Decision::about_incident(&incident, cause, Outcome::Commanded);
        match notice {
            // The silence keeps everything else quiet, so that nothing else comes with which it could wait.
            Some(notice) if kind == TimelineKind::IncidentSilenced => {
                let recipients = self.recipients(&incident, notice).into_iter().map(Recipient::now).collect();
                self.notify_these(&incident, notice, recipients, None, cause, &mut decision);
            }
            Some(notice) => self.notify(&incident, notice, None, cause, &mut decision),
            None => {}
        }
        self.decisions.push(decision);
        self.keep(incident);
        CommandOutcome::Done { incident: Some(id), silence: None, changed: true, count: None }
    }

    /// The sender's side has taken an incident on.
    pub(super) fn acknowledge(&mut self, mut incident: Incident, cause: &Cause, decision: &mut Decision) {
        let by = cause.actor.as_ref().map(|actor| actor.name.clone()).unwrap_or_default();
        if !incident.acknowledge(&by, cause.at) {
            self.incidents.insert(incident.id, incident);
            return;
        }
        self.tell(&incident, TimelineKind::IncidentAcknowledged, cause, format!("Acknowledged by {by}"));
        self.notify(&incident, NoticeKind::Acknowledged, None, cause, decision);
        self.keep(incident);
    }

    fn unchanged(&mut self, incident: Incident) -> CommandOutcome {
        let id = incident.id;
        self.incidents.insert(id, incident);
        CommandOutcome::Done { incident: Some(id), silence: None, changed: false, count: None }
    }

    fn refused(&mut self, incident: Incident, detail: &str) -> CommandOutcome {
        self.incidents.insert(incident.id, incident);
        rejected(ErrorCode::InvalidTransition, detail)
    }
}

fn with_note(content: String, note: Option<&str>) -> String {
    match note {
        Some(note) => format!("{content}: {note}"),
        None => content,
    }
}

fn rejected(code: ErrorCode, detail: &str) -> CommandOutcome {
    CommandOutcome::Rejected { code, detail: detail.to_owned() }
}
