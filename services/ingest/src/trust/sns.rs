//! Messages of Amazon SNS, which carry their proof themselves
//! (<https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>): a signature by the key of a
//! certificate, whose address they name. Any certificate that SNS itself serves over https is SNS's, so what must hold
//! is that the address is one of SNS.
//!
//! The signature says that SNS has sent a message, for *some* topic of *somebody's* account. That the topic is ours is
//! said by the list of topics; without one, whoever knows the webhook's key can have SNS send to it.
//!
//! There is no bound on a message's age: SNS itself repeats for hours. One that somebody plays back changes nothing,
//! because it has the `MessageId` of the first, and its own, old time.

mod budget;
mod certificate;
mod certificates;
mod fetch;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::Utc;
use tocsin_service::http::Problem;
use tocsin_shared::ErrorCode;
use url::Url;

use self::budget::Budget;
use self::certificate::Digest;
use self::certificates::{CertificateError, Certificates};
use self::fetch::{Fetch, Web};
use crate::sources::sns::Message;

/// Longest address that is fetched, in bytes.
const MAX_URL_BYTES: usize = 2_048;
/// Longest answer to a confirmation, in bytes.
const MAX_CONFIRMATION_BYTES: usize = 64 * 1024;
/// When to send again what could not be verified or confirmed, in seconds.
const RETRY_AFTER_SECS: u32 = 10;

/// Verifies messages of SNS, and confirms subscriptions.
#[derive(Debug)]
pub(crate) struct Sns<W = Web> {
    web: W,
    budget: Budget,
    certificates: Certificates,
}

impl Sns {
    /// With certificates that are fetched as they are needed.
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        Ok(Self::with(Web::new()?))
    }
}

impl<W: Fetch> Sns<W> {
    fn with(web: W) -> Self {
        Self { web, budget: Budget::default(), certificates: Certificates::default() }
    }

    /// Whether SNS has sent this, for one of `topics`, or for any topic if there are none. Nothing is fetched before
    /// all else is in order.
    pub(crate) async fn verify(&self, body: &[u8], topics: &[String]) -> Result<(), Problem> {
        let message = Message::read(body)?;
        if !topics.is_empty() && !topics.contains(&message.topic_arn) {
            return Err(refused("TopicArn", "is not a topic of this integration"));
        }
        let digest = match message.signature_version.as_str() {
            "1" => Digest::Sha1,
            "2" => Digest::Sha256,
            _ => return Err(refused("SignatureVersion", "is not one that is understood")),
        };
        let signature =
            BASE64_STANDARD.decode(&message.signature).map_err(|_| refused("Signature", "cannot be read"))?;
        let url = certificate_url(&message.signing_cert_url)
            .ok_or_else(|| refused("SigningCertURL", "is not the address of a certificate of SNS"))?;
        let certificate = self.certificates.get(&url, &self.web, &self.budget).await.map_err(|error| match error {
            CertificateError::Unavailable => {
                Problem::new(ErrorCode::CertificateUnavailable).retry_after(RETRY_AFTER_SECS)
            }
            CertificateError::Unusable => refused("SigningCertURL", "does not hold a certificate that can be used"),
        })?;
        if !certificate.is_valid_at(Utc::now()) {
            return Err(refused("SigningCertURL", "holds a certificate that is not valid now"));
        }
        if !certificate.has_signed(digest, message.string_to_sign().as_bytes(), &signature) {
            return Err(refused("Signature", "does not match"));
        }
        Ok(())
    }

    /// Confirms a subscription. Only for the address of a message that is verified.
    pub(crate) async fn confirm(&self, url: &Url) -> Result<(), Problem> {
        if !is_of_sns(url) {
            return Err(refused("SubscribeURL", "is not an address of SNS"));
        }
        let unconfirmed = || Problem::new(ErrorCode::SubscriptionUnconfirmed).retry_after(RETRY_AFTER_SECS);
        let _permit = self.budget.take().await.ok_or_else(unconfirmed)?;
        // The address holds the subscription's token, and stays out of the log.
        self.web.get(url, MAX_CONFIRMATION_BYTES).await.map_err(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot confirm a subscription to SNS");
            unconfirmed()
        })?;
        tracing::info!(host = url.host_str(), "confirmed a subscription to SNS");
        Ok(())
    }
}

fn refused(field: &str, fault: &str) -> Problem {
    Problem::new(ErrorCode::InvalidSignature).detail(format!("field {field}: {fault}"))
}

/// The address of a certificate, if it can be one. A query would make another address of the same certificate.
fn certificate_url(text: &str) -> Option<Url> {
    let url: Url = text.parse().ok()?;
    let is_pem = url.path().rsplit_once('.').is_some_and(|(_, extension)| extension == "pem");
    let is_file = is_pem && url.query().is_none() && url.fragment().is_none();
    (is_file && is_of_sns(&url)).then_some(url)
}

/// Whether an address is SNS's own, in any region: https, and a host `sns.<region>.amazonaws.com` or `….com.cn`.
fn is_of_sns(url: &Url) -> bool {
    let region = url
        .host_str()
        .and_then(|host| host.strip_prefix("sns."))
        .and_then(|host| host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn")));
    let in_region = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    url.scheme() == "https"
        && url.as_str().len() <= MAX_URL_BYTES
        && url.username().is_empty()
        && url.password().is_none()
        && url.port().is_none()
        && region.is_some_and(|region| region.len() >= 3 && region.bytes().all(in_region))
}

#[cfg(test)]
mod tests;
