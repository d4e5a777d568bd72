//! What is needed of an X.509 certificate: its key, and when it is valid.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::time::Time;

/// `rsaEncryption` (RFC 8017).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// How a message is hashed before it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    /// Signature version 1, which SNS still makes unless the topic asks for the other.
    Sha1,
    /// Signature version 2.
    Sha256,
}

impl Digest {
    /// RSA with PKCS #1 v1.5, and keys of 2,048 to 8,192 bits.
    const fn algorithm(self) -> &'static RsaParameters {
        match self {
            Self::Sha1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        }
    }
}

/// A certificate that SNS signs with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    /// `RSAPublicKey` (RFC 8017), in DER.
    rsa_key: Vec<u8>,
    not_before: DateTime<Utc>,
    pub(super) not_after: DateTime<Utc>,
}

impl Certificate {
    /// Reads the first certificate of a PEM file, if it has an RSA key.
    pub(super) fn from_pem(pem: &[u8]) -> Option<Self> {
        let chain = x509_cert::Certificate::load_pem_chain(pem).ok()?;
        let certificate = chain.first()?.tbs_certificate();
        let key = certificate.subject_public_key_info();
        let validity = certificate.validity();
        (key.algorithm.oid == RSA).then_some(())?;
        Some(Self {
            rsa_key: key.subject_public_key.as_bytes()?.to_vec(),
            not_before: time(validity.not_before)?,
            not_after: time(validity.not_after)?,
        })
    }

    pub(super) fn is_valid_at(&self, now: DateTime<Utc>) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    /// Whether `signature` is one of `message` by the certificate's key.
    pub(super) fn has_signed(&self, digest: Digest, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(digest.algorithm(), &self.rsa_key).verify(message, signature).is_ok()
    }
}

fn time(time: Time) -> Option<DateTime<Utc>> {
    let since_1970: Duration = time.to_unix_duration();
    DateTime::from_timestamp(i64::try_from(since_1970.as_secs()).ok()?, 0)
}
