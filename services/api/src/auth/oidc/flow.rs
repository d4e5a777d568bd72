//! What a browser keeps while its user is at the provider.

use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::super::Seal;

/// The cookie's name.
pub(crate) const COOKIE: &str = "tocsin_sign_in";
/// The only addresses to which it is sent.
const PATH: &str = "/auth/oidc";
/// Time for signing in at the provider.
const LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// Longest address to come back to, in bytes.
const MAX_RETURN_BYTES: usize = 1_024;

/// A sign-in that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flow {
    /// What the provider sends back, so that nobody can be signed in by a link of somebody else.
    pub(super) state: String,
    /// What the provider signs, so that no token of another sign-in is taken.
    pub(super) nonce: String,
    /// By which the code is worth something to us alone.
    pub(super) verifier: String,
    /// Where to go in the end.
    pub(crate) return_to: String,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    flow: Flow,
    expires_at: DateTime<Utc>,
}

impl Flow {
    /// The cookie: for the callback alone, which the provider's page sends the browser to (hence not `Strict`).
    pub(crate) fn cookie(self, seal: &Seal, secure: bool, now: DateTime<Utc>) -> Option<Cookie<'static>> {
        let text = serde_json::to_vec(&Sealed { flow: self, expires_at: now + LIFETIME }).ok()?;
        Some(cookie(seal.close(COOKIE, text)?, secure, LIFETIME.num_seconds()))
    }

    /// What a cookie's value stands for; none if we have not made it or it took too long.
    pub(crate) fn read(seal: &Seal, value: &str, now: DateTime<Utc>) -> Option<Self> {
        let sealed: Sealed = serde_json::from_slice(&seal.open(COOKIE, value)?).ok()?;
        (now < sealed.expires_at).then_some(sealed.flow)
    }

    /// The cookie that takes its place when it is used.
    pub(crate) fn no_cookie(secure: bool) -> Cookie<'static> {
        cookie(String::new(), secure, 0)
    }
}

fn cookie(value: String, secure: bool, seconds: i64) -> Cookie<'static> {
    Cookie::build(COOKIE, value)
        .path(PATH)
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure)
        .max_age(CookieDuration::seconds(seconds))
        .finish()
}

/// The address to come back to, if it is one of ours, else the board.
pub(crate) fn local(return_to: Option<&str>) -> String {
    let is_ours = |path: &str| {
        let mut bytes = path.bytes();
        bytes.next() == Some(b'/')
            && !matches!(bytes.next(), Some(b'/' | b'\\'))
            && path.len() <= MAX_RETURN_BYTES
            && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
            && !["/api/", "/auth/", "/sign-in"].iter().any(|prefix| path.starts_with(prefix))
    };
    return_to.filter(|path| is_ours(path)).unwrap_or("/").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow() -> Flow {
        let text = |text: &str| text.to_owned();
        Flow { state: text("s"), nonce: text("n"), verifier: text("v"), return_to: text("/incidents/7") }
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    #[test]
    fn what_was_begun_comes_back_for_ten_minutes_and_to_us_alone() {
        let seal = Seal::random();
        let cookie = flow().cookie(&seal, true, at(0)).unwrap();
        assert!(
            cookie.to_string().ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/auth/oidc; Max-Age=600"),
            "{cookie}"
        );
        assert_eq!(Flow::read(&seal, cookie.value(), at(599)), Some(flow()));
        assert_eq!(Flow::read(&seal, cookie.value(), at(600)), None);
        assert_eq!(Flow::read(&Seal::random(), cookie.value(), at(0)), None);
        assert_eq!(seal.open("tocsin_session", cookie.value()), None, "it is no session");
    }

    #[test]
    fn nobody_is_sent_elsewhere() {
        for ours in ["/", "/incidents/7", "/?status=open&label=a%3Db", "/alerts?q=%C3%BC"] {
            assert_eq!(local(Some(ours)), ours);
        }
        for foreign in [
            "",
            "incidents",
            "//evil.example",
            "/\\evil.example",
            "/x\\..\\y",
            "https://evil.example/",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/a b",
            "/ü",
            "/x\r\nSet-Cookie: a=b",
            "/auth/oidc/start",
            "/sign-in",
            &format!("/{}", "x".repeat(MAX_RETURN_BYTES)),
        ] {
            assert_eq!(local(Some(foreign)), "/", "{foreign:?}");
        }
        assert_eq!(local(None), "/");
    }
}
