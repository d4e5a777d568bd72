//! The tree of routes, and which of them an alert takes.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::{ResolvePolicy, Route};
use crate::{Labels, Matchers};

/// The whole tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routing {
    root: Route,
}

impl Routing {
    /// The tree below `root`, with every route's path set. The root takes every alert, whatever its matchers are.
    #[must_use]
    pub fn new(mut root: Route) -> Self {
        root.matchers = Matchers::default();
        name(&mut root, "{}".to_owned());
        Self { root }
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> &Route {
        &self.root
    }

    /// The routes that an alert with these labels takes, at least one, by Alertmanager's rule: children before their
    /// parent, which takes only what none of them does; and the first child that matches, along with the later ones if it
    /// says `continue`.
    #[must_use]
    pub fn matching<'a>(&'a self, labels: &Labels) -> Vec<&'a Route> {
        let mut taken = Vec::new();
        collect(&self.root, labels, &mut taken);
        taken
    }

    /// The route that owns the group of an alert with these labels: the first of those that it takes.
    #[must_use]
    pub fn owner(&self, labels: &Labels) -> &Route {
        self.matching(labels).first().copied().unwrap_or(&self.root)
    }

    /// For how long after its end an incident of any route may be opened again at most.
    #[must_use]
    pub fn longest_reopening(&self) -> Duration {
        let reopening = |route: &Route| route.reopen_within.max(route.flap.window);
        self.routes().map(reopening).max().unwrap_or_default()
    }

    /// The route of this path, unless the tree has changed since and has none.
    #[must_use]
    pub fn by_path(&self, path: &str) -> Option<&Route> {
        find(&self.root, path)
    }

    /// Whether some route has this policy.
    #[must_use]
    pub fn uses(&self, policy: ResolvePolicy) -> bool {
        self.routes().any(|route| route.resolve == policy)
    }

    /// Everybody who can be told, by a route or by its escalation.
    #[must_use]
    pub fn receivers(&self) -> BTreeSet<&str> {
        let steps = self.routes().flat_map(|route| &route.escalation).flat_map(|step| &step.receivers);
        self.routes().filter_map(|route| route.receiver.as_deref()).chain(steps.map(String::as_str)).collect()
    }

    /// Every route, each before its children.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        let mut ahead = vec![&self.root];
        std::iter::from_fn(move || {
            let route = ahead.pop()?;
            ahead.extend(route.routes.iter().rev());
            Some(route)
        })
    }
}

/// Siblings with the same matchers would have one path, and groups of one key; so from the second on they are numbered.
fn name(route: &mut Route, path: String) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for child in &mut route.routes {
        let mut below = format!("{path}/{}", child.matchers.sorted());
        let times = seen.entry(below.clone()).or_default();
        *times += 1;
        if *times > 1 {
            below = format!("{below}#{times}");
        }
        name(child, below);
    }
    route.path = path;
}

fn collect<'a>(route: &'a Route, labels: &Labels, taken: &mut Vec<&'a Route>) {
    let before = taken.len();
    for child in route.routes.iter().filter(|child| child.matchers.matches(labels)) {
        collect(child, labels, taken);
        if !child.continues {
            break;
        }
    }
    if taken.len() == before {
        taken.push(route);
    }
}

fn find<'a>(route: &'a Route, path: &str) -> Option<&'a Route> {
    if route.path == path {
        return Some(route);
    }
    // Only below a route whose path begins this one; a value that holds a slash may make several do.
    let leads_on =
        |route: &&Route| path.strip_prefix(&route.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    route.routes.iter().filter(leads_on).find_map(|child| find(child, path))
}
