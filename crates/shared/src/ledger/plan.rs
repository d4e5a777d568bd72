//! When a notice is due, and which of those that wait it makes superfluous: a pure function of what a batch wants to tell
//! and of what the ledger holds.
//!
//! A notice *waits* while it is not due yet (`group_wait`, `group_interval`, or the pause after a failed attempt). What
//! waits for a receiver is one notice per incident: a newer one takes its place, and the ledger says so. What is due is
//! on its way, and stays. So a storm reaches a receiver as one message per interval, with everything in it.

use std::collections::BTreeMap;

use chrono::Duration;

use super::{Notice, NoticeKind};
use crate::{IncidentId, NotificationId};

/// Whom a notice tells of what.
pub type Pair = (IncidentId, String);

/// Why a notice is superseded that a newer one says as well.
const SAID_BY_NEWER: &str = "a newer notice says it";
/// Why neither the beginning nor the end is told of what came and went while its first notice waited.
const OVER_BEFORE_TOLD: &str = "it was over before anybody was told";

/// A row of the ledger that no notifier has claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Names it.
    pub id: NotificationId,
    /// What it tells.
    pub kind: NoticeKind,
    /// Time until it is due; negative when it is.
    pub due_in: Duration,
    /// Whether a notifier has tried it, in vain.
    pub was_tried: bool,
}

/// Where a receiver stands with an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// The newest row that is not claimed, if there is one.
    pub pending: Option<Pending>,
    /// Time until the newest row that counts was or is due; negative when that is past. None when there is none.
    pub last_due_in: Option<Duration>,
}

/// A row to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it tells, whom, and why.
    pub notice: Notice,
    /// Time until it is due.
    pub due_in: Duration,
    /// Why it is not told at all, if it is not: it ends `superseded`.
    pub superseded: Option<&'static str>,
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Rows that are there and are not needed any more, with the reason.
    pub superseded: Vec<(NotificationId, &'static str)>,
    /// New rows.
    pub rows: Vec<Row>,
}

/// Plans `notices`, which are in the order of their revisions, on top of what stands.
#[must_use]
pub fn plan(notices: Vec<Notice>, mut standing: BTreeMap<Pair, Standing>) -> Plan {
    let mut plan = Plan::default();
    for notice in notices {
        let standing = standing.entry((notice.incident_id, notice.receiver.clone())).or_default();
        plan.add(notice, standing);
    }
    plan
}

impl Plan {
    fn add(&mut self, mut notice: Notice, standing: &mut Standing) {
        let replaced = standing.pending.filter(Pending::gives_way);
        if let Some(pending) = replaced {
            if notice.kind.ends() && pending.kind.begins() && !pending.was_tried {
                self.supersede(pending.id, OVER_BEFORE_TOLD, false);
                standing.pending = None;
                self.rows.push(Row { notice, due_in: Duration::zero(), superseded: Some(OVER_BEFORE_TOLD) });
                return;
            }
            self.supersede(pending.id, SAID_BY_NEWER, notice.kind == NoticeKind::Updated);
        }
        let due_in = match (notice.kind, replaced) {
            // It says what the one before would have said, and when that would have.
            // One that may not wait does so only for the first notice of all.
            (NoticeKind::Updated, Some(pending)) if notice.group_interval.is_zero() && !pending.kind.begins() => {
                Duration::zero()
            }
            (NoticeKind::Updated, Some(pending)) => {
                if pending.kind.begins() {
                    notice.kind = pending.kind;
                }
                pending.due_in
            }
            (NoticeKind::Updated, None) => {
                standing.last_due_in.map_or(Duration::zero(), |last| last + interval(notice.group_interval))
            }
            (kind, _) if kind.begins() => interval(notice.group_wait),
            _ => Duration::zero(),
        }
        .max(Duration::zero());
        standing.pending = Some(Pending { id: notice.id, kind: notice.kind, due_in, was_tried: false });
        standing.last_due_in = Some(due_in);
        self.rows.push(Row { notice, due_in, superseded: None });
    }

    /// Marks a row; one that is not written yet and tells nothing that the newer one does not is left out.
    fn supersede(&mut self, id: NotificationId, reason: &'static str, is_merged: bool) {
        match self.rows.iter().rposition(|row| row.notice.id == id) {
            None => self.superseded.push((id, reason)),
            Some(index) if is_merged => {
                self.rows.remove(index);
            }
            Some(index) => self.rows[index].superseded = Some(reason),
        }
    }
}

impl Pending {
    fn gives_way(&self) -> bool {
        self.due_in > Duration::zero() || self.kind == NoticeKind::Updated
    }
}

