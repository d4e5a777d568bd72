//! What must hold in a scenario, and whether it did.

use crate::figures::Figures;

/// The longest silence, in seconds, after which something counts as broken for good. Times are promised too
/// (docs/RELIABILITY.md), but a machine that is busy with other things keeps nobody's; this is far above what that takes, and
/// below what a system takes that does not recover by itself.
const LONGEST_SILENCE_S: f64 = 20.0;
/// The same for the answers to webhooks, in milliseconds.
const SLOWEST_P99_MS: f64 = 2_000.0;

/// What holds whatever goes wrong, unless a scenario says that it cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a promise of its own")]
pub(crate) struct Promises {
    /// No webhook is answered with 5xx.
    pub(crate) accepts: bool,
    /// No read fails.
    pub(crate) reads: bool,
    /// Applying is counted from the fault, not from its end.
    pub(crate) applies: bool,
    /// Accepting is counted from the fault, not from its end.
    pub(crate) accepts_at_once: bool,
    /// No notice comes twice.
    pub(crate) notices_once: bool,
}

impl Promises {
    pub(crate) const fn all() -> Self {
        Self { accepts: true, reads: true, applies: true, accepts_at_once: true, notices_once: true }
    }

    pub(crate) const fn accepting_waits(self) -> Self {
        Self { accepts: false, accepts_at_once: false, ..self }
    }

    pub(crate) const fn some_requests_break(self) -> Self {
        Self { accepts: false, ..self }
    }

    pub(crate) const fn reads_wait(self) -> Self {
        Self { reads: false, ..self }
    }

    pub(crate) const fn some_reads_break(self) -> Self {
        Self { reads: false, ..self }
    }

    pub(crate) const fn applying_waits(self) -> Self {
        Self { applies: false, ..self }
    }

    pub(crate) const fn notices_may_double(self) -> Self {
        Self { notices_once: false, ..self }
    }

    /// Those that a run has broken, as sentences.
    pub(crate) fn broken(self, figures: &Figures) -> Vec<String> {
        let mut broken = Vec::new();
        let mut hold = |holds: bool, what: String| {
            if !holds {
                broken.push(what);
            }
        };
        hold(figures.lost == 0, format!("{} acknowledged deliveries are lost", figures.lost));
        hold(figures.doubled == 0, format!("{} deliveries acted twice", figures.doubled));
        hold(figures.notices_lost == 0, format!("nobody was told of {} deliveries", figures.notices_lost));
        hold(figures.health_failures == 0, format!("{} times a process was not alive", figures.health_failures));
        hold(!self.accepts || figures.accept_5xx == 0, format!("{} webhooks failed", figures.accept_5xx));
        hold(!self.reads || figures.read_failures == 0, format!("{} reads failed", figures.read_failures));
        hold(
            !self.notices_once || figures.notices_doubled == 0,
            format!("{} notices came twice", figures.notices_doubled),
        );
        hold(
            !self.accepts_at_once || figures.accept_p99_ms <= SLOWEST_P99_MS,
            format!("one webhook in a hundred was answered after {:.0} ms", figures.accept_p99_ms),
        );
        for (silence, what) in [
            (figures.accept_rto_s, "no webhook was accepted"),
            (figures.read_rto_s, "no read was answered"),
            (figures.apply_rto_s, "no event was applied"),
            (figures.notify_rto_s, "nobody was told of anything"),
        ] {
            hold(silence <= LONGEST_SILENCE_S, format!("{what} for {silence:.1} s"));
        }
        broken.extend(figures.violation.clone());
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_machine_breaks_no_promise_and_a_system_that_does_not_recover_does() {
        let slow = Figures { accept_p99_ms: 900.0, apply_rto_s: 14.0, ..Figures::default() };
        assert_eq!(Promises::all().broken(&slow), [""; 0]);
        let stuck = Figures { accept_p99_ms: 9_000.0, apply_rto_s: 24.0, ..Figures::default() };
        let broken = ["one webhook in a hundred was answered after 9000 ms", "no event was applied for 24.0 s"];
        assert_eq!(Promises::all().broken(&stuck), broken);
        assert_eq!(Promises::all().accepting_waits().broken(&stuck), broken[1..], "what is not promised is not judged");
    }
}
