//! Escalation: further receivers are told, step by step, of what nobody takes (ADR 15).
//!
//! The clock of an incident begins when it is opened, opened again, or given back. What has come of it is in the incident:
//! how far its escalation is (`escalated_after`), and when it goes on (`escalate_at`). The steps are those of its routes as
//! they are configured *now*, merged in the order of their time, so that a step that was added behind the last one is run,
//! and one before it is not.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::telling::Recipient;
use super::{Board, Cause, Decision, Outcome, TimelineKind};
use crate::ledger::NoticeKind;
use crate::{Incident, IncidentId, IncidentStatus};

/// How long an incident that is quiet or flaps is left alone before it is looked at again.
const QUIET_PAUSE: TimeDelta = TimeDelta::seconds(30);
/// A step that is run so much too late pushes those after it back by as much: after an outage, or at the end of a silence,
/// each still has its time to act before the next is told.
const LATE: TimeDelta = TimeDelta::minutes(1);

/// The steps of an incident that are not empty, by their time.
type Steps<'a> = BTreeMap<Duration, Vec<&'a str>>;

impl<'a> Board<'a> {
    /// Nobody has taken this incident from now on: sets when its receivers are told again, and further ones told.
    pub(super) fn await_responder(&self, incident: &mut Incident, at: DateTime<Utc>) {
        incident.remind_at = self.remind_at(incident, at);
        incident.escalated_after = Duration::ZERO;
        incident.escalate_at = None;
        self.add_steps(incident, None);
    }

    /// The time of the step that is next for an incident.
    pub(super) fn next_step(&self, incident: &Incident) -> Option<Duration> {
        self.steps(incident).into_keys().find(|after| *after > incident.escalated_after)
    }

    /// Takes account of steps that an incident has by now. `before` is the one that was next until now: if another comes
    /// before that, it is due so much earlier.
    pub(super) fn add_steps(&self, incident: &mut Incident, before: Option<Duration>) {
        let (IncidentStatus::Triggered, Some(next)) = (incident.status, self.next_step(incident)) else {
            return;
        };
        let in_time = incident.triggered_at + next;
        incident.escalate_at = Some(match (incident.escalate_at, before) {
            (Some(due), Some(before)) if before <= next => due,
            (Some(due), Some(before)) => (due - before.saturating_sub(next)).max(in_time),
            _ => in_time,
        });
    }

    /// Who has been told of an incident by its escalation.
    pub(super) fn escalated_to(&self, incident: &Incident) -> Vec<&'a str> {
        let mut told: Vec<&str> = Vec::new();
        for receiver in self.steps(incident).range(..=incident.escalated_after).flat_map(|(_, receivers)| receivers) {
            if !told.contains(receiver) {
                told.push(receiver);
            }
        }
        told
    }

    /// Runs the steps of these incidents that are due. One that is quiet or flaps waits until it is no more.
    pub fn escalate(&mut self, ids: &[IncidentId], now: DateTime<Utc>) {
        let cause = Cause::time(now);
        for id in ids {
            let Some(mut incident) = self.incidents.remove(id) else {
                continue;
            };
            let is_due = incident.escalate_at.is_some_and(|due| due <= now);
            if incident.status != IncidentStatus::Triggered || !is_due {
                self.incidents.insert(*id, incident);
                continue;
            }
            if Self::withheld(&incident, self.quieted_incident(*id), NoticeKind::Escalated, &cause).is_some() {
                incident.escalate_at = Some(now + QUIET_PAUSE);
            }
            while let Some(due) = incident.escalate_at.filter(|due| *due <= now) {
                self.take_step(&mut incident, due, &cause);
            }
            self.keep(incident);
        }
    }

    fn take_step(&mut self, incident: &mut Incident, due: DateTime<Utc>, cause: &Cause) {
        let now = cause.at;
        let steps = self.steps(incident);
        let mut ahead = steps.into_iter().filter(|(after, _)| *after > incident.escalated_after);
        let Some((after, receivers)) = ahead.next() else {
            incident.escalate_at = None;
            return;
        };
        if incident.triggered_at + after > now {
            // It has been moved since.
            incident.escalate_at = Some(incident.triggered_at + after);
            return;
        }
        let from = if now - due > LATE { now } else { due };
        incident.escalate_at =
            ahead.next().map(|(next, _)| (from + next.saturating_sub(after)).max(incident.triggered_at + next));
        incident.escalated_after = after;
        incident.changed(now);
        let waited = spoken((now - incident.triggered_at).to_std().unwrap_or_default());
        let content = format!("Nobody has taken it for {waited}; told {}", receivers.join(", "));
        self.tell(incident, TimelineKind::IncidentEscalated, cause, content);
        let mut decision = Decision::about_incident(incident, cause, Outcome::Escalated);
        let recipients = receivers.into_iter().map(Recipient::at_once).collect();
        self.notify_these(incident, NoticeKind::Escalated, recipients, None, cause, &mut decision);
        self.decisions.push(decision);
    }

    /// The steps of all routes of an incident. Those of one time are one.
    fn steps(&self, incident: &Incident) -> Steps<'a> {
        let routing = &self.policy.routing;
        let mut steps = Steps::new();
        for step in incident.routes.iter().filter_map(|path| routing.by_path(path)).flat_map(|route| &route.escalation)
        {
            let receivers = steps.entry(step.after).or_default();
            for receiver in &step.receivers {
                if !receivers.contains(&receiver.as_str()) {
                    receivers.push(receiver);
                }
            }
        }
        steps.retain(|_, receivers| !receivers.is_empty());
        steps
    }
}

/// A time for people, to two places: `1 h 5 min`, `10 min`, `45 s`.
pub(super) fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds % 60, "s")];
    let first = parts.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let places = parts.iter().skip(first).take(2).filter(|(count, _)| *count > 0 || seconds == 0);
    places.map(|(count, unit)| format!("{count} {unit}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_to_two_places() {
        let told = [0, 45, 600, 601, 3_900, 3_601, 90_000, 86_400].map(|seconds| spoken(Duration::from_secs(seconds)));
        assert_eq!(told, ["0 s", "45 s", "10 min", "10 min 1 s", "1 h 5 min", "1 h", "1 d 1 h", "1 d"]);
    }
}
