//! The certificates that SNS signs with, each fetched once.
//!
//! Anybody can post a message that names a new address, so: one fetch serves all who wait for the same address, a
//! failure is remembered for a while, and all fetches together have a [`Budget`]. While that is used up, messages
//! signed by a certificate that is not known yet are put off; those of known ones are not touched by it.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use quick_cache::sync::Cache;
use tokio::time::{Instant, timeout};
use url::Url;

use super::budget::Budget;
use super::certificate::Certificate;
use super::fetch::Fetch;

/// Longest that a message waits for its certificate. SNS itself gives up after 15 seconds.
const WAIT: Duration = Duration::from_secs(5);
/// Longest time for which a certificate is believed without looking again.
pub(super) const LIFETIME: Duration = Duration::from_hours(24);
/// Time for which a failure is remembered.
pub(super) const FAILURE_LIFETIME: Duration = Duration::from_secs(10);
/// Addresses that are remembered. SNS has one or two per region.
const MAX_KNOWN: usize = 256;
/// Longest certificate, in bytes; those of SNS have about 2,000.
const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;

/// There is no certificate to verify with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CertificateError {
    /// Not now; perhaps later.
    Unavailable,
    /// What is there is no certificate, or not one of RSA.
    Unusable,
}

type Found = Result<Arc<Certificate>, CertificateError>;

/// What an address held when it was last looked at.
#[derive(Debug, Clone)]
struct Known {
    found: Found,
    until: Instant,
}

/// The certificates that were fetched, by address.
#[derive(Debug)]
pub(super) struct Certificates(Cache<Url, Known>);

impl Default for Certificates {
    fn default() -> Self {
        Self(Cache::new(MAX_KNOWN))
    }
}

impl Certificates {
    /// The certificate at an address.
    pub(super) async fn get(&self, url: &Url, web: &impl Fetch, budget: &Budget) -> Found {
        timeout(WAIT, self.known_or_fetched(url, web, budget)).await.unwrap_or(Err(CertificateError::Unavailable))
    }

    async fn known_or_fetched(&self, url: &Url, web: &impl Fetch, budget: &Budget) -> Found {
        self.0.remove_if(url, |known| known.until <= Instant::now());
        let place = match self.0.get_value_or_guard_async(url).await {
            Ok(known) => return known.found,
            Err(place) => place,
        };
        // Without leave nothing is learnt of this address, and nothing is remembered.
        let _permit = budget.take().await.ok_or(CertificateError::Unavailable)?;
        let found = fetch(url, web).await;
        let lifetime = found.as_ref().map_or(FAILURE_LIFETIME, |certificate| {
            let valid_for = (certificate.not_after - Utc::now()).to_std().unwrap_or_default();
            valid_for.clamp(FAILURE_LIFETIME, LIFETIME)
        });
        // An error means that it was removed meanwhile; the next will fetch it again.
        let _ = place.insert(Known { found: found.clone(), until: Instant::now() + lifetime });
        found
    }
}

async fn fetch(url: &Url, web: &impl Fetch) -> Found {
    let pem = web.get(url, MAX_CERTIFICATE_BYTES).await.map_err(|error| {
        tracing::warn!(%url, error = &error as &dyn std::error::Error, "cannot fetch a certificate of SNS");
        CertificateError::Unavailable
    })?;
    let certificate = Certificate::from_pem(&pem).ok_or_else(|| {
        tracing::warn!(%url, "what should be a certificate of SNS is none");
        CertificateError::Unusable
    })?;
    Ok(Arc::new(certificate))
}
