//! `route`: which receivers are told, and what is grouped.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use tocsin_shared::routing::{
    EscalationStep, FlapRule, GroupBy, MAX_ESCALATION_STEPS, MAX_STEP_RECEIVERS, ResolvePolicy, Timing, Title,
};
use tocsin_shared::{Matchers, Route, Routing, with_causes};

use super::{Faults, ReceiverSection};

/// Most levels of the tree, the root among them.
const MAX_DEPTH: usize = 16;
/// Most routes. Each alert is held against them.
const MAX_ROUTES: usize = 1_000;
/// Most labels of `group_by`.
const MAX_GROUP_BY: usize = 32;
/// Most changes of an alert's state before it flaps.
const MAX_TRANSITIONS: u32 = 1_000;
/// How `group_by` says "every label".
const ALL_LABELS: &str = "...";

const DAY: Duration = Duration::from_hours(24);
const REOPEN_WITHIN: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(7 * 24);
const ESCALATE_AFTER: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(7 * 24);
const FLAP_WINDOW: RangeInclusive<Duration> = Duration::from_secs(1)..=DAY;

/// The bounds of a route's timings.
#[derive(Debug)]
pub struct TimingBounds;

impl TimingBounds {
    /// Of `group_wait`.
    pub const GROUP_WAIT: RangeInclusive<Duration> = Duration::ZERO..=DAY;
    /// Of `group_interval`.
    pub const GROUP_INTERVAL: RangeInclusive<Duration> = Duration::from_millis(100)..=DAY;
    /// Of `repeat_interval`.
    pub const REPEAT_INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(365 * 24);
}

/// A node of the routing tree. What it leaves out it has from its parent; the root has it from [`Route::default`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteSection {
    /// The name of one of `receivers`; if no route above names one either, nobody is told.
    pub receiver: Option<String>,
    group_by: Option<Vec<String>>,
    group_wait: Option<String>,
    group_interval: Option<String>,
    repeat_interval: Option<String>,
    matchers: Vec<String>,
    r#continue: bool,
    resolve: Option<ResolvePolicy>,
    reopen_within: Option<String>,
    flapping: FlappingSection,
    escalation: Option<Vec<EscalationSection>>,
    title: Option<String>,
    routes: Vec<RouteSection>,
    r#match: Option<serde_json::Value>,
    match_re: Option<serde_json::Value>,
    mute_time_intervals: Option<serde_json::Value>,
    active_time_intervals: Option<serde_json::Value>,
}

/// `flapping`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlappingSection {
    transitions: Option<u32>,
    window: Option<String>,
}

/// A step of `escalation`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EscalationSection {
    after: String,
    receivers: Vec<String>,
}

/// The tree that the sections describe; what is wrong with them is left in `faults`.
pub(super) fn build(root: &RouteSection, receivers: &[ReceiverSection], faults: &mut Faults) -> Routing {
    let remedy = "move it into a route of `routes`: the root takes every alert";
    if !root.matchers.is_empty() {
        faults.add("route.matchers", "is not for the root", remedy);
    }
    if root.r#continue {
        faults.add("route.continue", "is not for the root", "remove it: the root has no siblings");
    }
    let mut builder = Builder { receivers, faults, routes: 0 };
    let mut built = builder.build(root, "route", &Route::default(), 1);
    let count = builder.routes;
    if count > MAX_ROUTES {
        faults.add("route", format!("has {count} routes, more than 1,000"), "join routes by regular expressions");
    }
    silence(&mut built, receivers);
    Routing::new(built)
}

/// A receiver that tells nobody is none to the rules.
fn silence(route: &mut Route, receivers: &[ReceiverSection]) {
    if receivers.iter().any(|receiver| receiver.silent && Some(&receiver.name) == route.receiver.as_ref()) {
        route.receiver = None;
    }
    for step in &mut route.escalation {
        step.receivers.retain(|name| !receivers.iter().any(|receiver| receiver.silent && receiver.name == *name));
    }
    for child in &mut route.routes {
        silence(child, receivers);
    }
}

struct Builder<'a> {
    receivers: &'a [ReceiverSection],
    faults: &'a mut Faults,
    routes: usize,
}

