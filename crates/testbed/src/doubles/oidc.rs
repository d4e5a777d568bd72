//! An OpenID Connect provider (<https://openid.net/specs/openid-connect-core-1_0.html>) at which everybody is signed in at
//! once: it says of itself where what is, sends browsers straight back, and signs what it is told to say of them. It takes
//! each code once, and from whom it was made for alone. It can be told to misbehave.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{Answer, Recorded, Recorder};
use crate::{Result, TestbedError};

/// How long what it says of somebody is to be believed.
const VALID: Duration = Duration::from_mins(5);

/// What it does otherwise than it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OidcFault {
    /// It signs another nonce than it was given.
    WrongNonce,
    /// It speaks to another client.
    WrongAudience,
    /// It speaks to another client as well.
    SecondAudience,
    /// It says that it is somebody else.
    WrongIssuer,
    /// What it says is over.
    Expired,
    /// It signs with a key that it does not publish, under the name of one that it does.
    ForeignKey,
    /// It says that it does not sign.
    Unsigned,
    /// It signs with the client's secret.
    SignedWithSecret,
    /// It gives tokens without saying whose.
    NoIdToken,
    /// Its token endpoint answers 500.
    BrokenTokens,
    /// It says that nobody may come in.
    Denies,
}

/// The provider. Its issuer is [`OidcProvider::issuer`].
#[derive(Debug)]
pub struct OidcProvider {
    recorder: Recorder,
    state: Arc<Mutex<State>>,
}

struct State {
    issuer: String,
    client_id: String,
    client_secret: String,
    claims: Value,
    key: EcdsaKeyPair,
    /// The name of the key; another one after each change.
    key_number: usize,
    fault: Option<OidcFault>,
    codes: HashMap<String, Code>,
}

/// What a code was made for.
struct Code {
    redirect_uri: String,
    challenge: String,
    nonce: String,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("fault", &self.fault).finish_non_exhaustive()
    }
}

impl OidcProvider {
    /// Starts one that knows one client, and says of everybody that they are Ada.
    ///
    /// # Errors
    /// When the operating system gives no port or thread, or no key can be made.
    pub fn start(client_id: &str, client_secret: &str) -> Result<Self> {
        let recorder = Recorder::start()?;
        let state = Arc::new(Mutex::new(State {
            issuer: recorder.url(),
            client_id: client_id.to_owned(),
            client_secret: client_secret.to_owned(),
            claims: json!({"sub": "ada-1", "email": "ada@example.com", "email_verified": true}),
            key: new_key()?,
            key_number: 1,
            fault: None,
            codes: HashMap::new(),
        }));
        for (path, answer) in [
            ("/.well-known/openid-configuration", State::configuration as fn(&mut State, &Recorded) -> Answer),
            ("/keys", State::keys),
            ("/authorize", State::authorize),
            ("/token", State::token),
        ] {
            let state = Arc::clone(&state);
            recorder.behave_at(path, move |request| answer(&mut lock(&state), request));
        }
        Ok(Self { recorder, state })
    }

    /// How it calls itself: its address.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.recorder.url()
    }

    /// What was asked, and more ways to answer.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// What it says from now on of whoever comes.
    pub fn set_claims(&self, claims: Value) {
        lock(&self.state).claims = claims;
    }

    /// What it does wrong from now on, if anything.
    pub fn set_fault(&self, fault: impl Into<Option<OidcFault>>) {
        lock(&self.state).fault = fault.into();
    }

    /// Signs with a new key from now on, and publishes only that.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn change_key(&self) -> Result<()> {
        let key = new_key()?;
        let mut state = lock(&self.state);
        state.key = key;
        state.key_number += 1;
        Ok(())
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn new_key() -> Result<EcdsaKeyPair> {
    let random = SystemRandom::new();
    let made = || {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).ok()?;
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).ok()
    };
    let source = std::io::Error::other("cannot make a key");
    made().ok_or(TestbedError::Spawn { name: "the provider".to_owned(), source })
}

