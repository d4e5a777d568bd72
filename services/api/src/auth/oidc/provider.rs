//! The provider: what it says of itself, kept for a while, and the exchange of a code for claims that it has signed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClientAuthMethod, CoreErrorResponseType,
    CoreGenderClaim, CoreJsonWebKey, CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
    CoreProviderMetadata, CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse,
    CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken,
    DiscoveryError, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdToken, IdTokenFields,
    IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    SignatureVerificationError, StandardErrorResponse, StandardTokenResponse,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tocsin_service::config::document::OidcSection;
use tocsin_service::config::{ExposeSecret as _, SecretString, is_encrypted_or_near};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout};
use url::Url;

use super::web::{Web, WebError};

/// Longest that somebody waits for the provider at one of their two visits.
const DEADLINE: Duration = Duration::from_secs(8);
/// How long what the provider says of itself is believed.
const KEPT: Duration = Duration::from_hours(1);
/// Time between two looks for keys that are not known.
const KEYS_AGAIN: Duration = Duration::from_secs(10);
/// How long a provider that could not be reached is left alone.
const LEFT_ALONE: Duration = Duration::from_secs(1);
/// Most people who wait for the provider at once.
const MAX_WAITING: usize = 64;
/// How far the provider's clock may be behind ours.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(60);
/// Signatures that only the provider can make: none is none, and HMAC is made with a secret that we know as well.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// The claims that no standard names, groups above all.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Extra(BTreeMap<String, Value>);

impl AdditionalClaims for Extra {}

type Fields = IdTokenFields<
    Extra,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type SignedClaims = IdToken<Extra, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type Client = openidconnect::Client<
    Extra,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A provider, and who we are to it.
#[derive(Debug)]
pub(super) struct Provider {
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: ClientSecret,
    scopes: Vec<Scope>,
    callback: RedirectUrl,
    web: Web,
    known: Mutex<Known>,
    waiting: Semaphore,
}

/// What is known of it so far.
#[derive(Debug, Default)]
struct Known {
    metadata: Option<(Arc<CoreProviderMetadata>, Instant)>,
    keys_asked_at: Option<Instant>,
    failed_at: Option<Instant>,
}

/// What somebody brings back, and what they left with.
pub(super) struct Exchange {
    pub(super) code: AuthorizationCode,
    pub(super) verifier: PkceCodeVerifier,
    pub(super) nonce: Nonce,
}

