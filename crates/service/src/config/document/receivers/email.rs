//! `email`: addresses, and the server that takes mail for them.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use super::{Faults, SecretSource};
use crate::config::is_loopback;

/// Most addresses of one receiver.
const MAX_ADDRESSES: usize = 50;
/// Longest address, in bytes, with the name before it.
const MAX_ADDRESS_BYTES: usize = 320;

/// `email`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailSection {
    /// Whom it is for.
    pub to: Vec<String>,
    /// Whom it is from.
    pub from: String,
    /// Who takes it.
    pub smtp: SmtpSection,
}

/// `smtp`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpSection {
    /// The server's name, which its certificate must have.
    pub host: String,
    port: Option<u16>,
    /// How the connection is encrypted.
    #[serde(default)]
    pub tls: SmtpTls,
    /// Who we are, where the server asks.
    pub username: Option<String>,
    password: Option<SecretString>,
    password_file: Option<PathBuf>,
    password_env: Option<String>,
}

/// How a connection to an SMTP server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpTls {
    /// By STARTTLS, which the server must offer (RFC 3207).
    #[default]
    Starttls,
    /// From the first byte on (RFC 8314).
    Implicit,
    /// Not at all.
    None,
}

impl SmtpSection {
    /// The server's port: the usual one unless given.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            SmtpTls::Starttls => 587,
            SmtpTls::Implicit => 465,
            SmtpTls::None => 25,
        })
    }

    /// Where the password comes from, for the receiver at `path`, if there is one.
    #[must_use]
    pub fn password(&self, path: &str) -> Option<SecretSource> {
        let source = SecretSource {
            key: format!("{path}.email.smtp.password"),
            inline: self.password.clone(),
            file: self.password_file.clone(),
            env: self.password_env.clone(),
        };
        source.is_given().then_some(source)
    }

    fn check(&self, path: &str, faults: &mut Faults) {
        let key = |name: &str| format!("{path}.email.smtp.{name}");
        if self.host.is_empty() || !self.host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte))
        {
            faults.add(key("host"), "is not the name of a server", "give the name alone, such as smtp.example.com");
        }
        if self.port == Some(0) {
            faults.add(key("port"), "is not a port", "use 1 to 65535, or leave it out");
        }
        let password = self.password(path);
        if self.username.is_some() != password.is_some() {
            faults.add(key("username"), "and password go together", "give both, or neither");
        }
        if password.is_some() && self.tls == SmtpTls::None && !is_loopback(&self.host) {
            faults.add(key("tls"), "would let others read the password", "use `starttls` or `implicit`");
        }
        faults.extend(password.and_then(|password| password.fault_in_place(SecretSource::resolve)));
    }
}

impl EmailSection {
    pub(super) fn check(&self, path: &str, faults: &mut Faults) {
        if !(1..=MAX_ADDRESSES).contains(&self.to.len()) {
            faults.add(format!("{path}.email.to"), "must hold 1 to 50 addresses", "use a mailing list for more");
        }
        let to = self.to.iter().enumerate().map(|(index, address)| (format!("to[{index}]"), address));
        for (name, address) in to.chain([("from".to_owned(), &self.from)]) {
            if !may_be_address(address) {
                let remedy = "write it as ops@example.com, or as Operations <ops@example.com>";
                faults.add(format!("{path}.email.{name}"), "is not an address", remedy);
            }
        }
        self.smtp.check(path, faults);
    }
}

/// What is surely none is a fault here; the notifier reads it as RFC 5322 wants it.
fn may_be_address(text: &str) -> bool {
    let address = text.rsplit_once('<').map_or(text, |(_, address)| address.trim_end_matches('>'));
    let parts = address.split_once('@');
    text.len() <= MAX_ADDRESS_BYTES
        && !text.contains(char::is_control)
        && !address.contains(char::is_whitespace)
        && parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
}
