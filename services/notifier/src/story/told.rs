//! The sample story in every state, for tests.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tocsin_shared::incident::FiringCounts;
use tocsin_shared::ledger::NoticeKind;
use tocsin_shared::{AlertStatus, IncidentStatus, SilenceId};

use super::{InsteadOf, Story, sample};

/// What a receiver is told in each case, with its name.
pub(crate) fn every_case() -> Vec<(String, Story)> {
    let kinds = NoticeKind::ALL.iter().map(|&kind| (kind.to_string(), told(kind)));
    let others = [("test", test()), ("many_alerts", many_alerts(50)), ("silenced", silenced())];
    kinds.chain(others.map(|(case, story)| (case.to_owned(), story))).collect()
}

/// What a receiver is told of a notice of this kind.
pub(crate) fn told(kind: NoticeKind) -> Story {
    let mut story = Story { link: page(), ..sample::story(kind, noon()) };
    let later = noon() + TimeDelta::minutes(25);
    let incident = &mut story.record.incident;
    match kind {
        NoticeKind::Acknowledged => {
            incident.status = IncidentStatus::Acknowledged;
            (incident.acknowledged_at, incident.acknowledged_by) = (Some(later), Some("Ada <ops> *L*".to_owned()));
        }
        NoticeKind::Resolved => {
            incident.status = IncidentStatus::Resolved;
            (incident.acknowledged_at, incident.acknowledged_by) = (Some(noon()), Some("Ada".to_owned()));
            (incident.resolved_at, incident.firing) = (Some(later), FiringCounts::default());
            story.alerts.iter_mut().for_each(|alert| alert.status = AlertStatus::Resolved);
        }
        NoticeKind::Canceled => {
            incident.status = IncidentStatus::Canceled;
            (incident.resolved_at, incident.resolved_by) = (Some(later), Some("Grace".to_owned()));
            incident.firing = FiringCounts::default();
            story.alerts.iter_mut().for_each(|alert| alert.status = AlertStatus::Resolved);
        }
        NoticeKind::Flapping => incident.flapping_since = Some(noon()),
        NoticeKind::Undelivered => {
            let reason = "404: <no_service> & such".to_owned();
            story.instead_of = Some(InsteadOf { receiver: "ops".to_owned(), reason });
        }
        NoticeKind::Triggered
        | NoticeKind::Updated
        | NoticeKind::Reopened
        | NoticeKind::Reminder
        | NoticeKind::Escalated => {}
    }
    if !matches!(kind, NoticeKind::Triggered | NoticeKind::Undelivered) {
        story.message = Some(json!({"channel": "C0123456789", "ts": "1764151200.000100"}));
    }
    story
}

/// A message that tries a receiver out, under an id that does not change.
pub(crate) fn test() -> Story {
    Story { notice: told(NoticeKind::Triggered).notice, ..sample::test(noon()) }
}

/// Somebody has silenced one of the alerts.
fn silenced() -> Story {
    let mut story = told(NoticeKind::Updated);
    story.alerts[0].silenced_by = Some(SilenceId::generate());
    story
}

/// So many alerts fire, and as many more are not even loaded.
pub(crate) fn many_alerts(count: usize) -> Story {
    let mut story = told(NoticeKind::Triggered);
    let first = story.alerts[0].clone();
    story.alerts = vec![first; count];
    story.record.incident.alert_count = i32::try_from(2 * count).unwrap();
    story.record.incident.firing.critical = i32::try_from(2 * count).unwrap();
    story
}

fn noon() -> DateTime<Utc> {
    "2026-11-23T12:05:00Z".parse().unwrap()
}

fn page() -> Option<url::Url> {
    Story::page(Some(&"https://tocsin.example.com/base/".parse().unwrap()), 12)
}