fn refused(error: &str) -> Answer {
    Answer::json(400, &json!({"error": error}))
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl State {
    fn configuration(&mut self, _: &Recorded) -> Answer {
        let at = |path: &str| format!("{}{path}", self.issuer);
        Answer::json(
            200,
            &json!({
                "issuer": self.issuer,
                "authorization_endpoint": at("/authorize"),
                "token_endpoint": at("/token"),
                "jwks_uri": at("/keys"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                // It claims to do what it should not: a client has to know better.
                "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
                "code_challenge_methods_supported": ["S256"],
            }),
        )
    }

    fn keys(&mut self, _: &Recorded) -> Answer {
        // An uncompressed point (SEC 1, section 2.3.3): 4, x, y.
        let point = self.key.public_key().as_ref();
        let (x, y) = (encoded(&point[1..33]), encoded(&point[33..65]));
        let key = json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid(), "x": x, "y": y});
        Answer::json(200, &json!({"keys": [key]}))
    }

    fn kid(&self) -> String {
        format!("key-{}", self.key_number)
    }

    fn authorize(&mut self, request: &Recorded) -> Answer {
        let query = pairs(request.path.split_once('?').map_or("", |(_, query)| query));
        let field = |name: &str| query.get(name).cloned().unwrap_or_default();
        let is_understood = field("response_type") == "code"
            && field("client_id") == self.client_id
            && field("code_challenge_method") == "S256"
            && field("scope").split(' ').any(|scope| scope == "openid");
        let Ok(mut back) = Url::parse(&field("redirect_uri")) else {
            return refused("invalid_request");
        };
        if !is_understood {
            return refused("invalid_request");
        }
        if self.fault == Some(OidcFault::Denies) {
            back.query_pairs_mut().append_pair("error", "access_denied");
        } else {
            let code = hex::encode(rand::random::<[u8; 16]>());
            back.query_pairs_mut().append_pair("code", &code).append_pair("iss", &self.issuer);
            let (redirect_uri, challenge, nonce) = (field("redirect_uri"), field("code_challenge"), field("nonce"));
            self.codes.insert(code, Code { redirect_uri, challenge, nonce });
        }
        back.query_pairs_mut().append_pair("state", &field("state"));
        Answer::status(302).header("Location", back)
    }

    fn token(&mut self, request: &Recorded) -> Answer {
        if self.fault == Some(OidcFault::BrokenTokens) {
            return Answer::status(500);
        }
        let basic = STANDARD.encode(format!("{}:{}", self.client_id, self.client_secret));
        if request.header("authorization") != Some(&format!("Basic {basic}")) {
            return Answer::json(401, &json!({"error": "invalid_client"}));
        }
        let form = pairs(&request.text());
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let Some(code) = self.codes.remove(field("code")) else {
            return refused("invalid_grant");
        };
        let challenge = encoded(Sha256::digest(field("code_verifier")));
        if challenge != code.challenge || field("redirect_uri") != code.redirect_uri {
            return refused("invalid_grant");
        }
        let mut answer = json!({"access_token": "unused", "token_type": "Bearer", "expires_in": 60});
        if self.fault != Some(OidcFault::NoIdToken) {
            answer["id_token"] = self.id_token(&code.nonce).into();
        }
        Answer::json(200, &answer)
    }

    fn id_token(&self, nonce: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let is = |fault| self.fault == Some(fault);
        let mut claims = self.claims.clone();
        claims["iss"] =
            if is(OidcFault::WrongIssuer) { "https://evil.example".into() } else { self.issuer.clone().into() };
        claims["aud"] = if is(OidcFault::WrongAudience) {
            json!("somebody-else")
        } else if is(OidcFault::SecondAudience) {
            json!([self.client_id, "somebody-else"])
        } else {
            json!(self.client_id)
        };
        claims["nonce"] = if is(OidcFault::WrongNonce) { "another".into() } else { nonce.into() };
        let ends = if is(OidcFault::Expired) { now - VALID.as_secs() } else { now + VALID.as_secs() };
        (claims["iat"], claims["exp"]) = ((ends - 2 * VALID.as_secs()).into(), ends.into());
        self.signed(&claims)
    }

    /// Puts a signature under the claims (RFC 7515), or what shall pass for one.
    fn signed(&self, claims: &Value) -> String {
        let algorithm = match self.fault {
            Some(OidcFault::Unsigned) => "none",
            Some(OidcFault::SignedWithSecret) => "HS256",
            _ => "ES256",
        };
        let header = json!({"alg": algorithm, "typ": "JWT", "kid": self.kid()});
        let text = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let by = |key: &EcdsaKeyPair| key.sign(&SystemRandom::new(), text.as_bytes()).map(encoded).unwrap_or_default();
        let signature = match self.fault {
            Some(OidcFault::Unsigned) => String::new(),
            Some(OidcFault::SignedWithSecret) => {
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, self.client_secret.as_bytes());
                encoded(ring::hmac::sign(&key, text.as_bytes()))
            }
            Some(OidcFault::ForeignKey) => new_key().map(|key| by(&key)).unwrap_or_default(),
            _ => by(&self.key),
        };
        format!("{text}.{signature}")
    }
}

fn pairs(text: &str) -> HashMap<String, String> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}
