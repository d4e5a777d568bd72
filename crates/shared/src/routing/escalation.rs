//! Escalation: who is told besides when nobody takes an incident.

use std::time::Duration;

/// Most steps of one route.
pub const MAX_ESCALATION_STEPS: usize = 10;
/// Most receivers of one step.
pub const MAX_STEP_RECEIVERS: usize = 10;

/// A step: who is told when nobody has taken an incident for so long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscalationStep {
    /// Time since the incident was opened, opened again or given back. In whole seconds, and more than that of the step before.
    pub after: Duration,
    /// Who.
    pub receivers: Vec<String>,
}
