//! Reminders: whoever a route names is told again, every `repeat_interval` of that route since nobody takes an incident.
//!
//! Each route has its own rhythm, which begins with the clock of the incident. So nothing but the time of the next reminder
//! is kept, and a look that comes late moves none of those after it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::telling::Recipient;
use super::{Board, Cause, Decision, Outcome, TimelineKind};
use crate::ledger::NoticeKind;
use crate::routing::Route;
use crate::{Incident, IncidentId, IncidentStatus};

impl<'a> Board<'a> {
    /// Tells the receivers of these incidents again that nobody has taken them, where it is time to.
    pub fn remind(&mut self, ids: &[IncidentId], now: DateTime<Utc>) {
        let cause = Cause::time(now);
        for id in ids {
            let Some(mut incident) = self.incidents.remove(id) else {
                continue;
            };
            let due = incident.remind_at.filter(|due| *due <= now);
            let (IncidentStatus::Triggered, Some(due)) = (incident.status, due) else {
                self.incidents.insert(*id, incident);
                continue;
            };
            let recipients = self.reminded(&incident, due);
            incident.remind_at = self.remind_at(&incident, now);
            incident.changed(now);
            let quieted = self.quieted_incident(*id);
            let mut decision = Decision::about_incident(&incident, &cause, Outcome::Reminded);
            self.notify_these(&incident, NoticeKind::Reminder, recipients, quieted, &cause, &mut decision);
            self.decisions.push(decision);
            if Self::withheld(&incident, quieted, NoticeKind::Reminder, &cause).is_none() {
                let content = "Nobody has taken it; receivers are told again".to_owned();
                self.tell(&incident, TimelineKind::IncidentReminded, &cause, content);
            }
            self.keep(incident);
        }
    }

    /// When somebody is told again, after `at`: the earliest of the incident's routes.
    pub(super) fn remind_at(&self, incident: &Incident, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let begun = incident.triggered_at;
        let waited = micros((at - begun).max(TimeDelta::zero()).to_std().unwrap_or_default());
        let intervals = self.repeating(incident).map(|route| micros(route.timing.repeat_interval));
        let next = intervals.map(|interval| (waited / interval + 1).saturating_mul(interval)).min()?;
        begun.checked_add_signed(TimeDelta::microseconds(next))
    }

    /// Whom those routes name whose turn it is; all, if it is none's, since what is configured has changed meanwhile.
    fn reminded(&self, incident: &Incident, due: DateTime<Utc>) -> Vec<Recipient<'a>> {
        let waited = micros((due - incident.triggered_at).to_std().unwrap_or_default());
        let has_turn = |route: &&Route| waited % micros(route.timing.repeat_interval) == 0;
        let recipients: Vec<_> = self.repeating(incident).filter(has_turn).filter_map(Recipient::of).collect();
        if recipients.is_empty() { self.repeating(incident).filter_map(Recipient::of).collect() } else { recipients }
    }

    fn repeating(&self, incident: &Incident) -> impl Iterator<Item = &'a Route> {
        let routing = &self.policy.routing;
        let routes = incident.routes.iter().filter_map(|path| routing.by_path(path));
        routes.filter(|route| route.receiver.is_some() && !route.timing.repeat_interval.is_zero())
    }
}

/// As precise as the store keeps a time. Never zero for an interval: those are a second at least.
fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
