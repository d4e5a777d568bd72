//! `receivers`: who can be told.

mod email;
mod slack;
mod teams;
mod templates;
mod webhook;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::super::Problem;
use super::{Faults, SecretSource};
pub use email::{EmailSection, SmtpSection, SmtpTls};
pub use slack::{SlackAccess, SlackSection};
pub use teams::TeamsSection;
pub use templates::{TemplatesSection, alert_sample, incident_sample};
pub use webhook::WebhookSection;

/// Longest name, in bytes.
const MAX_NAME_BYTES: usize = 100;
/// Most receivers.
const MAX_RECEIVERS: usize = 1_000;

/// One of `receivers`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverSection {
    /// What routes call it.
    pub name: String,
    /// Nobody: incidents open, and no notice is written.
    #[serde(default)]
    pub silent: bool,
    /// Who is told when this one cannot be.
    pub fallback: Option<String>,
    /// What is written, where it is not the default.
    #[serde(default)]
    pub templates: TemplatesSection,
    slack: Option<SlackSection>,
    teams: Option<TeamsSection>,
    webhook: Option<WebhookSection>,
    email: Option<EmailSection>,
}

/// What kind of receiver it is, with what the file says of it.
#[derive(Debug, Clone, Copy)]
pub enum ReceiverKind<'a> {
    /// Slack, as an app or by an incoming webhook.
    Slack(&'a SlackSection),
    /// Microsoft Teams, by a webhook of Workflows.
    Teams(&'a TeamsSection),
    /// Anything that takes JSON.
    Webhook(&'a WebhookSection),
    /// Addresses, over SMTP.
    Email(&'a EmailSection),
}

impl ReceiverSection {
    /// Its kind; none if it tells nobody.
    #[must_use]
    pub fn kind(&self) -> Option<ReceiverKind<'_>> {
        self.kinds().into_iter().flatten().next()
    }

    /// Its kind, as its key in the file.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self.kind() {
            Some(ReceiverKind::Slack(_)) => "slack",
            Some(ReceiverKind::Teams(_)) => "teams",
            Some(ReceiverKind::Webhook(_)) => "webhook",
            Some(ReceiverKind::Email(_)) => "email",
            None => "silent",
        }
    }

    fn kinds(&self) -> [Option<ReceiverKind<'_>>; 4] {
        [
            self.slack.as_ref().map(ReceiverKind::Slack),
            self.teams.as_ref().map(ReceiverKind::Teams),
            self.webhook.as_ref().map(ReceiverKind::Webhook),
            self.email.as_ref().map(ReceiverKind::Email),
        ]
    }

    fn check(&self, path: &str, faults: &mut Faults) {
        if self.name.is_empty() || self.name.len() > MAX_NAME_BYTES {
            faults.add(format!("{path}.name"), "must have 1 to 100 bytes", "give a short name");
        }
        let kinds = "`slack`, `teams`, `webhook` or `email`";
        match (self.kinds().iter().flatten().count(), self.silent) {
            (0, true) | (1, false) => {}
            (0, false) => {
                faults.add(path, "has no kind", format!("add one of {kinds}, or `silent: true` to tell nobody"));
            }
            (_, true) => faults.add(path, "is silent and is not", "leave out `silent`, or what it would tell"),
            (_, false) => {
                faults.add(path, "has several kinds", format!("give one of {kinds}, and make more receivers"));
            }
        }
        match self.kind() {
            Some(ReceiverKind::Slack(slack)) => slack.check(path, faults),
            Some(ReceiverKind::Teams(teams)) => teams.check(path, faults),
            Some(ReceiverKind::Webhook(webhook)) => webhook.check(path, faults),
            Some(ReceiverKind::Email(email)) => email.check(path, faults),
            None => {}
        }
        self.templates.check(&format!("{path}.templates"), faults);
    }
}

/// Leaves everything that is wrong with the section in `faults`.
pub(super) fn check(receivers: &[ReceiverSection], faults: &mut Faults) {
    if receivers.len() > MAX_RECEIVERS {
        faults.add("receivers", "holds more than 1,000", "remove those that no route names");
    }
    let mut names = BTreeSet::new();
    for (index, receiver) in receivers.iter().enumerate() {
        let path = format!("receivers[{index}]");
        receiver.check(&path, faults);
        if !names.insert(receiver.name.as_str()) {
            let fault = format!("`{}` is given twice", receiver.name);
            faults.add(format!("{path}.name"), fault, "give each receiver its own name");
        }
    }
    check_fallbacks(receivers, faults);
}

/// A fallback is another receiver that tells somebody, and following them comes to an end.
fn check_fallbacks(receivers: &[ReceiverSection], faults: &mut Faults) {
    let by_name: BTreeMap<&str, &ReceiverSection> =
        receivers.iter().map(|receiver| (receiver.name.as_str(), receiver)).collect();
    let next = |receiver: &ReceiverSection| by_name.get(receiver.fallback.as_deref()?).copied();
    for (index, receiver) in receivers.iter().enumerate() {
        let Some(fallback) = &receiver.fallback else { continue };
        let key = format!("receivers[{index}].fallback");
        let chain = std::iter::successors(next(receiver), |receiver| next(receiver)).take(receivers.len());
        let returns = chain.clone().any(|other| other.name == receiver.name);
        if receiver.silent {
            faults.add(key, "has no effect: the receiver is silent", "remove it");
        } else if !by_name.contains_key(fallback.as_str()) {
            faults.add(key, format!("no receiver is called `{fallback}`"), "name one of `receivers`");
        } else if *fallback == receiver.name {
            faults.add(key, "is the receiver itself", "name another one, best of another kind");
        } else if returns {
            faults.add(key, "leads back to the receiver itself", "let one of them have no fallback");
        } else if by_name.get(fallback.as_str()).is_some_and(|fallback| fallback.silent) {
            faults.add(key, format!("`{fallback}` is silent"), "name one that tells somebody, or remove it");
        }
    }
}

/// What the file alone shows to be wrong with an address that may stand elsewhere.
fn address_fault(source: &SecretSource, allows_plain: bool) -> Option<Problem> {
    source.fault_in_place(|source, env| source.http_address(env, allows_plain))
}
