//! The sessions of the dashboard: a cookie that names the token with which somebody has signed in, without holding it.
//!
//! The cookie is sealed (ChaCha20-Poly1305), so that nobody else can make one, and the api keeps nothing: a session ends with
//! its time, with its token, or when the key changes. The key is derived (HKDF-SHA256) from `api.session_secret`, which several
//! api processes must share; without it each process makes one for itself, and sessions end with the process.

use std::sync::Arc;

use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use tocsin_service::config::{ExposeSecret as _, SecretString};

/// The cookie's name.
pub(crate) const COOKIE: &str = "tocsin_session";
/// How long a session lasts at most.
const LIFETIME: TimeDelta = TimeDelta::hours(12);
/// Bytes of a token's hash by which a session names it: enough that no two tokens share them.
pub(super) const PREFIX: usize = 16;

/// The form of what is sealed.
const VERSION: u8 = 1;
const SALT: &[u8] = b"tocsin session cookie";
const WRITTEN: usize = 1 + PREFIX + size_of::<i64>();

/// Somebody who has signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session {
    /// The beginning of the SHA-256 of the token.
    pub(super) token: [u8; PREFIX],
    /// When it ends, to the second.
    pub(crate) expires_at: DateTime<Utc>,
}

impl Session {
    /// One that begins now, with a token of this hash that expires then.
    pub(super) fn begin(sha256: &[u8; 32], token_expires_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        let mut token = [0; PREFIX];
        token.copy_from_slice(&sha256[..PREFIX]);
        let end = now.trunc_subsecs(0) + LIFETIME;
        Self { token, expires_at: token_expires_at.map_or(end, |expires_at| end.min(expires_at.trunc_subsecs(0))) }
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
        let key = key.expand(&[&[VERSION]], &CHACHA20_POLY1305).ok();
        Self(key.map(|key| Arc::new(LessSafeKey::new(UnboundKey::from(key)))))
    }

    /// The cookie of a session; `secure` if the browser came by https.
    pub(crate) fn cookie(&self, session: &Session, secure: bool, now: DateTime<Utc>) -> Option<Cookie<'static>> {
        Some(cookie(self.write(session)?, secure, (session.expires_at - now).num_seconds()))
    }

    fn write(&self, session: &Session) -> Option<String> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut text = Vec::with_capacity(WRITTEN + CHACHA20_POLY1305.tag_len());
        text.push(VERSION);
        text.extend_from_slice(&session.token);
        text.extend_from_slice(&session.expires_at.timestamp().to_be_bytes());
        let nonce_of = Nonce::assume_unique_for_key(nonce);
        self.0.as_ref()?.seal_in_place_append_tag(nonce_of, Aad::from(COOKIE), &mut text).ok()?;
        Some(URL_SAFE_NO_PAD.encode([&nonce[..], &text].concat()))
    }

    /// The session that a cookie's value stands for; none if we have not made it or it has ended.
    pub(super) fn read(&self, value: &str, now: DateTime<Utc>) -> Option<Session> {
        let mut sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
        let (nonce, text) = sealed.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.0.as_ref()?.open_in_place(nonce, Aad::from(COOKIE), text).ok()?;
        let (version, rest) = text.split_first()?;
        let (token, expires_at) = rest.split_at_checked(PREFIX)?;
        let expires_at = i64::from_be_bytes(expires_at.try_into().ok()?);
        let session = Session { token: token.try_into().ok()?, expires_at: DateTime::from_timestamp(expires_at, 0)? };
        (*version == VERSION && now < session.expires_at).then_some(session)
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
        assert_eq!(seal.read(&value, at(12 * 3600 - 1)), Some(session));
        assert_eq!(seal.read(&value, at(12 * 3600)), None);
        assert_eq!(Session::begin(&[7; 32], Some(at(5)), at(0)).expires_at, at(5), "no longer than its token");
        assert_ne!(seal.write(&session).unwrap(), value, "no two cookies are the same");
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
