//! Who is told of a change, and who is not and why.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Board, Decision, NoticeDecision, TimelineEntry, TimelineKind};
use crate::command::{Actor, ActorKind, Command};
use crate::ledger::{Notice, NoticeKind};
use crate::routing::{Route, Timing};
use crate::{Envelope, EventId, Incident, NotificationId, TraceContext};

/// What brings a change about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The delivery, or the command.
    pub event_id: EventId,
    /// When it came in.
    pub at: DateTime<Utc>,
    /// The trace that it belongs to.
    pub trace: TraceContext,
    /// Who did it; nobody, if it happened by itself.
    pub actor: Option<Actor>,
}

impl Cause {
    pub(super) fn of(delivery: &Envelope) -> Self {
        Self { event_id: delivery.id, at: delivery.received_at, trace: delivery.trace, actor: None }
    }

    /// What a responder asked for.
    #[must_use]
    pub fn of_command(command: &Command) -> Self {
        Self {
            event_id: EventId::from_uuid(command.id.as_uuid()),
            at: command.at,
            trace: command.trace,
            actor: Some(command.actor.clone()),
        }
    }

    /// The passing of time.
    #[must_use]
    pub fn time(at: DateTime<Utc>) -> Self {
        Self { event_id: EventId::received_at(at), at, trace: TraceContext::random(), actor: None }
    }

    /// What the sender's side did.
    pub(super) fn by_sender(self, integration: &str) -> Self {
        let actor = Actor { kind: ActorKind::Integration, id: integration.to_owned(), name: integration.to_owned() };
        Self { actor: Some(actor), ..self }
    }
}

/// Somebody who is told of an incident.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recipient<'a> {
    receiver: &'a str,
    group_wait: Duration,
    group_interval: Duration,
}

impl<'a> Recipient<'a> {
    /// Whoever a route names.
    pub(super) fn of(route: &'a Route) -> Option<Self> {
        let Timing { group_wait, group_interval, .. } = route.timing;
        Some(Self { receiver: route.receiver.as_deref()?, group_wait, group_interval })
    }

    /// The same, without waiting for more.
    pub(super) const fn now(self) -> Self {
        Self::at_once(self.receiver)
    }

    /// Whoever is told without waiting for more.
    pub(super) const fn at_once(receiver: &'a str) -> Self {
        Self { receiver, group_wait: Duration::ZERO, group_interval: Duration::ZERO }
    }
}

impl<'a> Board<'a> {
    /// Writes a line into the timeline.
    pub(super) fn tell(&mut self, incident: &Incident, kind: TimelineKind, cause: &Cause, content: String) {
        let actor = cause.actor.clone();
        self.timeline.push(TimelineEntry { incident_id: incident.id, at: cause.at, kind, actor, content });
    }

    /// Tells the receivers of an incident's routes, unless the change is `quieted`, for this reason, or the incident flaps.
    /// Those that were told by its escalation are told what became of it as well.
    pub(super) fn notify(
        &mut self,
        incident: &Incident,
        kind: NoticeKind,
        quieted: Option<&'static str>,
        cause: &Cause,
        decision: &mut Decision,
    ) {
        let recipients = self.recipients(incident, kind);
        self.notify_these(incident, kind, recipients, quieted, cause, decision);
    }

    /// Who is to be told of this.
    pub(super) fn recipients(&self, incident: &Incident, kind: NoticeKind) -> Vec<Recipient<'a>> {
        let routing = &self.policy.routing;
        let routes = incident.routes.iter().filter_map(|path| routing.by_path(path));
        let mut recipients: Vec<_> = routes.filter_map(Recipient::of).collect();
        if kind == NoticeKind::Acknowledged || kind.ends() {
            recipients.extend(self.escalated_to(incident).into_iter().map(Recipient::at_once));
        }
        recipients
    }

    /// Tells these, each once, unless the change is `quieted`, for this reason, or the incident flaps.
    pub(super) fn notify_these(
        &mut self,
        incident: &Incident,
        kind: NoticeKind,
        recipients: Vec<Recipient<'_>>,
        quieted: Option<&'static str>,
        cause: &Cause,
        decision: &mut Decision,
    ) {
        let withheld = Self::withheld(incident, quieted, kind, cause);
        let mut told: Vec<&str> = Vec::new();
        for Recipient { receiver, group_wait, group_interval } in recipients {
            if told.contains(&receiver) {
                continue;
            }
            told.push(receiver);
            decision.notices.push(NoticeDecision { kind, receiver: Some(receiver.to_owned()), withheld });
            if withheld.is_none() {
                self.notices.push(Notice {
                    id: NotificationId::generate(),
                    incident_id: incident.id,
                    receiver: receiver.to_owned(),
                    revision: incident.version,
                    kind,
                    group_wait,
                    group_interval,
                    created_at: cause.at,
                    trace: cause.trace.to_string(),
                });
            }
        }
        if told.is_empty() {
            let withheld = Some("no route of the incident has a receiver");
            decision.notices.push(NoticeDecision { kind, receiver: None, withheld });
        }
    }

    /// Why nobody is told of a change, if nobody is. What a person does is always told.
    pub(super) fn withheld(
        incident: &Incident,
        quieted: Option<&'static str>,
        kind: NoticeKind,
        cause: &Cause,
    ) -> Option<&'static str> {
        let flaps = incident.flapping_since.is_some() && kind != NoticeKind::Flapping && cause.actor.is_none();
        quieted.or_else(|| flaps.then_some("the incident is flapping"))
    }

    /// The route that owns an incident's group. One that is no longer configured is stood in for by the root.
    pub(super) fn owner(&self, incident: &Incident) -> &Route {
        let routing = &self.policy.routing;
        incident.routes.first().and_then(|path| routing.by_path(path)).unwrap_or(routing.root())
    }
}
