//! Behind a proxy, the address of the client is what the proxy says it is, if it is our proxy.

use std::net::{IpAddr, SocketAddr};

use crate::config::{Setting, Variable};
use actix_web::http::header::{HeaderMap, X_FORWARDED_FOR, X_FORWARDED_PROTO};
use ipnet::{IpNet, Ipv4Net};

/// The variable that lists them.
pub const TRUSTED_PROXIES: Variable<TrustedProxies> = Variable::new(
    "TOCSIN_TRUSTED_PROXIES",
    TrustedProxies::default,
    "addresses and networks of proxies whose X-Forwarded-For and -Proto are believed, such as 10.0.0.0/8,::1",
);

/// Bits before the IPv4 address in an IPv6 address that maps one.
const MAPPED_PREFIX: u8 = 96;

/// The proxies whose `X-Forwarded-For` is believed. By default there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Whom a request comes from, by the address of its connection and by `X-Forwarded-For`.
    ///
    /// Each proxy appends the address that it was called from, so the header is read from its end: the first address
    /// that is not one of our proxies is the client, and what stands before it is hearsay. Where an entry cannot be
    /// read, the one after it is the last that somebody trustworthy wrote. An IPv4 address is the same client, mapped
    /// into IPv6 or not.
    #[must_use]
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lines: Vec<_> = headers.get_all(X_FORWARDED_FOR).collect();
        let entries = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        for entry in entries {
            if !self.trusts(client) {
                break;
            }
            match std::str::from_utf8(entry).ok().and_then(address) {
                Some(address) => client = address,
                None => break,
            }
        }
        client
    }

    /// Whether the client reached our proxy by https: `X-Forwarded-Proto` says so, and one of our proxies has sent it.
    #[must_use]
    pub fn is_https(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let proto = headers.get(X_FORWARDED_PROTO).and_then(|value| value.to_str().ok()).unwrap_or_default();
        self.trusts(peer.to_canonical()) && proto.trim().eq_ignore_ascii_case("https")
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }
}

/// An entry of `X-Forwarded-For`: an address, with a port behind it or not, in brackets or not.
fn address(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bare = entry.strip_prefix('[').and_then(|entry| entry.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

/// A network, or an address by itself.
fn network(text: &str) -> Option<IpNet> {
    let net: IpNet = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    match net {
        IpNet::V6(v6) if v6.prefix_len() >= MAPPED_PREFIX && v6.addr().to_ipv4_mapped().is_some() => {
            let v4 = v6.addr().to_ipv4_mapped()?;
            Ipv4Net::new(v4, v6.prefix_len() - MAPPED_PREFIX).ok().map(IpNet::V4)
        }
        net => Some(net),
    }
}

impl Setting for TrustedProxies {
    const EXPECTS: &'static str = "addresses and networks with commas between them, such as 10.0.0.0/8,::1";

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        text.split(',').map(|entry| network(entry.trim())).collect::<Option<_>>().map(Self)
    }

    fn show(&self) -> String {
        if self.0.is_empty() {
            return "none".to_owned();
        }
        self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn client(trusted: &str, peer: &str, lines: &[&[u8]]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(line).unwrap());
        }
        let proxies = TrustedProxies::parse(trusted).unwrap();
        proxies.client_address(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_peer_that_is_not_trusted_is_the_client_whatever_it_says() {
        assert_eq!(client("", "192.0.2.1", &[b"198.51.100.7"]), "192.0.2.1");
        assert_eq!(client("10.0.0.0/8", "192.0.2.1", &[b"198.51.100.7"]), "192.0.2.1");
    }

    #[test]
    fn a_trusted_peer_is_believed() {
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", &[b"198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("10.1.2.3", "10.1.2.3", &[b"2001:db8::7"]), "2001:db8::7");
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", &[]), "10.1.2.3");
    }

    #[test]
    fn only_a_trusted_peer_says_that_it_was_https() {
        let proxies = TrustedProxies::parse("10.0.0.0/8").unwrap();
        let is_https = |peer: &str, proto: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(proto));
            proxies.is_https(peer.parse().unwrap(), &headers)
        };
        assert!(is_https("10.0.0.1", "https") && is_https("::ffff:10.0.0.1", "HTTPS"));
        assert!(!is_https("10.0.0.1", "http") && !is_https("192.0.2.1", "https"));
        assert!(!proxies.is_https("10.0.0.1".parse().unwrap(), &HeaderMap::new()));
    }

    #[test]
    fn what_stands_before_the_client_is_hearsay() {
        let line = b"10.9.9.9, 203.0.113.1, 198.51.100.7, 10.0.0.2";
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &[line]), "198.51.100.7");
    }

    #[test]
    fn several_lines_are_read_as_one() {
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &[b"203.0.113.1", b"198.51.100.7,10.0.0.2"]), "198.51.100.7");
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &[b"203.0.113.1", b"10.0.0.2"]), "203.0.113.1");
    }

    #[test]
    fn where_everybody_is_trusted_the_first_is_the_client() {
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &[b"10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn what_cannot_be_read_ends_the_walk() {
        for broken in [&b"unknown"[..], b"", b"1.2.3", b"fe80::1%eth0", b"\xff\xfe", b"[::1", b"1.2.3.4:99999"] {
            let line = [&b"203.0.113.1, "[..], broken, b", 10.0.0.2"].concat();
            assert_eq!(client("10.0.0.0/8", "10.0.0.1", &[&line]), "10.0.0.2");
        }
    }

    #[test]
    fn ports_and_brackets_are_not_part_of_the_address() {
        for (entry, address) in [
            ("198.51.100.7:51000", "198.51.100.7"),
            ("[2001:db8::7]:51000", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("2001:DB8::7", "2001:db8::7"),
        ] {
            assert_eq!(client("10.0.0.0/8", "10.0.0.1", &[entry.as_bytes()]), address);
        }
    }

    #[test]
    fn an_address_mapped_into_ipv6_is_the_same_address() {
        assert_eq!(client("10.0.0.0/8", "::ffff:10.0.0.1", &[b"::ffff:198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("::ffff:10.0.0.0/104", "10.0.0.1", &[b"[::ffff:198.51.100.7]:80"]), "198.51.100.7");
        assert_eq!(client("::ffff:10.0.0.1", "10.0.0.1", &[b"198.51.100.7"]), "198.51.100.7");
    }

    #[test]
    fn a_faulty_list_is_not_taken_in_part() {
        for faulty in ["10.0.0.0/8,", "10.0.0.0/33", "proxy.example.com", "10.0.0.0/8 10.1.0.0/16", "::1/129"] {
            assert_eq!(TrustedProxies::parse(faulty), None, "{faulty}");
        }
        assert_eq!(TrustedProxies::parse("").unwrap().show(), "none");
        assert_eq!(
            TrustedProxies::parse("10.0.0.1, 10.2.0.0/16 ,::1").unwrap().show(),
            "10.0.0.1/32,10.2.0.0/16,::1/128"
        );
    }

    proptest! {
        #[test]
        fn a_stranger_cannot_choose_the_address_that_it_has(line in "[ -~]{0,60}") {
            prop_assert_eq!(client("10.0.0.0/8", "192.0.2.1", &[line.as_bytes()]), "192.0.2.1");
            let through_a_proxy = format!("{line}, 192.0.2.1");
            prop_assert_eq!(client("10.0.0.0/8", "10.0.0.1", &[through_a_proxy.as_bytes()]), "192.0.2.1");
        }
    }
}
