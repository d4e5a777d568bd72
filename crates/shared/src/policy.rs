//! What the configuration decides about alerts, all of it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::inhibition::Inhibition;
use crate::routing::Routing;

/// The rules by which alerts become incidents and somebody is told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Who is told, and what is grouped.
    pub routing: Routing,
    /// What keeps what quiet.
    pub inhibition: Inhibition,
    /// By integration: for how long an alert that fires may go without news before it counts as resolved. Without a
    /// time here it may for ever.
    pub resolve_timeouts: BTreeMap<String, Duration>,
}
