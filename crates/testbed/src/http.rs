//! The HTTP client that probes and tests use.

use std::sync::LazyLock;
use std::time::Duration;

use reqwest::StatusCode;

use crate::Result;

/// A client that keeps no connection between requests: a probe must see the server as it is now, and a pooled connection
/// would belong to the runtime of the test that opened it.
static PROBE: LazyLock<reqwest::Client> = LazyLock::new(|| {
    client_builder().pool_max_idle_per_host(0).timeout(Duration::from_secs(1)).build().unwrap_or_default()
});

/// A builder for a client with our TLS provider, no proxy (everything is on this machine) and no redirects.
pub fn client_builder() -> reqwest::ClientBuilder {
    // Fails when a provider is installed already, and then there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none())
}

/// A client with a timeout of ten seconds, for tests.
///
/// # Errors
/// When the system's TLS settings can't be read.
pub fn client() -> Result<reqwest::Client> {
    Ok(client_builder().timeout(Duration::from_secs(10)).build()?)
}

/// Whether `url` answers 200 within a second; else what it answered.
///
/// # Errors
/// The status, or why there was no answer.
pub async fn is_ok(url: &str) -> std::result::Result<(), String> {
    match PROBE.get(url).send().await {
        Ok(response) if response.status() == StatusCode::OK => Ok(()),
        Ok(response) => Err(format!("status {}", response.status())),
        Err(error) => Err(error.to_string()),
    }
}

/// The body that `url` answers to a JSON document with status 200 within a second.
pub(crate) async fn post(url: &str, json: &'static str) -> Result<String> {
    let request = PROBE.post(url).header(reqwest::header::CONTENT_TYPE, "application/json").body(json);
    Ok(request.send().await?.error_for_status()?.text().await?)
}

/// The body that `url` answers with status 200 within a second.
pub(crate) async fn text(url: &str) -> Result<String> {
    Ok(PROBE.get(url).send().await?.error_for_status()?.text().await?)
}