fn interval(duration: std::time::Duration) -> Duration {
    Duration::from_std(duration).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    const WAIT: i64 = 30;
    const INTERVAL: i64 = 60;

    fn seconds(seconds: i64) -> Duration {
        Duration::seconds(seconds)
    }

    fn incident() -> IncidentId {
        IncidentId::from_uuid(uuid::Uuid::from_u128(1))
    }

    fn notice(kind: NoticeKind, revision: i64, wait: i64) -> Notice {
        Notice {
            id: NotificationId::generate(),
            incident_id: incident(),
            receiver: "ops".to_owned(),
            revision,
            kind,
            group_wait: seconds(wait).to_std().unwrap(),
            group_interval: seconds(INTERVAL).to_std().unwrap(),
            created_at: DateTime::UNIX_EPOCH,
            trace: String::new(),
        }
    }

    fn pending(kind: NoticeKind, due_in: i64, was_tried: bool) -> Standing {
        let pending = Pending { id: NotificationId::generate(), kind, due_in: seconds(due_in), was_tried };
        Standing { pending: Some(pending), last_due_in: Some(pending.due_in) }
    }

    fn planned(notices: Vec<Notice>, standing: Standing) -> Plan {
        plan(notices, BTreeMap::from([((incident(), "ops".to_owned()), standing)]))
    }

    /// Kind, revision, seconds until due, and why it is not told.
    fn rows(plan: &Plan) -> Vec<(NoticeKind, i64, i64, Option<&'static str>)> {
        let row = |row: &Row| (row.notice.kind, row.notice.revision, row.due_in.num_seconds(), row.superseded);
        plan.rows.iter().map(row).collect()
    }

    #[test]
    fn the_first_notice_waits_for_what_else_fires_and_tells_of_all() {
        let first = notice(NoticeKind::Triggered, 1, WAIT);
        let plan = planned(vec![first], Standing::default());
        assert_eq!(rows(&plan), [(NoticeKind::Triggered, 1, WAIT, None)]);

        let more = planned(vec![notice(NoticeKind::Updated, 2, WAIT)], pending(NoticeKind::Triggered, 10, false));
        assert_eq!(rows(&more), [(NoticeKind::Triggered, 2, 10, None)], "at the time of the first");
        assert_eq!(more.superseded.len(), 1);
    }

    #[test]
    fn what_is_added_later_waits_for_the_interval_since_the_last() {
        let told = |ago: i64| Standing { pending: None, last_due_in: Some(seconds(-ago)) };
        let due = |ago| rows(&planned(vec![notice(NoticeKind::Updated, 5, 0)], told(ago)))[0].2;
        assert_eq!((due(0), due(20), due(60), due(600)), (60, 40, 0, 0));
    }

    #[test]
    fn an_update_that_may_not_wait_takes_the_place_of_one_that_does() {
        let now = Notice { group_interval: std::time::Duration::ZERO, ..notice(NoticeKind::Updated, 2, 0) };
        let told = Standing { pending: None, last_due_in: Some(seconds(-1)) };
        assert_eq!(rows(&planned(vec![now.clone()], told)), [(NoticeKind::Updated, 2, 0, None)]);
        let plan = planned(vec![now.clone()], pending(NoticeKind::Updated, 50, false));
        assert_eq!((rows(&plan), plan.superseded.len()), (vec![(NoticeKind::Updated, 2, 0, None)], 1));
        let first = planned(vec![now], pending(NoticeKind::Triggered, 10, false));
        assert_eq!(rows(&first), [(NoticeKind::Triggered, 2, 10, None)]);
    }

    #[test]
    fn a_storm_is_one_notice() {
        let many = (1..=100).map(|revision| notice(NoticeKind::Updated, revision, 0)).collect();
        let plan = planned(many, pending(NoticeKind::Updated, 7, false));
        assert_eq!(rows(&plan), [(NoticeKind::Updated, 100, 7, None)]);
        assert_eq!(plan.superseded.len(), 1);
    }

    #[test]
    fn what_is_on_its_way_is_not_taken_back() {
        let both = vec![notice(NoticeKind::Triggered, 1, 0), notice(NoticeKind::Resolved, 2, 0)];
        let plan = planned(both, Standing::default());
        assert_eq!(rows(&plan), [(NoticeKind::Triggered, 1, 0, None), (NoticeKind::Resolved, 2, 0, None)]);
    }

    #[test]
    fn what_was_over_before_anybody_was_told_is_not_told() {
        let both = vec![notice(NoticeKind::Triggered, 1, WAIT), notice(NoticeKind::Resolved, 2, WAIT)];
        let over = Some(OVER_BEFORE_TOLD);
        let expected = [(NoticeKind::Triggered, 1, WAIT, over), (NoticeKind::Resolved, 2, 0, over)];
        assert_eq!(rows(&planned(both, Standing::default())), expected);

        let end = vec![notice(NoticeKind::Resolved, 2, WAIT)];
        let plan = planned(end, pending(NoticeKind::Triggered, 10, false));
        assert_eq!((rows(&plan), plan.superseded.len()), (vec![(NoticeKind::Resolved, 2, 0, over)], 1));
    }

    #[test]
    fn an_end_is_told_to_whom_the_beginning_may_have_reached() {
        let plan = planned(vec![notice(NoticeKind::Resolved, 2, 0)], pending(NoticeKind::Triggered, 10, true));
        assert_eq!(rows(&plan), [(NoticeKind::Resolved, 2, 0, None)]);
    }

    #[test]
    fn an_acknowledgement_does_not_wait() {
        let plan = planned(vec![notice(NoticeKind::Acknowledged, 3, 0)], pending(NoticeKind::Updated, 50, false));
        assert_eq!((rows(&plan), plan.superseded.len()), (vec![(NoticeKind::Acknowledged, 3, 0, None)], 1));
    }

    #[test]
    fn receivers_are_planned_each_by_itself() {
        let other = Notice { receiver: "dev".to_owned(), ..notice(NoticeKind::Updated, 2, 0) };
        let plan = planned(vec![notice(NoticeKind::Updated, 2, 0), other], pending(NoticeKind::Updated, 9, false));
        let due: Vec<_> = rows(&plan).iter().map(|row| row.2).collect();
        assert_eq!(due, [9, 0]);
    }
}
