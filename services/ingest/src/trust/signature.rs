//! Signatures in headers: HMAC-SHA256 of the body with a secret that both sides know.

use actix_web::http::header::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use ring::hmac;
use subtle::{Choice, ConstantTimeEq as _};
use tocsin_service::config::document::SignatureSection;
use tocsin_service::config::{Environment, ExposeSecret as _, Problem as Fault};
use tocsin_service::http::Problem;
use tocsin_service::standard_webhooks;
use tocsin_shared::ErrorCode;

/// How far a sender's clock may be from ours, in seconds; older requests may be somebody else's repeats. The bound of
/// Standard Webhooks and of Slack.
const TOLERANCE_SECS: u64 = 300;
/// Bytes of an HMAC-SHA256.
const TAG_BYTES: usize = 32;

const SENTRY: &str = "sentry-hook-signature";
const HMAC_SHA256: &str = "x-webhook-signature";

/// One way in which requests of an integration may be signed.
#[derive(Debug, Clone)]
pub(super) enum Signature {
    /// Hex, over the body, or over `timestamp:body`
    /// (<https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/>).
    Grafana { key: hmac::Key, header: HeaderName, timestamp_header: Option<HeaderName> },
    /// Hex, over the body
    /// (<https://docs.sentry.io/organization/integrations/integration-platform/webhooks/>).
    Sentry(hmac::Key),
    /// `sha256=` and hex, over the body.
    HmacSha256(hmac::Key),
    /// Over `id.timestamp.body` (<https://github.com/standard-webhooks/standard-webhooks>).
    StandardWebhooks(hmac::Key),
}

impl Signature {
    /// Reads the secret of the signature at `path`.
    pub(super) fn read(section: &SignatureSection, path: &str, env: &Environment) -> Result<Self, Fault> {
        let source = section.secret(path);
        let key = match section {
            SignatureSection::StandardWebhooks(_) => {
                hmac::Key::new(hmac::HMAC_SHA256, source.standard_webhooks_key(env)?.expose_secret())
            }
            _ => hmac::Key::new(hmac::HMAC_SHA256, source.resolve(env)?.expose_secret().as_bytes()),
        };
        Ok(match section {
            SignatureSection::Grafana(section) => {
                let (header, timestamp_header) = (section.header.clone(), section.timestamp_header.clone());
                Self::Grafana { key, header, timestamp_header }
            }
            SignatureSection::Sentry(_) => Self::Sentry(key),
            SignatureSection::HmacSha256(_) => Self::HmacSha256(key),
            SignatureSection::StandardWebhooks(_) => Self::StandardWebhooks(key),
        })
    }

    /// Whether the request carries this signature, and recently where the time is signed, too.
    pub(super) fn verify(&self, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Result<(), Failure<'_>> {
        match self {
            Self::Grafana { key, header, timestamp_header: None } => {
                let header = header.as_str();
                verify_hex(key, &[body], header, text(headers, header)?)
            }
            Self::Grafana { key, header, timestamp_header: Some(timestamp_header) } => {
                let (header, signature) = (header.as_str(), text(headers, header.as_str())?);
                let timestamp = timestamp(headers, timestamp_header.as_str(), now)?;
                verify_hex(key, &[timestamp.as_bytes(), b":", body], header, signature)
            }
            Self::Sentry(key) => verify_hex(key, &[body], SENTRY, text(headers, SENTRY)?),
            Self::HmacSha256(key) => {
                let signature = text(headers, HMAC_SHA256)?;
                let digits = signature.strip_prefix("sha256=").ok_or(Failure::malformed(HMAC_SHA256))?;
                verify_hex(key, &[body], HMAC_SHA256, digits)
            }
            Self::StandardWebhooks(key) => verify_standard(key, headers, body, now),
        }
    }
}

/// A sender that changes its secret signs with both for a while: one of several signatures is enough. Those of other
/// versions are not for us.
fn verify_standard(
    key: &hmac::Key,
    headers: &HeaderMap,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(), Failure<'static>> {
    let signatures = text(headers, standard_webhooks::SIGNATURE)?;
    let id = text(headers, standard_webhooks::ID)?;
    let timestamp = timestamp(headers, standard_webhooks::TIMESTAMP, now)?;
    let expected = standard_webhooks::tag(key, id, timestamp, body);
    let mut matches = Choice::from(0);
    let mut readable = false;
    for signature in signatures.split_ascii_whitespace() {
        let decoded =
            signature.strip_prefix(standard_webhooks::VERSION).and_then(|encoded| BASE64_STANDARD.decode(encoded).ok());
        if let Some(claimed) = decoded {
            readable = true;
            matches |= expected.as_ref().ct_eq(&claimed);
        }
    }
    match (bool::from(matches), readable) {
        (true, _) => Ok(()),
        (false, true) => Err(Failure { header: standard_webhooks::SIGNATURE, fault: SignatureFault::Wrong }),
        (false, false) => Err(Failure::malformed(standard_webhooks::SIGNATURE)),
    }
}

/// Whether `digits` are the HMAC of `parts`, one behind the other.
pub(super) fn verify_hex<'a>(
    key: &hmac::Key,
    parts: &[&[u8]],
    header: &'a str,
    digits: &str,
) -> Result<(), Failure<'a>> {
    let mut claimed = [0; TAG_BYTES];
    hex::decode_to_slice(digits, &mut claimed).map_err(|_| Failure::malformed(header))?;
    let matches = tag(key, parts).as_ref().ct_eq(&claimed);
    if bool::from(matches) { Ok(()) } else { Err(Failure { header, fault: SignatureFault::Wrong }) }
}

fn tag(key: &hmac::Key, parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    context.sign()
}

/// The text of a header that must be there.
pub(super) fn text<'h, 'a>(headers: &'h HeaderMap, header: &'a str) -> Result<&'h str, Failure<'a>> {
    let value = headers.get(header).ok_or(Failure { header, fault: SignatureFault::Missing })?;
    match value.to_str() {
        Ok(text) if !text.is_empty() => Ok(text),
        _ => Err(Failure::malformed(header)),
    }
}

/// The time in a header, in seconds since 1970 and as it is written, if it is now.
pub(super) fn timestamp<'h, 'a>(
    headers: &'h HeaderMap,
    header: &'a str,
    now: DateTime<Utc>,
) -> Result<&'h str, Failure<'a>> {
    let text = text(headers, header)?;
    // `parse` alone would take a sign, too.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: i64 = text.parse().ok().filter(|_| is_number).ok_or(Failure::malformed(header))?;
    if now.timestamp().abs_diff(seconds) > TOLERANCE_SECS {
        return Err(Failure { header, fault: SignatureFault::Stale });
    }
    Ok(text)
}

/// What is wrong with a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("header {header}: {fault}")]
pub(super) struct Failure<'a> {
    header: &'a str,
    fault: SignatureFault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum SignatureFault {
    #[error("is missing")]
    Missing,
    #[error("cannot be read")]
    Malformed,
    #[error("is more than 5 minutes off")]
    Stale,
    #[error("does not match")]
    Wrong,
}

impl<'a> Failure<'a> {
    pub(super) const fn malformed(header: &'a str) -> Self {
        Self { header, fault: SignatureFault::Malformed }
    }

    /// Whether the request does not even claim to have the signature.
    pub(super) fn is_missing(&self) -> bool {
        self.fault == SignatureFault::Missing
    }
}

impl From<Failure<'_>> for Problem {
    fn from(failure: Failure<'_>) -> Self {
        Self::new(ErrorCode::InvalidSignature).detail(failure.to_string())
    }
}

#[cfg(test)]
pub(super) mod tests;