impl Builder<'_> {
    fn build(&mut self, section: &RouteSection, path: &str, parent: &Route, depth: usize) -> Route {
        self.routes += 1;
        self.check(section, path);
        let key = |name: &str| format!("{path}.{name}");
        let mut route = Route {
            path: String::new(),
            matchers: self.matchers(section, path),
            receiver: section.receiver.clone().or_else(|| parent.receiver.clone()),
            group_by: section.group_by.as_deref().map_or_else(|| parent.group_by.clone(), group_by),
            timing: self.timing(section, path, parent.timing),
            resolve: section.resolve.unwrap_or(parent.resolve),
            reopen_within: self.duration(
                &key("reopen_within"),
                section.reopen_within.as_ref(),
                &REOPEN_WITHIN,
                parent.reopen_within,
            ),
            flap: self.flap(&section.flapping, &key("flapping"), parent.flap),
            escalation: self.escalation(section, path, &parent.escalation),
            title: self.title(section, path, &parent.title),
            continues: section.r#continue,
            routes: Vec::new(),
        };
        if depth == MAX_DEPTH && !section.routes.is_empty() {
            self.faults.add(key("routes"), "is more than 16 levels deep", "put more matchers into fewer levels");
        } else {
            let children = section.routes.iter().enumerate();
            route.routes = children
                .map(|(index, child)| self.build(child, &format!("{path}.routes[{index}]"), &route, depth + 1))
                .collect();
        }
        route
    }

    fn check(&mut self, section: &RouteSection, path: &str) {
        if let Some(name) = &section.receiver
            && !self.receivers.iter().any(|receiver| receiver.name == *name)
        {
            let fault = format!("no receiver is called `{name}`");
            self.faults.add(format!("{path}.receiver"), fault, "name one of `receivers`");
        }
        let names = section.group_by.as_deref().unwrap_or_default();
        let key = format!("{path}.group_by");
        self.faults.label_names(&key, names, MAX_GROUP_BY);
        if names.len() > 1 && names.iter().any(|name| name == ALL_LABELS) {
            self.faults.add(key, "holds `...` among others", "use ['...'] alone: it stands for every label");
        }
        let matchers = "use matchers, or let import-alertmanager convert the file";
        let silences = "declare a silence with a recurrence instead";
        for (name, given, remedy) in [
            ("match", &section.r#match, matchers),
            ("match_re", &section.match_re, matchers),
            ("mute_time_intervals", &section.mute_time_intervals, silences),
            ("active_time_intervals", &section.active_time_intervals, silences),
        ] {
            self.faults.not_taken(format!("{path}.{name}"), given.is_some(), remedy);
        }
    }

    fn matchers(&mut self, section: &RouteSection, path: &str) -> Matchers {
        self.faults.matchers(&format!("{path}.matchers"), &section.matchers)
    }

    fn timing(&mut self, section: &RouteSection, path: &str, parent: Timing) -> Timing {
        let mut duration = |name, text: &Option<String>, bounds, default| {
            self.duration(&format!("{path}.{name}"), text.as_ref(), bounds, default)
        };
        Timing {
            group_wait: duration("group_wait", &section.group_wait, &TimingBounds::GROUP_WAIT, parent.group_wait),
            group_interval: duration(
                "group_interval",
                &section.group_interval,
                &TimingBounds::GROUP_INTERVAL,
                parent.group_interval,
            ),
            repeat_interval: duration(
                "repeat_interval",
                &section.repeat_interval,
                &TimingBounds::REPEAT_INTERVAL,
                parent.repeat_interval,
            ),
        }
    }

    fn flap(&mut self, section: &FlappingSection, path: &str, parent: FlapRule) -> FlapRule {
        if section.transitions.is_some_and(|transitions| transitions == 1 || transitions > MAX_TRANSITIONS) {
            let remedy = "use 0 to switch it off, or a number from 2 to 1000";
            self.faults.add(format!("{path}.transitions"), "is out of bounds", remedy);
        }
        let window = self.duration(&format!("{path}.window"), section.window.as_ref(), &FLAP_WINDOW, parent.window);
        FlapRule { transitions: section.transitions.unwrap_or(parent.transitions), window }
    }

    fn escalation(&mut self, section: &RouteSection, path: &str, parent: &[EscalationStep]) -> Vec<EscalationStep> {
        let Some(sections) = &section.escalation else {
            return parent.to_vec();
        };
        let path = format!("{path}.escalation");
        if sections.len() > MAX_ESCALATION_STEPS {
            self.faults.add(&path, format!("has more than {MAX_ESCALATION_STEPS} steps"), "leave some out");
        }
        let mut steps: Vec<EscalationStep> = Vec::new();
        for (index, section) in sections.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let key = format!("{path}.after");
            let after = self.faults.duration(&key, Some(&section.after), &ESCALATE_AFTER);
            if let Some(after) = after {
                if after.subsec_nanos() > 0 {
                    self.faults.add(&key, "is not in whole seconds", "write it as 90s, 5m or 1h30m");
                }
                if steps.last().is_some_and(|before| after <= before.after) {
                    self.faults.add(&key, "is not later than the step before", "order the steps by their time");
                }
                steps.push(EscalationStep { after, receivers: section.receivers.clone() });
            }
            self.check_step(section, &format!("{path}.receivers"));
        }
        steps
    }

    fn check_step(&mut self, section: &EscalationSection, key: &str) {
        if section.receivers.is_empty() || section.receivers.len() > MAX_STEP_RECEIVERS {
            let remedy = format!("name 1 to {MAX_STEP_RECEIVERS} of `receivers`");
            self.faults.add(key, "is empty or too long", remedy);
        }
        for name in &section.receivers {
            if !self.receivers.iter().any(|receiver| receiver.name == *name) {
                self.faults.add(key, format!("no receiver is called `{name}`"), "name one of `receivers`");
            }
        }
    }

    fn title(&mut self, section: &RouteSection, path: &str, parent: &Title) -> Title {
        let Some(text) = &section.title else {
            return parent.clone();
        };
        Title::template(text).unwrap_or_else(|error| {
            let remedy = "write a Jinja template such as '{{ title }} in {{ labels.cluster }}'";
            self.faults.add(format!("{path}.title"), with_causes(&error), remedy);
            parent.clone()
        })
    }

    fn duration(
        &mut self,
        key: &str,
        text: Option<&String>,
        bounds: &RangeInclusive<Duration>,
        default: Duration,
    ) -> Duration {
        self.faults.duration(key, text, bounds).unwrap_or(default)
    }
}

fn group_by(names: &[String]) -> GroupBy {
    if names == [ALL_LABELS] { GroupBy::All } else { GroupBy::Labels(names.to_vec()) }
}
