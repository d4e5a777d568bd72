//! `slack`: the app whose buttons stand under incidents.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use super::{Faults, SecretSource};

/// Where Slack takes answers to a click.
const RESPONSE_URL_PREFIX: &str = "https://hooks.slack.com/";

/// `slack`. Without it, clicks are not taken.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlackAppSection {
    signing_secret: Option<SecretString>,
    signing_secret_file: Option<PathBuf>,
    signing_secret_env: Option<String>,
    old_signing_secret: Option<SecretString>,
    old_signing_secret_file: Option<PathBuf>,
    old_signing_secret_env: Option<String>,
    response_url_prefix: Option<String>,
}

impl SlackAppSection {
    /// Where the secrets come from with which Slack may sign: one, or two while it changes.
    #[must_use]
    pub fn signing_secrets(&self) -> Vec<SecretSource> {
        let current = SecretSource {
            key: "slack.signing_secret".to_owned(),
            inline: self.signing_secret.clone(),
            file: self.signing_secret_file.clone(),
            env: self.signing_secret_env.clone(),
        };
        let old = SecretSource {
            key: "slack.old_signing_secret".to_owned(),
            inline: self.old_signing_secret.clone(),
            file: self.old_signing_secret_file.clone(),
            env: self.old_signing_secret_env.clone(),
        };
        let has_old = old.inline.is_some() || old.file.is_some() || old.env.is_some();
        std::iter::once(current).chain(has_old.then_some(old)).collect()
    }

    /// How an address begins to which a click may be answered.
    #[must_use]
    pub fn response_url_prefix(&self) -> &str {
        self.response_url_prefix.as_deref().unwrap_or(RESPONSE_URL_PREFIX)
    }
}

/// Leaves everything that is wrong with the section in `faults`.
pub(super) fn check(section: &SlackAppSection, faults: &mut Faults) {
    faults.extend(section.signing_secrets().iter().filter_map(SecretSource::fault));
    let prefix = section.response_url_prefix();
    let has_scheme = prefix.starts_with("https://") || prefix.starts_with("http://");
    if !has_scheme || !prefix.ends_with('/') {
        let remedy = "write an address that ends in a slash, such as https://hooks.slack.com/";
        faults.add("slack.response_url_prefix", "is not the beginning of an address", remedy);
    }
}
