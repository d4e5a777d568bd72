//! `webhook`: an address that is sent JSON.

use std::num::NonZeroU16;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use super::{Faults, SecretSource, address_fault};

/// `webhook`. The address may hold a secret, and so is treated as one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSection {
    url: Option<SecretString>,
    url_file: Option<PathBuf>,
    url_env: Option<String>,
    secret: Option<SecretString>,
    secret_file: Option<PathBuf>,
    secret_env: Option<String>,
    authorization: Option<SecretString>,
    authorization_file: Option<PathBuf>,
    authorization_env: Option<String>,
    /// Whether the address may be one of our own network, and without TLS.
    #[serde(default)]
    pub allow_private: bool,
    /// Most requests in a second, all notifiers together; five times as many may come at once.
    #[serde(default = "default_per_second")]
    pub per_second: NonZeroU16,
}

fn default_per_second() -> NonZeroU16 {
    const { NonZeroU16::new(10).unwrap() }
}

impl WebhookSection {
    /// Where the address comes from, for the receiver at `path`.
    #[must_use]
    pub fn url(&self, path: &str) -> SecretSource {
        SecretSource {
            key: format!("{path}.webhook.url"),
            inline: self.url.clone(),
            file: self.url_file.clone(),
            env: self.url_env.clone(),
        }
    }

    /// Where the secret comes from with which requests are signed, if they are.
    #[must_use]
    pub fn secret(&self, path: &str) -> Option<SecretSource> {
        let source = SecretSource {
            key: format!("{path}.webhook.secret"),
            inline: self.secret.clone(),
            file: self.secret_file.clone(),
            env: self.secret_env.clone(),
        };
        source.is_given().then_some(source)
    }

    /// Where the value of the header `Authorization` comes from, if there is one.
    #[must_use]
    pub fn authorization(&self, path: &str) -> Option<SecretSource> {
        let source = SecretSource {
            key: format!("{path}.webhook.authorization"),
            inline: self.authorization.clone(),
            file: self.authorization_file.clone(),
            env: self.authorization_env.clone(),
        };
        source.is_given().then_some(source)
    }

    pub(super) fn check(&self, path: &str, faults: &mut Faults) {
        faults.extend(address_fault(&self.url(path), self.allow_private));
        faults.extend(self.secret(path).and_then(|secret| secret.fault_in_place(SecretSource::standard_webhooks_key)));
        faults.extend(self.authorization(path).and_then(|value| value.fault_in_place(SecretSource::resolve)));
    }
}
