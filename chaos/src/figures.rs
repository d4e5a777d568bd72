//! Numbers of one run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tocsin_testbed::load::percentile;

use crate::ledger::Ledger;
use crate::probes::Probes;
use crate::promises::Promises;
use crate::timeline::Marks;
use crate::traffic::{Read, Sent};

/// What one run gave. Times are in seconds, unless they say otherwise.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Figures {
    /// Webhooks that were answered with 2xx.
    pub(crate) accepted: usize,
    /// Webhooks that were answered with 5xx, or not at all.
    pub(crate) accept_5xx: usize,
    /// Of the answers to webhooks from the fault on, in milliseconds.
    pub(crate) accept_p99_ms: f64,
    /// The longest time without a webhook accepted.
    pub(crate) accept_rto_s: f64,
    /// The longest time without an event applied.
    pub(crate) apply_rto_s: f64,
    /// The longest time without a notice received.
    pub(crate) notify_rto_s: f64,
    /// The longest time without a read answered.
    pub(crate) read_rto_s: f64,
    /// Reads that failed.
    pub(crate) read_failures: usize,
    /// Questions after `/health` that were not answered with 200, of processes that nobody had touched.
    pub(crate) health_failures: usize,
    /// Deliveries that were acknowledged and not applied.
    pub(crate) lost: usize,
    /// Deliveries that were applied more than once.
    pub(crate) doubled: usize,
    /// Deliveries that were acknowledged and of which the receiver was not told.
    pub(crate) notices_lost: usize,
    /// Notices that the receiver got again.
    pub(crate) notices_doubled: usize,
    /// What `tocsin-worker verify` found.
    pub(crate) violation: Option<String>,
}

/// Everything that was seen in one run.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) sent: Vec<Sent>,
    pub(crate) reads: Vec<Read>,
    pub(crate) probes: Probes,
    pub(crate) ledger: Ledger,
    pub(crate) marks: Marks,
}

impl Seen {
    /// Why webhooks and reads failed, and how often.
    pub(crate) fn refusals(&self) -> BTreeMap<String, usize> {
        let mut refusals = BTreeMap::new();
        for sent in self.sent.iter().filter(|sent| !sent.is_accepted()) {
            let (status, code) = (sent.status.unwrap_or(0), sent.code.as_deref().unwrap_or("no code"));
            *refusals.entry(format!("webhook {status} {code}")).or_default() += 1;
        }
        for failed in self.reads.iter().filter_map(|read| read.failed.as_ref()) {
            *refusals.entry(format!("read {failed}")).or_default() += 1;
        }
        refusals
    }

    /// What it comes to.
    pub(crate) fn figures(&self, promises: Promises, touched: &BTreeSet<String>) -> Figures {
        let Marks { begun, cleared, ended } = self.marks;
        let from = |at_once: bool| if at_once { begun } else { cleared };
        let accepted = self.sent.iter().filter(|sent| sent.is_accepted());
        let read = self.reads.iter().filter(|read| read.failed.is_none());
        let took: Vec<_> = self.sent.iter().filter(|sent| sent.due >= begun).map(|sent| sent.took).collect();
        Figures {
            accepted: accepted.clone().count(),
            accept_5xx: self.sent.iter().filter(|sent| sent.is_server_error()).count(),
            accept_p99_ms: percentile(&took, 0.99).as_secs_f64() * 1e3,
            accept_rto_s: longest_gap(accepted.map(Sent::answered), from(promises.accepts_at_once), ended),
            apply_rto_s: longest_gap(self.ledger.applied.iter().copied(), from(promises.applies), ended),
            notify_rto_s: longest_gap(self.ledger.told.iter().copied(), from(promises.applies), ended),
            read_rto_s: longest_gap(read.map(|read| read.due + read.took), from(promises.reads), ended),
            read_failures: self.reads.iter().filter(|read| read.failed.is_some()).count(),
            health_failures: self.probes.health_failures(touched),
            lost: self.ledger.lost,
            doubled: self.ledger.doubled,
            notices_lost: self.ledger.notices_lost,
            notices_doubled: self.ledger.notices_doubled,
            violation: self.ledger.violation.clone(),
        }
    }
}

/// The longest time, in seconds, in which nothing of this happened, from `from` on. What has not happened by `until` counts until
/// it does, or until then.
fn longest_gap(moments: impl Iterator<Item = Duration>, from: Duration, until: Duration) -> f64 {
    let mut moments: Vec<_> = moments.filter(|moment| *moment > from).collect();
    moments.sort_unstable();
    let mut before = from;
    let mut longest = Duration::ZERO;
    for moment in moments.into_iter().take_while_inclusive(until) {
        longest = longest.max(moment.saturating_sub(before));
        before = moment;
    }
    longest.max(until.saturating_sub(before)).as_secs_f64()
}

/// Up to and with the first that is not before a moment: a gap that begins before the end of the traffic counts whole, one that
/// begins after it is none, since nothing more was sent.
trait TakeWhileInclusive: Iterator<Item = Duration> + Sized {
    fn take_while_inclusive(self, until: Duration) -> impl Iterator<Item = Duration> {
        let mut is_over = false;
        self.take_while(move |moment| !std::mem::replace(&mut is_over, *moment >= until))
    }
}

impl<I: Iterator<Item = Duration>> TakeWhileInclusive for I {}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(moments: &[u64], from: u64, until: u64) -> f64 {
        let seconds = Duration::from_secs;
        longest_gap(moments.iter().copied().map(seconds), seconds(from), seconds(until))
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "whole seconds")]
    fn a_gap_counts_from_the_fault_to_what_comes_next() {
        assert_eq!(gap(&[1, 2, 3, 9, 10, 11], 4, 12), 5.0);
        assert_eq!(gap(&[1, 2, 3, 5, 6, 11, 12], 4, 12), 5.0, "also when it begins later");
        assert_eq!(gap(&[11, 12, 5, 6, 10], 4, 12), 4.0, "in whatever order they are given");
        assert_eq!(gap(&[1, 2], 4, 12), 8.0, "and to the end when nothing comes");
        assert_eq!(gap(&[5, 6, 15], 4, 7), 9.0, "what comes late comes late");
        assert_eq!(gap(&[5, 6, 7, 15], 4, 7), 1.0, "when nothing is sent, nothing is awaited");
    }
}
