//! Slack's signature of what its buttons send (<https://docs.slack.dev/authentication/verifying-requests-from-slack>):
//! `X-Slack-Signature: v0=<hex HMAC-SHA256 of "v0:{X-Slack-Request-Timestamp}:{body}">`.

use actix_web::http::header::HeaderMap;
use chrono::{DateTime, Utc};
use ring::hmac;
use tocsin_service::config::{ExposeSecret as _, SecretString};
use tocsin_service::http::Problem;

use super::signature::{Failure, text, timestamp, verify_hex};

const SIGNATURE: &str = "x-slack-signature";
const TIMESTAMP: &str = "x-slack-request-timestamp";

/// Whether Slack has sent this, in the last five minutes, by the app's signing secret.
pub(crate) fn verify(
    secret: &SecretString,
    headers: &HeaderMap,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    check(&key, headers, body, now).map_err(Problem::from)
}

/// Refuses what cannot be Slack's, by its headers alone: cheaper than reading the body.
pub(crate) fn check_headers(headers: &HeaderMap, now: DateTime<Utc>) -> Result<(), Problem> {
    text(headers, SIGNATURE)?;
    timestamp(headers, TIMESTAMP, now)?;
    Ok(())
}

fn check(key: &hmac::Key, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Result<(), Failure<'static>> {
    let signature = text(headers, SIGNATURE)?;
    let timestamp = timestamp(headers, TIMESTAMP, now)?;
    let digits = signature.strip_prefix("v0=").ok_or(Failure::malformed(SIGNATURE))?;
    verify_hex(key, &[b"v0:", timestamp.as_bytes(), b":", body], SIGNATURE, digits)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::signature::tests::{at, headers, refusal};
    use super::*;

    // The example of Slack's documentation.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const SENT_AT: i64 = 1_531_420_618;
    const BODY: &[u8] =
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
        &channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=\
        &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
        &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const PROOF: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    /// The headers with which Slack sends this.
    pub(crate) fn signed(secret: &str, body: &[u8], now: DateTime<Utc>) -> HeaderMap {
        let timestamp = now.timestamp().to_string();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signed = [b"v0:", timestamp.as_bytes(), b":", body].concat();
        let proof = format!("v0={}", hex::encode(hmac::sign(&key, &signed)));
        headers(&[(SIGNATURE, &proof), (TIMESTAMP, &timestamp)])
    }

    fn verified(pairs: &[(&'static str, &str)], body: &[u8], now: i64) -> Result<(), Problem> {
        verify(&SECRET.into(), &headers(pairs), body, at(now))
    }

    #[test]
    fn the_example_of_slacks_documentation_is_authentic() {
        let sent = [(SIGNATURE, PROOF), (TIMESTAMP, "1531420618")];
        assert_eq!(verified(&sent, BODY, SENT_AT), Ok(()));
        assert_eq!(verified(&sent, BODY, SENT_AT + 300), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let sent = [(SIGNATURE, PROOF), (TIMESTAMP, "1531420618")];
        let told = |pairs: &[(&'static str, &str)], body, now| refusal(verified(pairs, body, now));
        assert_eq!(told(&sent, b"token=", SENT_AT), "header x-slack-signature: does not match");
        assert_eq!(told(&sent, BODY, SENT_AT + 301), "header x-slack-request-timestamp: is more than 5 minutes off");
        assert_eq!(told(&sent, BODY, SENT_AT - 301), "header x-slack-request-timestamp: is more than 5 minutes off");
        let now = at(SENT_AT + 301);
        assert!(
            check_headers(&headers(&sent), now).is_err() && check_headers(&headers(&sent[..1]), at(SENT_AT)).is_err()
        );
        assert_eq!(check_headers(&headers(&sent), at(SENT_AT)), Ok(()));
        assert_eq!(told(&sent[..1], BODY, SENT_AT), "header x-slack-request-timestamp: is missing");
        assert_eq!(told(&sent[1..], BODY, SENT_AT), "header x-slack-signature: is missing");
        let unversioned = [(SIGNATURE, &PROOF[3..]), sent[1]];
        assert_eq!(told(&unversioned, BODY, SENT_AT), "header x-slack-signature: cannot be read");
        let later = [sent[0], (TIMESTAMP, "1531420619")];
        assert_eq!(told(&later, BODY, SENT_AT), "header x-slack-signature: does not match");
    }
}
