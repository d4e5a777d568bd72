//! The HTTP client of services that send.

/// A builder for the client of a service: our TLS library, our name, and no redirects, because where a request goes is
/// decided by whoever configured it. Set a timeout.
pub fn client_builder() -> reqwest::ClientBuilder {
    // An error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("tocsin/", env!("CARGO_PKG_VERSION")))
}
