//! `receivers`: who can be told.

use std::collections::BTreeSet;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use super::{Faults, SecretSource};

/// Longest name, in bytes.
const MAX_NAME_BYTES: usize = 100;

/// One of `receivers`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverSection {
    /// What routes call it.
    pub name: String,
    /// Nobody: incidents open, and no notice is written.
    #[serde(default)]
    pub silent: bool,
    /// A Slack incoming webhook.
    pub slack: Option<SlackSection>,
}

impl ReceiverSection {
    /// What kind of receiver it is, as its key in the file.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        if self.slack.is_some() { "slack" } else { "silent" }
    }
}

/// `slack`: an incoming webhook. The address is a secret, because whoever knows it can post.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names are the file's keys")]
pub struct SlackSection {
    webhook_url: Option<SecretString>,
    webhook_url_file: Option<PathBuf>,
    webhook_url_env: Option<String>,
}

impl SlackSection {
    /// Where the address comes from, for the receiver at `index`.
    #[must_use]
    pub fn webhook_url(&self, index: usize) -> SecretSource {
        SecretSource {
            key: format!("receivers[{index}].slack.webhook_url"),
            inline: self.webhook_url.clone(),
            file: self.webhook_url_file.clone(),
            env: self.webhook_url_env.clone(),
        }
    }
}

/// Leaves everything that is wrong with the section in `faults`.
pub(super) fn check(receivers: &[ReceiverSection], faults: &mut Faults) {
    let mut names = BTreeSet::new();
    for (index, receiver) in receivers.iter().enumerate() {
        let key = format!("receivers[{index}]");
        if receiver.name.is_empty() || receiver.name.len() > MAX_NAME_BYTES {
            faults.add(format!("{key}.name"), "must have 1 to 100 bytes", "give a short name");
        }
        if !names.insert(receiver.name.as_str()) {
            let fault = format!("`{}` is given twice", receiver.name);
            faults.add(format!("{key}.name"), fault, "give each receiver its own name");
        }
        match (&receiver.slack, receiver.silent) {
            (None, true) => {}
            (None, false) => faults.add(key, "has no kind", "add a `slack` section, or `silent: true` to tell nobody"),
            (Some(_), true) => faults.add(key, "is silent and is not", "leave out `silent`, or what it would tell"),
            (Some(slack), false) => faults.extend(slack.webhook_url(index).fault()),
        }
    }
}
