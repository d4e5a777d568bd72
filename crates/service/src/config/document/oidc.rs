//! `api.oidc`: signing in to the dashboard with an OpenID Connect provider.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::super::is_encrypted_or_near;
use super::{Faults, Scope, SecretSource};

/// How long a session that was begun at the provider may last.
const SESSION_BOUNDS: RangeInclusive<Duration> = Duration::from_mins(5)..=Duration::from_hours(7 * 24);
const DEFAULT_SESSION: Duration = Duration::from_hours(12);
/// The claim by which people are called, unless the file names another.
const DEFAULT_ACTOR_CLAIM: &str = "email";
/// Most rules.
const MAX_RULES: usize = 1_000;
/// Most scopes that are asked for.
const MAX_SCOPES: usize = 50;
/// Providers at which everybody can make an account for themselves.
const OPEN_TO_ALL: [&str; 5] = [
    "https://accounts.google.com",
    "https://appleid.apple.com",
    "https://gitlab.com",
    "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
    "https://login.salesforce.com",
];

/// `api.oidc`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSection {
    /// The provider's issuer, letter by letter as it names itself.
    pub issuer: String,
    /// What the button says: "Sign in with …". The issuer's host unless given.
    name: Option<String>,
    /// How the provider calls us.
    pub client_id: String,
    client_secret: Option<SecretString>,
    client_secret_file: Option<PathBuf>,
    client_secret_env: Option<String>,
    /// What the provider is asked to tell, beside `openid`.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    /// The claim by which people are called.
    #[serde(default = "default_actor_claim")]
    pub actor_claim: String,
    /// Who may do what, beside `everybody`. All rules that match count.
    #[serde(default)]
    pub allow: Vec<OidcRule>,
    /// What everybody may do who can sign in at the provider. Whoever may do nothing is not let in.
    everybody: Option<Vec<Scope>>,
    session_lifetime: Option<String>,
}

/// One of `api.oidc.allow`: whoever has this value in this claim.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcRule {
    /// The claim's name, or a JSON pointer (RFC 6901) to it, such as `/realm_access/roles`.
    pub claim: String,
    /// What it is, or what is in it if it is a list.
    pub value: String,
    /// What that allows.
    pub scopes: Vec<Scope>,
}

impl OidcSection {
    /// Where the secret comes from by which the provider knows us.
    #[must_use]
    pub fn client_secret(&self) -> SecretSource {
        SecretSource {
            key: "api.oidc.client_secret".to_owned(),
            inline: self.client_secret.clone(),
            file: self.client_secret_file.clone(),
            env: self.client_secret_env.clone(),
        }
    }

    /// How people call the provider.
    #[must_use]
    pub fn name(&self) -> String {
        let host = || Url::parse(&self.issuer).ok().and_then(|url| url.host_str().map(str::to_owned));
        self.name.clone().or_else(host).unwrap_or_else(|| self.issuer.clone())
    }

    /// What everybody may do who can sign in at the provider: to read, unless the file says otherwise.
    #[must_use]
    pub fn everybody(&self) -> &[Scope] {
        self.everybody.as_deref().unwrap_or(&[Scope::Read])
    }

    /// How long a session lasts at most: 12 hours, unless the file says otherwise.
    #[must_use]
    pub fn session_lifetime(&self) -> Duration {
        let given = self.session_lifetime.as_deref().and_then(super::super::duration::parse);
        given.unwrap_or(DEFAULT_SESSION)
    }

    fn is_open_to_all(&self) -> bool {
        OPEN_TO_ALL.contains(&self.issuer.trim_end_matches('/'))
    }
}

fn default_scopes() -> Vec<String> {
    vec!["profile".to_owned(), "email".to_owned()]
}

fn default_actor_claim() -> String {
    DEFAULT_ACTOR_CLAIM.to_owned()
}

/// Leaves everything that is wrong with the section in `faults`.
pub(super) fn check(section: &OidcSection, faults: &mut Faults) {
    match Url::parse(&section.issuer) {
        Ok(url) if !is_encrypted_or_near(&url) => {
            faults.add("api.oidc.issuer", "is not an https address", "use https, so that nobody can stand in for it");
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() => {
            let remedy = "write it as the provider's configuration document does under `issuer`";
            faults.add("api.oidc.issuer", "holds more than an address and a path", remedy);
        }
        Ok(_) => {}
        Err(_) => faults.add("api.oidc.issuer", "is not an address", "write it whole, from https:// on"),
    }
    if section.client_id.trim().is_empty() {
        faults.add("api.oidc.client_id", "is empty", "use the id under which the provider knows Tocsin");
    }
    faults.extend(section.client_secret().fault_in_place(SecretSource::resolve));
    if section.name.as_ref().is_some_and(|name| name.trim().is_empty() || name.chars().count() > 60) {
        faults.add("api.oidc.name", "cannot stand on a button", "use 1 to 60 characters, or leave it out");
    }
    let in_scope = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let are_scopes = section.scopes.iter().all(|scope| !scope.is_empty() && scope.bytes().all(in_scope));
    if !are_scopes || section.scopes.len() > MAX_SCOPES {
        let remedy = "list them one by one, such as [profile, email, groups]";
        faults.add("api.oidc.scopes", "holds what is no scope (RFC 6749)", remedy);
    }
    if section.actor_claim.is_empty() {
        faults.add("api.oidc.actor_claim", "is empty", "name a claim, such as email or preferred_username");
    }
    faults.duration("api.oidc.session_lifetime", section.session_lifetime.as_ref(), &SESSION_BOUNDS);
    check_rules(section, faults);
}

fn check_rules(section: &OidcSection, faults: &mut Faults) {
    if section.allow.len() > MAX_RULES {
        faults.add("api.oidc.allow", "holds more than 1,000 rules", "let the provider tell of groups, and allow those");
    }
    for (index, rule) in section.allow.iter().enumerate() {
        let path = |field: &str| format!("api.oidc.allow[{index}].{field}");
        if rule.claim.is_empty() {
            faults.add(path("claim"), "is empty", "name a claim, such as groups");
        }
        if rule.value.is_empty() {
            faults.add(path("value"), "is empty", "give the value that the claim must have or hold");
        }
        if rule.scopes.is_empty() {
            faults.add(path("scopes"), "is empty", "give one of read, respond, admin");
        }
    }
    if section.everybody().is_empty() && section.allow.is_empty() {
        faults.add("api.oidc.everybody", "is empty, and nothing else lets anybody in", "add rules to `api.oidc.allow`");
    }
    if section.is_open_to_all() && !section.everybody().is_empty() {
        let remedy = "write `everybody: []`, and who may come in under `api.oidc.allow`";
        faults.add("api.oidc.everybody", "would let in whoever makes an account at this provider", remedy);
    }
}
