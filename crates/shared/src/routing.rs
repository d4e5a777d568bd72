//! Routing: which receivers an alert goes to, and with which others it is grouped, in Alertmanager's model.

mod escalation;
pub(crate) mod key;
mod title;
mod tree;

use std::time::Duration;

pub use escalation::{EscalationStep, MAX_ESCALATION_STEPS, MAX_STEP_RECEIVERS};
pub use key::MAX_GROUP_KEY_BYTES;
pub use title::Title;
pub use tree::Routing;

use crate::alert::ALERTNAME;
use crate::{Labels, Matchers, named_enum};

/// When the notices of a group are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long a new group waits for more alerts before its first notice.
    pub group_wait: Duration,
    /// The least time between two notices of one group.
    pub group_interval: Duration,
    /// After how long an incident that still stands is told of again.
    pub repeat_interval: Duration,
}

impl Default for Timing {
    /// At once; then at most once a minute; and again after four hours.
    fn default() -> Self {
        Self {
            group_wait: Duration::ZERO,
            group_interval: Duration::from_mins(1),
            repeat_interval: Duration::from_hours(4),
        }
    }
}

/// What makes alerts one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupBy {
    /// The same values of these labels. Without any, all alerts of the route are one group.
    Labels(Vec<String>),
    /// The same labels altogether, which is written `['...']`: every alert is a group of its own.
    All,
}

named_enum! {
    /// When an incident is over.
    pub enum ResolvePolicy {
        /// When all its alerts are resolved.
        All = "all",
        /// When one of them is.
        Any = "any",
        /// Only when a responder says so.
        Never = "never",
    }
}

/// When an incident counts as flapping: it was over and came back `transitions` times within `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlapRule {
    /// How many changes; 0 switches the rule off.
    pub transitions: u32,
    /// Within which time.
    pub window: Duration,
}

impl Default for FlapRule {
    /// Six in ten minutes.
    fn default() -> Self {
        Self { transitions: 6, window: Duration::from_mins(10) }
    }
}

/// A node of the routing tree. Every field is resolved: what a node does not say it has from its parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Names it in its tree, in the form of Alertmanager's group keys: `{}/{severity="critical"}`. [`Routing::new`] sets it.
    pub path: String,
    /// Which alerts it takes, of those that its parent takes. The root takes all.
    pub matchers: Matchers,
    /// Who is told, if anybody.
    pub receiver: Option<String>,
    /// What makes a group.
    pub group_by: GroupBy,
    /// When its notices are sent.
    pub timing: Timing,
    /// When its incidents are over.
    pub resolve: ResolvePolicy,
    /// For how long after an incident was resolved a new alert of its group reopens it.
    pub reopen_within: Duration,
    /// When its incidents count as flapping.
    pub flap: FlapRule,
    /// Who is told besides while nobody takes an incident, in the order of time.
    pub escalation: Vec<EscalationStep>,
    /// What its incidents are called.
    pub title: Title,
    /// Whether its later siblings are tried too when it has matched.
    pub continues: bool,
    /// Its children.
    pub routes: Vec<Route>,
}

impl Default for Route {
    /// A root: nobody is told, and alerts of one name are one group.
    fn default() -> Self {
        Self {
            path: "{}".to_owned(),
            matchers: Matchers::default(),
            receiver: None,
            group_by: GroupBy::Labels(vec![ALERTNAME.to_owned()]),
            timing: Timing::default(),
            resolve: ResolvePolicy::All,
            reopen_within: Duration::from_mins(5),
            flap: FlapRule::default(),
            escalation: Vec::new(),
            title: Title::default(),
            continues: false,
            routes: Vec::new(),
        }
    }
}

impl Route {
    /// The key of the group that an alert with these labels belongs to: the route's path and the values of the labels
    /// that make a group, such as `{}/{team="db"}:{alertname="Down", cluster="a"}`. An absent label counts as empty, as
    /// in Alertmanager.
    #[must_use]
    pub fn group_key(&self, labels: &Labels) -> String {
        let mut names: Vec<&str> = match &self.group_by {
            GroupBy::Labels(names) => names.iter().map(String::as_str).collect(),
            GroupBy::All => {
                labels.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.as_str()).collect()
            }
        };
        names.sort_unstable();
        names.dedup();
        key::labelled(&format!("{}:", self.path), names, labels)
    }
}

#[cfg(test)]
mod tests;
