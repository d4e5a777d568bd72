//! What an address shows by itself.

use std::net::IpAddr;

use url::Url;

/// Whether what is sent there is encrypted, or does not leave this machine.
#[must_use]
pub fn is_encrypted_or_near(url: &Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => url.host_str().is_some_and(is_loopback),
        _ => false,
    }
}

/// Whether a host is this machine, by its name or its address.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_be_spoken_to_without_tls() {
        for (address, expected) in [
            ("https://example.com/x", true),
            ("http://localhost:9/", true),
            ("http://127.1.2.3/", true),
            ("http://[::1]:80/", true),
            ("http://example.com/", false),
            ("http://localhost.example.com/", false),
            ("http://10.0.0.1/", false),
            ("ftp://127.0.0.1/", false),
        ] {
            assert_eq!(is_encrypted_or_near(&Url::parse(address).unwrap()), expected, "{address}");
        }
    }
}
