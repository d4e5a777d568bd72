//! `route-test`: which routes an alert takes, and why.

mod text;

use std::collections::BTreeMap;

use serde::Serialize;
use tocsin_service::config::duration;
use tocsin_shared::matcher::MatcherError;
use tocsin_shared::routing::{EscalationStep, GroupBy, ResolvePolicy};
use tocsin_shared::{Labels, MatchOp, Matcher, Matchers, Policy, Route};

/// Why texts are no labels.
#[derive(Debug, thiserror::Error)]
pub(super) enum LabelsError {
    /// One has not the form of a label.
    #[error("not a label")]
    Syntax(#[from] MatcherError),
    /// One is a condition that several values fulfil.
    #[error("`{matcher}` is a matcher and not a label")]
    NotEqual { matcher: Matcher },
    /// One has two values.
    #[error("`{name}` is given twice")]
    Twice { name: String },
}

/// Reads labels such as `severity=critical`.
pub(super) fn labels(texts: &[String]) -> Result<Labels, LabelsError> {
    let mut labels = Labels::new();
    for text in texts {
        let matcher: Matcher = text.parse()?;
        if matcher.op() != MatchOp::Equal {
            return Err(LabelsError::NotEqual { matcher });
        }
        if labels.insert(matcher.name().to_owned(), matcher.value().to_owned()).is_some() {
            return Err(LabelsError::Twice { name: matcher.name().to_owned() });
        }
    }
    Ok(labels)
}

/// What becomes of an alert.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    labels: Labels,
    /// Those that it takes; its incident is the first one's.
    routes: Vec<Taken>,
    tree: Node,
    /// By rule: the keys under which it inhibits others while it fires.
    inhibits: BTreeMap<String, Vec<String>>,
    /// By rule: the key that an alert must offer to keep it quiet.
    inhibited_by: BTreeMap<String, String>,
}

/// A route that it takes.
#[derive(Debug, Serialize)]
struct Taken {
    path: String,
    receiver: Option<String>,
    group_by: Vec<String>,
    group_key: String,
    group_wait: String,
    group_interval: String,
    repeat_interval: String,
    resolve: ResolvePolicy,
    reopen_within: String,
    escalation: Vec<Step>,
}

/// A step of its escalation.
#[derive(Debug, Serialize)]
struct Step {
    after: String,
    receivers: Vec<String>,
}

/// A route of the tree, and what it made of the alert.
#[derive(Debug, Serialize)]
struct Node {
    path: String,
    matchers: Matchers,
    r#continue: bool,
    receiver: Option<String>,
    outcome: Outcome,
    /// The matchers that the alert does not fulfil, each with the value that it has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<Failed>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    routes: Vec<Node>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// The alert takes it.
    Taken,
    /// It matches, and routes below it take the alert.
    TakenBelow,
    /// It does not match.
    Refused,
    /// It is not asked, because an earlier one took the alert and does not say `continue`.
    NotReached,
}

#[derive(Debug, Serialize)]
struct Failed {
    matcher: Matcher,
    value: String,
}

impl Verdict {
    pub(super) fn of(policy: &Policy, labels: &Labels) -> Self {
        let taken = policy.routing.matching(labels);
        let paths: Vec<&str> = taken.iter().map(|route| route.path.as_str()).collect();
        let rules = &policy.inhibition;
        let inhibits = rules.iter().map(|rule| (rule.name.clone(), rule.source_keys(labels)));
        let inhibited = rules.iter().filter_map(|rule| Some((rule.name.clone(), rule.target_key(labels)?)));
        Self {
            labels: labels.clone(),
            routes: taken.iter().map(|route| Taken::of(route, labels)).collect(),
            tree: Node::of(policy.routing.root(), labels, &paths),
            inhibits: inhibits.filter(|(_, keys)| !keys.is_empty()).collect(),
            inhibited_by: inhibited.collect(),
        }
    }

    pub(super) fn to_json(&self) -> String {
        // Texts and lists, which no serializer refuses.
        serde_json::to_string_pretty(self).map(|json| json + "\n").unwrap_or_default()
    }
}

