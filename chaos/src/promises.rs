//! What must hold in a scenario, and whether it did.

use crate::figures::Figures;

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
    /// No process is ever found dead.
    pub(crate) lives: bool,
}

impl Promises {
    pub(crate) const fn all() -> Self {
        Self { accepts: true, reads: true, applies: true, accepts_at_once: true, notices_once: true, lives: true }
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

    /// Those that hold on a machine that is too busy to answer anybody in time.
    pub(crate) const fn of_the_books(self) -> Self {
        Self { accepts: false, reads: false, lives: false, ..self }
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
        hold(
            !self.lives || figures.health_failures == 0,
            format!("{} times a process was not alive", figures.health_failures),
        );
        hold(!self.accepts || figures.accept_5xx == 0, format!("{} webhooks failed", figures.accept_5xx));
        hold(!self.reads || figures.read_failures == 0, format!("{} reads failed", figures.read_failures));
        hold(
            !self.notices_once || figures.notices_doubled == 0,
            format!("{} notices came twice", figures.notices_doubled),
        );
        broken.extend(figures.violation.clone());
        broken
    }
}
