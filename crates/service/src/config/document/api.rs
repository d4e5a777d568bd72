//! `api`: who may call the API.

use std::collections::BTreeSet;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use super::{Faults, SecretSource};

/// `api`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiSection {
    /// Who may call the API.
    pub tokens: Vec<TokenSection>,
}

/// One of `api.tokens`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSection {
    /// Who it is for; appears in logs.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    sha256: Option<SecretString>,
    sha256_file: Option<PathBuf>,
    sha256_env: Option<String>,
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
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