/// Why the provider is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    /// It did not answer in time, together with the request before it.
    #[error("the provider did not answer within {} s", DEADLINE.as_secs())]
    TooSlow,
    /// It did not answer a moment ago.
    #[error("the provider did not answer a moment ago")]
    LeftAlone,
    /// As many people wait for it as may.
    #[error("too many people wait for the provider")]
    TooMany,
    /// Our end of the connection cannot be made.
    #[error("cannot make an HTTP client")]
    Client(#[source] reqwest::Error),
    /// An address cannot be used.
    #[error("not an address")]
    Address(#[from] openidconnect::url::ParseError),
    /// It says nothing of itself that can be used.
    #[error("cannot read what the provider says of itself")]
    Discovery(#[from] DiscoveryError<WebError>),
    /// The page to which people would be sent is not encrypted.
    #[error("the provider's page is no https address")]
    PlainPage,
    /// It has no place to exchange codes.
    #[error("the provider has no token endpoint")]
    NoTokens(#[from] openidconnect::ConfigurationError),
    /// It did not take the code.
    #[error("the provider did not take the code")]
    Code(#[from] Box<RequestTokenError<WebError, StandardErrorResponse<CoreErrorResponseType>>>),
    /// It says nothing of who it is.
    #[error("the provider answered without an ID token")]
    NoClaims,
    /// What it says may be of somebody else.
    #[error("the ID token is not to be trusted")]
    Claims(#[from] ClaimsVerificationError),
    /// The claims are no object.
    #[error("the claims cannot be read")]
    Unreadable(#[from] serde_json::Error),
}

impl ProviderError {
    /// Whether the same may work later: it was not there, rather than wrong.
    pub(super) fn is_outage(&self) -> bool {
        let is_away = |error: &WebError| !matches!(error, WebError::Plain);
        match self {
            Self::Discovery(DiscoveryError::Request(error)) => is_away(error),
            Self::TooSlow | Self::LeftAlone | Self::TooMany | Self::Discovery(_) => true,
            Self::Code(error) => matches!(&**error, RequestTokenError::Request(error) if is_away(error)),
            _ => false,
        }
    }
}

impl Provider {
    pub(super) fn new(section: &OidcSection, secret: &SecretString, callback: Url) -> Result<Self, ProviderError> {
        Ok(Self {
            issuer: IssuerUrl::new(section.issuer.clone())?,
            client_id: ClientId::new(section.client_id.clone()),
            client_secret: ClientSecret::new(secret.expose_secret().to_owned()),
            scopes: section.scopes.iter().cloned().map(Scope::new).collect(),
            callback: RedirectUrl::from_url(callback),
            web: Web::new().map_err(ProviderError::Client)?,
            known: Mutex::default(),
            waiting: Semaphore::new(MAX_WAITING),
        })
    }

    pub(super) fn issuer(&self) -> &str {
        self.issuer.as_str()
    }

    /// The page to which somebody is sent to prove who they are, and what will have to come back from there.
    pub(super) async fn authorize(
        &self,
        challenge: PkceCodeChallenge,
    ) -> Result<(Url, CsrfToken, Nonce), ProviderError> {
        let client = self.client(&*self.bounded(self.metadata()).await?);
        let way = CoreAuthenticationFlow::AuthorizationCode;
        let request = client.authorize_url(way, CsrfToken::new_random, Nonce::new_random);
        let (url, state, nonce) = request.add_scopes(self.scopes.iter().cloned()).set_pkce_challenge(challenge).url();
        if is_encrypted_or_near(&url) { Ok((url, state, nonce)) } else { Err(ProviderError::PlainPage) }
    }

    /// What the provider says, under its signature, of whoever came back with this code.
    pub(super) async fn claims(&self, exchange: Exchange) -> Result<Map<String, Value>, ProviderError> {
        self.bounded(self.exchange(exchange)).await
    }

    async fn bounded<T>(&self, work: impl Future<Output = Result<T, ProviderError>>) -> Result<T, ProviderError> {
        let _place = self.waiting.try_acquire().map_err(|_| ProviderError::TooMany)?;
        timeout(DEADLINE, work).await.unwrap_or(Err(ProviderError::TooSlow))
    }

    async fn exchange(&self, exchange: Exchange) -> Result<Map<String, Value>, ProviderError> {
        let Exchange { code, verifier, nonce } = exchange;
        let metadata = self.metadata().await?;
        let request = self.client(&metadata);
        let request = request.exchange_code(code)?.set_pkce_verifier(verifier);
        let tokens = request.request_async(&self.web).await.map_err(Box::new)?;
        let signed = tokens.extra_fields().id_token().ok_or(ProviderError::NoClaims)?;
        match self.verified(&metadata, signed, &nonce) {
            Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {
                let metadata = self.metadata_with_new_keys(&metadata).await?;
                self.verified(&metadata, signed, &nonce)
            }
            verified => verified,
        }
        .map_err(ProviderError::from)
        .and_then(|claims| Ok(serde_json::from_value(claims)?))
    }

    /// The claims, if issuer, audience, signature, time and nonce are as they must be.
    fn verified(
        &self,
        metadata: &CoreProviderMetadata,
        signed: &SignedClaims,
        nonce: &Nonce,
    ) -> Result<Value, ClaimsVerificationError> {
        let client = self.client(metadata);
        let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS).set_time_fn(|| Utc::now() - CLOCK_SKEW);
        let claims = signed.claims(&verifier, nonce)?;
        Ok(serde_json::to_value(claims).unwrap_or_default())
    }

    fn client(&self, metadata: &CoreProviderMetadata) -> Client {
        let secret = Some(self.client_secret.clone());
        let client = openidconnect::Client::from_provider_metadata(metadata.clone(), self.client_id.clone(), secret);
        let methods = metadata.token_endpoint_auth_methods_supported();
        let takes = |method| methods.is_none_or(|methods| methods.contains(&method));
        let takes_basic = takes(CoreClientAuthMethod::ClientSecretBasic);
        let is_posted = !takes_basic && takes(CoreClientAuthMethod::ClientSecretPost);
        client.set_redirect_uri(self.callback.clone()).set_auth_type(if is_posted {
            AuthType::RequestBody
        } else {
            AuthType::BasicAuth
        })
    }

    /// What it says of itself, its keys included. It is asked by one at a time.
    async fn metadata(&self) -> Result<Arc<CoreProviderMetadata>, ProviderError> {
        let mut known = self.known.lock().await;
        if let Some((metadata, asked_at)) = &known.metadata
            && asked_at.elapsed() < KEPT
        {
            return Ok(Arc::clone(metadata));
        }
        if known.failed_at.is_some_and(|failed_at| failed_at.elapsed() < LEFT_ALONE) {
            return Err(ProviderError::LeftAlone);
        }
        match CoreProviderMetadata::discover_async(self.issuer.clone(), &self.web).await {
            Ok(metadata) => Ok(known.learn(metadata)),
            Err(error) => {
                known.failed_at = Some(Instant::now());
                Err(error.into())
            }
        }
    }

    /// The same with the keys that it has now, since it signs with one that `seen` has not.
    async fn metadata_with_new_keys(
        &self,
        seen: &Arc<CoreProviderMetadata>,
    ) -> Result<Arc<CoreProviderMetadata>, ProviderError> {
        let mut known = self.known.lock().await;
        if let Some((metadata, _)) = &known.metadata
            && !Arc::ptr_eq(metadata, seen)
        {
            return Ok(Arc::clone(metadata));
        }
        if known.keys_asked_at.is_some_and(|asked_at| asked_at.elapsed() < KEYS_AGAIN) {
            return Ok(Arc::clone(seen));
        }
        known.keys_asked_at = Some(Instant::now());
        let keys = CoreJsonWebKeySet::fetch_async(seen.jwks_uri(), &self.web).await?;
        Ok(known.learn(CoreProviderMetadata::clone(seen).set_jwks(keys)))
    }
}

impl Known {
    fn learn(&mut self, metadata: CoreProviderMetadata) -> Arc<CoreProviderMetadata> {
        let metadata = Arc::new(metadata);
        self.metadata = Some((Arc::clone(&metadata), Instant::now()));
        self.failed_at = None;
        metadata
    }
}
