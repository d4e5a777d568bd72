//! The sessions of the dashboard: a cookie that names the token with which somebody has signed in, without holding it, or that
//! says who has signed in at the provider.
//!
//! The cookie is sealed (ChaCha20-Poly1305), so that nobody else can make one, and the api keeps nothing: a session ends with
//! its time, with its token (or when the file says something else of who may come in from the provider), or when the key changes. The key is derived (HKDF-SHA256) from `api.session_secret`, which several
//! api processes must share; without it each process makes one for itself, and sessions end with the process.

use std::sync::Arc;
use std::time::Duration;

use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use serde::{Deserialize, Serialize};
use tocsin_service::config::{ExposeSecret as _, SecretString};

use super::oidc::{Edition, Person};

/// The cookie's name.
pub(crate) const COOKIE: &str = "tocsin_session";
/// How long a session lasts at most.
const LIFETIME: TimeDelta = TimeDelta::hours(12);
/// Bytes of a token's hash by which a session names it: enough that no two tokens share them.
pub(super) const PREFIX: usize = 16;

/// The forms of what is sealed.
const OF_TOKEN: u8 = 1;
const OF_PERSON: u8 = 2;
/// Of which form of the key is made.
const KEY_VERSION: u8 = 1;
const SALT: &[u8] = b"tocsin session cookie";

/// Somebody who has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(super) holder: Holder,
    /// When it ends, to the second.
    pub(crate) expires_at: DateTime<Utc>,
}

/// With what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder {
    /// A token, by the beginning of its SHA-256.
    Token([u8; PREFIX]),
    /// An account at the provider, by what the file said at that time.
    Person(Person, Edition),
}

/// A person's session, as it is sealed.
#[derive(Serialize, Deserialize)]
struct Written {
    person: Person,
    edition: Edition,
    expires_at: i64,
}

impl Session {
    /// One that begins now, with a token of this hash that expires then.
    pub(super) fn begin(sha256: &[u8; 32], token_expires_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        let mut token = [0; PREFIX];
        token.copy_from_slice(&sha256[..PREFIX]);
        let end = now.trunc_subsecs(0) + LIFETIME;
        let expires_at = token_expires_at.map_or(end, |expires_at| end.min(expires_at.trunc_subsecs(0)));
        Self { holder: Holder::Token(token), expires_at }
    }

    /// One that begins now, of somebody who has come from the provider.
    pub(super) fn of_person(person: Person, edition: Edition, lifetime: Duration, now: DateTime<Utc>) -> Self {
        let lifetime = TimeDelta::from_std(lifetime).unwrap_or(LIFETIME);
        Self { holder: Holder::Person(person, edition), expires_at: now.trunc_subsecs(0) + lifetime }
    }

    fn to_bytes(&self) -> Option<Vec<u8>> {
        let seconds = self.expires_at.timestamp();
        match &self.holder {
            Holder::Token(token) => Some([&[OF_TOKEN][..], token, &seconds.to_be_bytes()].concat()),
            Holder::Person(person, edition) => {
                let written = Written { person: person.clone(), edition: *edition, expires_at: seconds };
                let mut bytes = vec![OF_PERSON];
                serde_json::to_writer(&mut bytes, &written).ok()?;
                Some(bytes)
            }
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (form, rest) = bytes.split_first()?;
        let (holder, seconds) = match *form {
            OF_TOKEN => {
                let (token, seconds) = rest.split_at_checked(PREFIX)?;
                (Holder::Token(token.try_into().ok()?), i64::from_be_bytes(seconds.try_into().ok()?))
            }
            OF_PERSON => {
                let Written { person, edition, expires_at } = serde_json::from_slice(rest).ok()?;
                (Holder::Person(person, edition), expires_at)
            }
            _ => return None,
        };
        Some(Self { holder, expires_at: DateTime::from_timestamp(seconds, 0)? })
    }
}

/// Makes and reads cookies. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Seal(Option<Arc<LessSafeKey>>);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// One that no other process has.
    pub(crate) fn random() -> Self {
        Self::derived(&rand::random::<[u8; 32]>())
    }

    /// The one of `api.session_secret`.
    pub(super) fn of(secret: &SecretString) -> Self {
        Self::derived(secret.expose_secret().as_bytes())
    }

    fn derived(secret: &[u8]) -> Self {
        let key = Salt::new(HKDF_SHA256, SALT).extract(secret);
        // Fails for keys that are longer than any of ours; without one nobody is signed in.
        let key = key.expand(&[&[KEY_VERSION]], &CHACHA20_POLY1305).ok();
        Self(key.map(|key| Arc::new(LessSafeKey::new(UnboundKey::from(key)))))
    }

