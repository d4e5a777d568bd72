//! Signing in at an OpenID Connect provider: the authorization code flow with PKCE (OpenID Connect Core 1.0, section 3.1;
//! RFC 7636).
//!
//! What a browser brings along between its two visits stands in a cookie that only we can read and make ([`flow`]), so that
//! any api process can end what another has begun. The provider is asked only when somebody signs in ([`provider`]): an api
//! starts, and whoever is signed in stays so, while the provider is away. Who has proved there who they are is let in by what
//! the file says of their claims ([`person`]); from then on the provider is asked nothing, and no token of its is kept.

mod flow;
mod person;
mod provider;
mod web;

use std::time::Duration;

use openidconnect::{AuthorizationCode, Nonce, PkceCodeChallenge, PkceCodeVerifier};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tocsin_service::config::document::{OidcRule, Scope};
use tocsin_service::config::{ConfigError, Document, Environment, Problem as Fault};
use tocsin_service::http::Problem;
use tocsin_shared::ErrorCode;
use url::Url;

pub(crate) use self::flow::{COOKIE, Flow, local};
pub(crate) use self::person::Person;
use self::person::Refusal;
use self::provider::{Exchange, Provider, ProviderError};

/// Where the provider sends people back to.
pub(crate) const CALLBACK: &str = "/auth/oidc/callback";
/// When to try again what the provider did not answer, in seconds.
const RETRY_AFTER_SECS: u32 = 5;

/// Bytes of the hash that tells editions apart.
const EDITION: usize = 16;

/// A hash of all that decides who is let in.
pub(crate) type Edition = [u8; EDITION];

/// Who may come in, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) actor_claim: String,
    pub(crate) allow: Vec<OidcRule>,
    pub(crate) everybody: Vec<Scope>,
}

/// A way to sign in.
#[derive(Debug)]
pub(crate) struct Oidc {
    /// How people call the provider.
    pub(crate) name: String,
    /// How long a session lasts at most.
    pub(crate) lifetime: Duration,
    /// Tells what the file said when a session was begun from what it says now.
    pub(crate) edition: Edition,
    rules: Rules,
    provider: Provider,
}

/// What the provider sends back, by way of the browser.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    state: Option<String>,
    code: Option<AuthorizationCode>,
    error: Option<String>,
    /// Who answers (RFC 9207).
    iss: Option<String>,
}

/// Why nobody was let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OidcError {
    /// What came back belongs to nothing that this browser has begun here within the last minutes.
    #[error("the answer belongs to no sign-in that this browser has begun")]
    Unknown,
    /// Another provider than the one that was asked says that it answers.
    #[error("another issuer has answered")]
    OtherIssuer,
    /// The provider answers with an error.
    #[error("the provider answered {0:?}")]
    Answered(String),
    /// The provider cannot be used, or not trusted.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The provider says who it is, and they may not come in.
    #[error("not let in: {0}")]
    Refused(#[from] Refusal),
}

impl Oidc {
    /// The one that the file describes, if any. `public_url` is where browsers reach us.
    pub(crate) fn from_document(
        document: &Document,
        env: &Environment,
        public_url: Option<&Url>,
    ) -> Result<Option<Self>, ConfigError> {
        let Some(section) = &document.api.oidc else {
            return Ok(None);
        };
        let one = |fault| ConfigError { problems: vec![fault] };
        let secret = section.client_secret().resolve(env).map_err(one)?;
        let callback = public_url.and_then(|url| url.join(CALLBACK).ok()).ok_or_else(|| {
            let remedy =
                "set it to the address at which people reach the dashboard; the provider sends them back there";
            one(Fault::new("TOCSIN_PUBLIC_URL", "is not set, and api.oidc needs it", remedy))
        })?;
        let rules = Rules {
            actor_claim: section.actor_claim.clone(),
            allow: section.allow.clone(),
            everybody: section.everybody().to_vec(),
        };
        let mut edition = Edition::default();
        let said = format!("{:?}", (&section.issuer, &section.client_id, &rules));
        edition.copy_from_slice(&Sha256::digest(said)[..EDITION]);
        let provider = Provider::new(section, &secret, callback).map_err(|error| {
            one(Fault::new("api.oidc", format!("cannot be used: {error}"), "correct what it names"))
        })?;
        let (name, lifetime) = (section.name(), section.session_lifetime());
        Ok(Some(Self { name, lifetime, edition, rules, provider }))
    }

    /// Where to send a browser, and what it has to bring back. It comes back to `return_to` in the end.
    pub(crate) async fn begin(&self, return_to: String) -> Result<(Url, Flow), OidcError> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = self.provider.authorize(challenge).await?;
        let flow = Flow {
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
            return_to,
        };
        Ok((url, flow))
    }

    /// Who has come back, after having begun with `flow`.
    pub(crate) async fn finish(&self, flow: Flow, answer: Answer) -> Result<Person, OidcError> {
        let is_ours = |state: String| bool::from(state.as_bytes().ct_eq(flow.state.as_bytes()));
        if !answer.state.is_some_and(is_ours) {
            return Err(OidcError::Unknown);
        }
        if answer.iss.is_some_and(|issuer| issuer != self.provider.issuer()) {
            return Err(OidcError::OtherIssuer);
        }
        let code = match (answer.error, answer.code) {
            (Some(error), _) => return Err(OidcError::Answered(error.chars().take(100).collect())),
            (None, None) => return Err(OidcError::Unknown),
            (None, Some(code)) => code,
        };
        let exchange = Exchange { code, verifier: PkceCodeVerifier::new(flow.verifier), nonce: Nonce::new(flow.nonce) };
        let claims = self.provider.claims(exchange).await?;
        Ok(self.rules.person(&claims)?)
    }
}

impl From<&OidcError> for Problem {
    fn from(error: &OidcError) -> Self {
        let failed = |detail: &str| Self::new(ErrorCode::SignInFailed).detail(detail);
        match error {
            OidcError::Unknown => {
                failed("it took too long, was begun in another tab or browser, or has been done already")
            }
            OidcError::OtherIssuer => failed("the answer is from another provider than the one that was asked"),
            OidcError::Answered(error) => match error.as_str() {
                "temporarily_unavailable" | "server_error" => {
                    Self::new(ErrorCode::ProviderUnavailable).retry_after(RETRY_AFTER_SECS)
                }
                "access_denied" => Self::new(ErrorCode::SignInRefused).detail("the provider refused"),
                _ => failed("the provider did not take the request; the log says what it answered"),
            },
            OidcError::Provider(error) if error.is_outage() => {
                Self::new(ErrorCode::ProviderUnavailable).retry_after(RETRY_AFTER_SECS)
            }
            OidcError::Provider(_) => failed("what the provider answered cannot be trusted; the log says why"),
            OidcError::Refused(refusal) => Self::new(ErrorCode::SignInRefused).detail(refusal.to_string()),
        }
    }
}
