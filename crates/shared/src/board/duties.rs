//! What passes with time: alerts that nobody tells of any more, silences and inhibitions that begin and end, and incidents
//! that have become quiet.

use chrono::{DateTime, Utc};

use super::{AlertKey, Board, Cause, Decision, Outcome, TimelineKind};
use crate::incident::AlertChange;
use crate::ledger::NoticeKind;
use crate::{AlertStatus, IncidentId, IncidentStatus};

impl Board<'_> {
    /// Resolves every alert of the board whose time has run out at `now`, and says how many.
    pub fn time_out(&mut self, now: DateTime<Utc>) -> usize {
        let is_due = |alert: &super::Alert| {
            alert.status == AlertStatus::Firing && alert.expires_at.is_some_and(|expires_at| expires_at <= now)
        };
        let due: Vec<AlertKey> =
            self.alerts.values().filter(|alert| is_due(alert)).map(|alert| alert.key.clone()).collect();
        let cause = Cause::time(now);
        for key in &due {
            let Some(mut alert) = self.alerts.remove(key) else {
                continue;
            };
            let change = AlertChange::Resolved { severity: alert.newest.severity };
            alert.time_out();
            let mut decision = Decision::about(&alert, &cause, None);
            decision.outcome = Outcome::TimedOut;
            self.note_inhibitions(&mut alert);
            self.resolve(&mut alert, change, TimelineKind::AlertTimedOut, &cause, &mut decision);
            self.decisions.push(decision);
            self.put_back(alert);
        }
        due.len()
    }

    /// Finds out anew what keeps the board's firing alerts quiet. One that nothing keeps quiet any more, and that is in no
    /// open incident, does now what it would have done when it began to fire. Says how many alerts changed.
    pub fn reconsider(&mut self, now: DateTime<Utc>) -> usize {
        let firing = self.alerts.values().filter(|alert| alert.status == AlertStatus::Firing);
        let keys: Vec<AlertKey> = firing.map(|alert| alert.key.clone()).collect();
        let cause = Cause::time(now);
        let mut changed = 0;
        for key in keys {
            let Some(mut alert) = self.alerts.remove(&key) else {
                continue;
            };
            let before = (alert.silenced_by, alert.inhibited_by);
            self.suppress(&mut alert, now);
            let is_in_open =
                alert.incident_id.and_then(|id| self.incidents.get(&id)).is_some_and(|i| i.status.is_open());
            let joins = !alert.is_suppressed() && !is_in_open;
            if !joins && before == (alert.silenced_by, alert.inhibited_by) {
                self.alerts.insert(key, alert);
                continue;
            }
            changed += 1;
            let mut decision = Decision::about(&alert, &cause, None);
            decision.outcome = if joins { self.fire(&mut alert, &cause, &mut decision) } else { Outcome::Suppressed };
            if !joins && !alert.is_suppressed() {
                decision.outcome = Outcome::SignOfLife;
            }
            decision.incident_id = alert.incident_id;
            self.decisions.push(decision);
            self.put_back(alert);
        }
        changed
    }

    /// Ends the flapping of these incidents, where nothing fired again for the time of their rule, and tells where they
    /// stand.
    pub fn calm_down(&mut self, ids: &[IncidentId], now: DateTime<Utc>) {
        let cause = Cause::time(now);
        for id in ids {
            let Some(mut incident) = self.incidents.remove(id) else {
                continue;
            };
            let window = self.owner(&incident).flap.window;
            let is_calm = incident.flaps.last().is_none_or(|last| *last + window <= now);
            if incident.flapping_since.is_some() && is_calm {
                incident.calm_down(now);
                let (kind, content) = match incident.status {
                    IncidentStatus::Triggered | IncidentStatus::Acknowledged => (NoticeKind::Updated, "goes on"),
                    IncidentStatus::Resolved => (NoticeKind::Resolved, "is over"),
                    IncidentStatus::Canceled => (NoticeKind::Canceled, "is canceled"),
                };
                self.tell(&incident, TimelineKind::IncidentStable, &cause, format!("No longer flapping; it {content}"));
                let mut decision = Decision::about_incident(&incident, &cause, Outcome::Stable);
                self.notify(&incident, kind, self.quieted_incident(*id), &cause, &mut decision);
                self.decisions.push(decision);
                self.keep(incident);
            } else {
                self.incidents.insert(*id, incident);
            }
        }
    }

    /// Why nobody is told of an incident: everything in it that fires is kept quiet. The board must hold its firing alerts.
    pub(super) fn quieted_incident(&self, id: IncidentId) -> Option<&'static str> {
        let mut firing = self
            .alerts
            .values()
            .filter(|alert| alert.incident_id == Some(id) && alert.status == AlertStatus::Firing)
            .peekable();
        firing.peek()?;
        firing.all(super::Alert::is_suppressed).then_some("everything that fires is silenced or inhibited")
    }
}
