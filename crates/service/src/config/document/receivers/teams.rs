//! `teams`: the address of a workflow that posts what it is sent.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use super::{Faults, SecretSource, address_fault};

/// `teams`. The address is a secret, because whoever knows it can post.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names are the file's keys")]
pub struct TeamsSection {
    webhook_url: Option<SecretString>,
    webhook_url_file: Option<PathBuf>,
    webhook_url_env: Option<String>,
}

impl TeamsSection {
    /// Where the address comes from, for the receiver at `path`.
    #[must_use]
    pub fn webhook_url(&self, path: &str) -> SecretSource {
        SecretSource {
            key: format!("{path}.teams.webhook_url"),
            inline: self.webhook_url.clone(),
            file: self.webhook_url_file.clone(),
            env: self.webhook_url_env.clone(),
        }
    }

    pub(super) fn check(&self, path: &str, faults: &mut Faults) {
        faults.extend(address_fault(&self.webhook_url(path), false));
    }
}
