//! Where a request carries its integration key.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// The key of a request: the last segment of its path, else the token of `Authorization: Bearer`, else the password of
/// basic authentication, or its user name where the password is empty.
///
/// A header of one of these schemes that cannot be read still carries a key, namely one that nobody has: a sender that
/// means to use a key must not be taken for one without. Other schemes are not for us.
pub(crate) fn key_of(path_key: Option<&str>, headers: &HeaderMap) -> Option<String> {
    if let Some(key) = path_key {
        return Some(key.to_owned());
    }
    let header = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, credentials) = match header.iter().position(|byte| *byte == b' ') {
        Some(space) => (&header[..space], header[space..].trim_ascii()),
        None => (header, &[][..]),
    };
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(String::from_utf8_lossy(credentials).into_owned());
    }
    scheme.eq_ignore_ascii_case(b"basic").then(|| basic(credentials).unwrap_or_default())
}

/// The key in the credentials of basic authentication (RFC 7617).
fn basic(credentials: &[u8]) -> Option<String> {
    let decoded = String::from_utf8(BASE64_STANDARD.decode(credentials).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some(if password.is_empty() { user } else { password }.to_owned())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn key(authorization: &[u8]) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(authorization).unwrap());
        key_of(None, &headers)
    }

    fn basic(credentials: &str) -> Option<String> {
        key(format!("Basic {}", BASE64_STANDARD.encode(credentials)).as_bytes())
    }

    #[test]
    fn the_path_comes_before_the_header() {
        let mut headers = HeaderMap::new();
        assert_eq!(key_of(None, &headers), None);
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer of-the-header"));
        assert_eq!(key_of(Some("of-the-path"), &headers).as_deref(), Some("of-the-path"));
        assert_eq!(key_of(None, &headers).as_deref(), Some("of-the-header"));
    }

    #[test]
    fn a_scheme_is_known_in_either_case() {
        assert_eq!(key(b"bearer  k ").as_deref(), Some("k"));
        assert_eq!(key(b"BASIC dTpr").as_deref(), Some("k"));
    }

    #[test]
    fn basic_authentication_holds_the_key_as_password_or_as_user_name() {
        assert_eq!(basic("user:key").as_deref(), Some("key"));
        assert_eq!(basic("key:").as_deref(), Some("key"));
        assert_eq!(basic(":key").as_deref(), Some("key"));
        assert_eq!(basic("user:a:b").as_deref(), Some("a:b"));
        assert_eq!(basic("üser:schlüssel").as_deref(), Some("schlüssel"));
    }

    #[test]
    fn a_header_that_cannot_be_read_is_a_key_that_nobody_has() {
        for header in [&b"Bearer"[..], b"Bearer ", b"Basic", b"Basic ???", b"Basic bm9jb2xvbg==", b"Basic //79"] {
            assert_eq!(key(header).as_deref(), Some(""), "{}", String::from_utf8_lossy(header));
        }
        assert!(key(b"Bearer \xff\xfe").is_some());
    }

    #[test]
    fn another_scheme_carries_no_key() {
        assert_eq!(key(b"Digest username=\"x\""), None);
        assert_eq!(key(b""), None);
    }
}