impl Taken {
    fn of(route: &Route, labels: &Labels) -> Self {
        let group_by = match &route.group_by {
            GroupBy::Labels(names) => names.clone(),
            GroupBy::All => vec!["...".to_owned()],
        };
        Self {
            path: route.path.clone(),
            receiver: route.receiver.clone(),
            group_by,
            group_key: route.group_key(labels),
            group_wait: duration::format(route.timing.group_wait),
            group_interval: duration::format(route.timing.group_interval),
            repeat_interval: duration::format(route.timing.repeat_interval),
            resolve: route.resolve,
            reopen_within: duration::format(route.reopen_within),
            escalation: route.escalation.iter().map(Step::of).collect(),
        }
    }
}

impl Step {
    fn of(step: &EscalationStep) -> Self {
        Self { after: duration::format(step.after), receivers: step.receivers.clone() }
    }
}

impl Node {
    /// A route that matches and is asked.
    fn of(route: &Route, labels: &Labels, taken: &[&str]) -> Self {
        let is_taken = taken.contains(&route.path.as_str());
        let mut node = Self::unasked(route);
        node.outcome = if is_taken { Outcome::Taken } else { Outcome::TakenBelow };
        let mut is_over = false;
        for child in &route.routes {
            let failed: Vec<_> = child.matchers.iter().filter(|matcher| !matcher.matches(labels)).collect();
            let below = match (is_over, failed.is_empty()) {
                (true, _) => Self::unasked(child),
                (false, true) => Self::of(child, labels, taken),
                (false, false) => {
                    Self { outcome: Outcome::Refused, failed: explain(&failed, labels), ..Self::unasked(child) }
                }
            };
            is_over |= failed.is_empty() && !child.continues;
            node.routes.push(below);
        }
        node
    }

    fn unasked(route: &Route) -> Self {
        Self {
            path: route.path.clone(),
            matchers: route.matchers.clone(),
            r#continue: route.continues,
            receiver: route.receiver.clone(),
            outcome: Outcome::NotReached,
            failed: Vec::new(),
            routes: Vec::new(),
        }
    }
}

fn explain(failed: &[&Matcher], labels: &Labels) -> Vec<Failed> {
    let value = |matcher: &Matcher| labels.get(matcher.name()).cloned().unwrap_or_default();
    failed.iter().map(|&matcher| Failed { matcher: matcher.clone(), value: value(matcher) }).collect()
}

#[cfg(test)]
mod tests {
    use tocsin_service::config::Document;

    use super::*;

    const CONFIG: &str = r#"
receivers: [{name: ops, slack: {webhook_url_env: A}}, {name: db, slack: {webhook_url_env: B}}, {name: nobody, silent: true}]
route:
  receiver: ops
  group_by: [alertname, cluster]
  escalation: [{after: 10m, receivers: [db]}, {after: 1h, receivers: [db, ops]}]
  routes:
    - {matchers: ['severity="critical"'], continue: true, group_wait: 30s}
    - matchers: ['team=~"db|store"']
      receiver: db
      routes: [{matchers: ['env!="prod"', 'quiet="yes"'], receiver: nobody}, {matchers: [env="prod"], group_by: ['...']}]
    - {matchers: ['env="prod"']}
inhibit_rules:
  - {name: page, source_matchers: [severity="critical"], target_matchers: [severity=~"warning|info"], equal: [cluster]}
  - {name: down, source_matchers: [alertname="Down"], target_matchers: [severity="critical"]}
"#;

    fn verdict(texts: &[&str]) -> Verdict {
        let texts: Vec<_> = texts.iter().map(|&text| text.to_owned()).collect();
        Verdict::of(&Document::parse(CONFIG).unwrap().policy(), &labels(&texts).unwrap())
    }

    #[test]
    fn it_is_told_which_routes_match_and_why() {
        insta::assert_snapshot!(verdict(&["severity=critical", "team=db", "env=prod", "alertname=\"Disk full\""]));
    }

    #[test]
    fn it_is_told_when_nobody_is() {
        insta::assert_snapshot!(verdict(&["team=store", "quiet=yes", "alertname=Down"]));
    }

    #[test]
    fn as_json_it_is_for_scripts() {
        insta::assert_snapshot!(verdict(&["severity=warning", "team=web"]).to_json());
    }

    #[test]
    fn what_is_no_label_is_refused() {
        let refused = |texts: &[&str]| {
            let texts: Vec<_> = texts.iter().map(|&text| text.to_owned()).collect();
            tocsin_service::with_causes(&labels(&texts).unwrap_err())
        };
        assert!(refused(&["severity"]).contains("at character 9"));
        assert!(refused(&["a=b", "a=c"]).contains("twice"));
        assert!(refused(&["a=~b"]).contains("matcher"));
    }
}
