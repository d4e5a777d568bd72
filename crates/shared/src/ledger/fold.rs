//! Which of the notices that wait for a receiver at the same moment are told as one: a pure function of what they are.
//!
//! After an outage, or while a receiver is held back by its pace, several notices of an incident are due at once. A message
//! shows the incident as it is when it is sent, so the newest says what the older ones would have. It takes their place, and
//! the kind of the one that people must not miss: what begins is told as a beginning, with everything that came since. Where
//! both say something of their own (a beginning and an end, say), both are told, in their order.

use super::NoticeKind;

/// What a run of notices comes down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fold {
    /// The place in the run of the notice that is told; those before it are superseded.
    pub told: usize,
    /// As what it is told.
    pub kind: NoticeKind,
}

/// Folds the notices of one incident for one receiver, `first` and those that follow it in the order of their revisions, as
/// far as one can stand for all.
#[must_use]
pub fn fold(first: NoticeKind, following: &[NoticeKind]) -> Fold {
    let mut folded = Fold { told: 0, kind: first };
    for newer in following {
        let Some(kind) = folded.kind.with(*newer) else { break };
        folded = Fold { told: folded.told + 1, kind };
    }
    folded
}

impl NoticeKind {
    /// The kind under which a newer notice stands for this one as well; none if it cannot.
    fn with(self, newer: Self) -> Option<Self> {
        match (self, newer) {
            (Self::Undelivered, Self::Undelivered) => Some(newer),
            // Told in another's place, and not in the order of the receiver's own.
            (Self::Undelivered, _) | (_, Self::Undelivered) => None,
            (older, newer) if older.tells_only_the_state() => Some(newer),
            (older, newer) if newer.tells_only_the_state() && !older.ends() => Some(older),
            // Who took it is part of how it ended.
            (Self::Acknowledged, newer) if newer.ends() => Some(newer),
            _ => None,
        }
    }

    const fn tells_only_the_state(self) -> bool {
        matches!(self, Self::Updated | Self::Reminder)
    }
}

#[cfg(test)]
mod tests {
    use super::NoticeKind::{
        Acknowledged, Canceled, Escalated, Reminder, Reopened, Resolved, Triggered, Undelivered, Updated,
    };
    use super::*;

    #[track_caller]
    fn assert_folds(run: &[NoticeKind], told: usize, kind: NoticeKind) {
        assert_eq!(fold(run[0], &run[1..]), Fold { told, kind }, "{run:?}");
    }

    #[test]
    fn one_alone_is_told_as_it_is() {
        for kind in NoticeKind::ALL {
            assert_folds(&[*kind], 0, *kind);
        }
    }

    #[test]
    fn a_storm_is_told_by_its_newest() {
        assert_folds(&[Updated; 100], 99, Updated);
    }

    #[test]
    fn a_beginning_tells_what_came_since_and_stays_a_beginning() {
        assert_folds(&[Triggered, Updated, Updated], 2, Triggered);
        assert_folds(&[Reopened, Updated, Reminder], 2, Reopened);
        assert_folds(&[Escalated, Updated], 1, Escalated);
    }

    #[test]
    fn a_beginning_and_what_responders_did_are_both_told_in_their_order() {
        assert_folds(&[Triggered, Resolved], 0, Triggered);
        assert_folds(&[Triggered, Updated, Acknowledged, Resolved], 1, Triggered);
        assert_folds(&[Acknowledged, Updated, Resolved], 2, Resolved);
    }

    #[test]
    fn an_end_is_not_lost_in_what_begins_again() {
        assert_folds(&[Updated, Resolved, Reopened, Updated], 1, Resolved);
        assert_folds(&[Canceled, Updated], 0, Canceled);
    }

    #[test]
    fn what_is_told_in_anothers_place_folds_only_among_itself() {
        assert_folds(&[Undelivered, Undelivered, Updated], 1, Undelivered);
        assert_folds(&[Updated, Undelivered], 0, Updated);
    }

    #[test]
    fn whatever_the_run_no_beginning_and_no_end_is_skipped() {
        for first in NoticeKind::ALL {
            for second in NoticeKind::ALL {
                for third in NoticeKind::ALL {
                    let run = [*first, *second, *third];
                    let Fold { told, kind } = fold(run[0], &run[1..]);
                    let weighty = |kind: &&NoticeKind| kind.begins() || kind.ends() || **kind == Escalated;
                    let among: Vec<_> = run[..=told].iter().filter(weighty).collect();
                    assert!(among.len() <= 1, "{run:?} are told as one");
                    assert!(among.iter().all(|weighty| **weighty == kind), "{run:?} are told as {kind:?}");
                }
            }
        }
    }
}