    /// The cookie of a session; `secure` if the browser came by https.
    pub(crate) fn cookie(&self, session: &Session, secure: bool, now: DateTime<Utc>) -> Option<Cookie<'static>> {
        Some(cookie(self.write(session)?, secure, (session.expires_at - now).num_seconds()))
    }

    fn write(&self, session: &Session) -> Option<String> {
        self.close(COOKIE, session.to_bytes()?)
    }

    /// The session that a cookie's value stands for; none if we have not made it or it has ended.
    pub(super) fn read(&self, value: &str, now: DateTime<Utc>) -> Option<Session> {
        Session::from_bytes(&self.open(COOKIE, value)?).filter(|session| now < session.expires_at)
    }

    /// The value of the cookie `name` that stands for `text`.
    pub(super) fn close(&self, name: &str, mut text: Vec<u8>) -> Option<String> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let nonce_of = Nonce::assume_unique_for_key(nonce);
        self.0.as_ref()?.seal_in_place_append_tag(nonce_of, Aad::from(name), &mut text).ok()?;
        Some(URL_SAFE_NO_PAD.encode([&nonce[..], &text].concat()))
    }

    /// What a value of the cookie `name` stands for; none if we have not made it for that cookie.
    pub(super) fn open(&self, name: &str, value: &str) -> Option<Vec<u8>> {
        let mut sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
        let (nonce, text) = sealed.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        Some(self.0.as_ref()?.open_in_place(nonce, Aad::from(name), text).ok()?.to_vec())
    }
}

/// The cookie that takes a session's place when somebody signs out.
pub(crate) fn no_cookie(secure: bool) -> Cookie<'static> {
    cookie(String::new(), secure, 0)
}

fn cookie(value: String, secure: bool, seconds: i64) -> Cookie<'static> {
    Cookie::build(COOKIE, value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(secure)
        .max_age(CookieDuration::seconds(seconds.max(0)))
        .finish()
}

#[cfg(test)]
mod tests {
    use tocsin_service::config::document::Scope;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    #[test]
    fn a_session_comes_back_as_it_was_until_it_ends() {
        let seal = Seal::random();
        let session = Session::begin(&[7; 32], None, at(0));
        assert_eq!(session.expires_at, at(12 * 3600));
        let value = seal.write(&session).unwrap();
        assert_eq!(seal.read(&value, at(12 * 3600 - 1)), Some(session.clone()));
        assert_eq!(seal.read(&value, at(12 * 3600)), None);
        assert_eq!(Session::begin(&[7; 32], Some(at(5)), at(0)).expires_at, at(5), "no longer than its token");
        assert_ne!(seal.write(&session).unwrap(), value, "no two cookies are the same");
    }

    #[test]
    fn a_persons_session_says_who_it_is() {
        let seal = Seal::random();
        let person = Person { subject: "1".to_owned(), name: "ada@example.com".to_owned(), scopes: vec![Scope::Read] };
        let session = Session::of_person(person, [3; 16], Duration::from_mins(5), at(0));
        assert_eq!(session.expires_at, at(300));
        let value = seal.write(&session).unwrap();
        assert_eq!(seal.read(&value, at(299)), Some(session));
        assert_eq!(seal.read(&value, at(300)), None);
    }

    #[test]
    fn nobody_else_makes_a_session() {
        let secret = SecretString::from("s".repeat(32));
        let session = Session::begin(&[7; 32], None, at(0));
        let value = Seal::of(&secret).write(&session).unwrap();
        assert_eq!(Seal::of(&secret).read(&value, at(0)), Some(session), "whoever has the secret");
        assert_eq!(Seal::random().read(&value, at(0)), None);
        for index in 0..value.len() {
            let mut changed = value.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // The last digit has bits that mean nothing; a decoder that took them would still not open another session.
            assert_eq!(Seal::of(&secret).read(&changed, at(0)).filter(|_| index + 1 < value.len()), None, "{index}");
        }
        for nonsense in ["", "A", "%%", &"A".repeat(70)] {
            assert_eq!(Seal::of(&secret).read(nonsense, at(0)), None, "{nonsense}");
        }
    }

    #[test]
    fn the_cookie_is_kept_from_scripts_and_other_sites() {
        let seal = Seal::random();
        let session = Session::begin(&[7; 32], None, at(0));
        let written = seal.cookie(&session, true, at(0)).unwrap().to_string();
        let attributes = written.split_once("; ").unwrap().1;
        assert_eq!(attributes, "HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=43200");
        assert!(!seal.cookie(&session, false, at(0)).unwrap().to_string().contains("Secure"));
        assert_eq!(no_cookie(false).to_string(), "tocsin_session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
    }
}
