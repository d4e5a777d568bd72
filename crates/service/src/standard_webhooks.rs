//! How a webhook is signed (<https://github.com/standard-webhooks/standard-webhooks>): what senders do and we check, and what
//! we do and our receivers check.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;

/// The header of the message's id, which is the same for every attempt.
pub const ID: &str = "webhook-id";
/// The header of the time of the attempt, in seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header of the signatures, with white space between them.
pub const SIGNATURE: &str = "webhook-signature";
/// How a signature of this version begins.
pub const VERSION: &str = "v1,";

/// The HMAC-SHA256 of a message, over `id.timestamp.body`.
#[must_use]
pub fn tag(key: &hmac::Key, id: &str, timestamp: &str, body: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        context.update(part);
    }
    context.sign()
}

/// The value of the header [`SIGNATURE`].
#[must_use]
pub fn signature(key: &hmac::Key, id: &str, timestamp: &str, body: &[u8]) -> String {
    format!("{VERSION}{}", BASE64_STANDARD.encode(tag(key, id, timestamp, body)))
}
