//! `api`: who may call the API.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::super::{Environment, Problem};
use super::{Faults, OidcSection, SecretSource, oidc};

/// Requests of one token in a minute, unless the file says otherwise.
const DEFAULT_PER_MINUTE: NonZeroU32 = match NonZeroU32::new(6_000) {
    Some(per_minute) => per_minute,
    None => NonZeroU32::MIN,
};
/// Shortest `session_secret`, in bytes.
const MIN_SESSION_SECRET_BYTES: usize = 32;

/// `api`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiSection {
    /// Who may call the API.
    pub tokens: Vec<TokenSection>,
    /// How much each of them may ask for.
    pub limit: ApiLimitSection,
    /// Where else people can sign in, if anywhere.
    pub oidc: Option<OidcSection>,
    session_secret: Option<SecretString>,
    session_secret_file: Option<PathBuf>,
    session_secret_env: Option<String>,
}

/// `api.limit`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiLimitSection {
    /// Requests of one token in a minute, for each api process. 6,000 unless given.
    pub per_minute: NonZeroU32,
}

impl Default for ApiLimitSection {
    fn default() -> Self {
        Self { per_minute: DEFAULT_PER_MINUTE }
    }
}

impl ApiSection {
    /// What the cookies of sessions are sealed with, if the file gives it: at least 32 bytes, the same for every api.
    pub fn session_secret(&self, env: &Environment) -> Result<Option<SecretString>, Problem> {
        self.session_source().map(|source| read_session_secret(&source, env)).transpose()
    }

    fn session_source(&self) -> Option<SecretSource> {
        let source = SecretSource {
            key: "api.session_secret".to_owned(),
            inline: self.session_secret.clone(),
            file: self.session_secret_file.clone(),
            env: self.session_secret_env.clone(),
        };
        (source.inline.is_some() || source.file.is_some() || source.env.is_some()).then_some(source)
    }
}

fn read_session_secret(source: &SecretSource, env: &Environment) -> Result<SecretString, Problem> {
    let secret = source.resolve(env)?;
    if secret.expose_secret().len() < MIN_SESSION_SECRET_BYTES {
        let fault = format!("is shorter than {MIN_SESSION_SECRET_BYTES} bytes");
        return Err(Problem::new(&source.key, fault, "make it with: openssl rand -hex 32"));
    }
    Ok(secret)
}

/// One of `api.tokens`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSection {
    /// Who it is for; appears in logs.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// From when on it allows nothing any more; never unless given.
    pub expires_at: Option<DateTime<Utc>>,
    sha256: Option<SecretString>,
    sha256_file: Option<PathBuf>,
    sha256_env: Option<String>,
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// To read.
    Read,
    /// To act on incidents.
    Respond,
    /// Everything.
    Admin,
}

impl TokenSection {
    /// Where the token's SHA-256 (64 hexadecimal digits) comes from, for the token at `index`.
    #[must_use]
    pub fn sha256(&self, index: usize) -> SecretSource {
        SecretSource {
            key: format!("api.tokens[{index}].sha256"),
            inline: self.sha256.clone(),
            file: self.sha256_file.clone(),
            env: self.sha256_env.clone(),
        }
    }
}

/// Leaves everything that is wrong with the section in `faults`.
pub(super) fn check(section: &ApiSection, faults: &mut Faults) {
    faults.extend(section.session_source().and_then(|source| source.fault_in_place(read_session_secret)));
    if let Some(section) = &section.oidc {
        oidc::check(section, faults);
    }
    let mut names = BTreeSet::new();
    for (index, token) in section.tokens.iter().enumerate() {
        if !names.insert(token.name.as_str()) {
            let fault = format!("`{}` is given twice", token.name);
            faults.add(format!("api.tokens[{index}].name"), fault, "give each token its own name");
        }
        if token.scopes.is_empty() {
            faults.add(format!("api.tokens[{index}].scopes"), "is empty", "give one of read, respond, admin");
        }
        faults.extend(token.sha256(index).fault_in_place(SecretSource::sha256));
    }
}
