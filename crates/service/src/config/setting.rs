//! Types that a variable can have.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

/// A type that is read from one environment variable.
pub trait Setting: Sized {
    /// What a value looks like, for error messages: "a duration such as 500ms or 2s".
    const EXPECTS: &'static str;
    /// Whether `NAME_FILE` may name a file that holds the value.
    const SECRET: bool = false;

    /// Reads a value.
    fn parse(text: &str) -> Option<Self>;

    /// The value as `--help` shows it as a default.
    fn show(&self) -> String;
}

macro_rules! from_str_setting {
    ($($type:ty: $expects:literal),+ $(,)?) => {
        $(impl Setting for $type {
            const EXPECTS: &'static str = $expects;

            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            fn show(&self) -> String {
                self.to_string()
            }
        })+
    };
}

from_str_setting! {
    SocketAddr: "an address and a port such as 0.0.0.0:8080",
    Url: "a URL such as https://tocsin.example.com",
    usize: "a whole number",
    u32: "a whole number",
    u64: "a whole number",
    LogFormat: "json or human",
}

impl Setting for String {
    const EXPECTS: &'static str = "a text that is not empty";

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Setting for PathBuf {
    const EXPECTS: &'static str = "a path";

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::from(text))
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Setting for Duration {
    const EXPECTS: &'static str = "a duration such as 500ms or 2s";

    fn parse(text: &str) -> Option<Self> {
        humantime::parse_duration(text).ok()
    }

    fn show(&self) -> String {
        humantime::format_duration(*self).to_string()
    }
}

impl Setting for SecretString {
    const EXPECTS: &'static str = "a text that is not empty";
    const SECRET: bool = true;

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }

    fn show(&self) -> String {
        // Only ever called for defaults, which are in the source for everyone to read.
        secrecy::ExposeSecret::expose_secret(self).to_owned()
    }
}

impl<T: Setting> Setting for Option<T> {
    const EXPECTS: &'static str = T::EXPECTS;
    const SECRET: bool = T::SECRET;

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() { Some(None) } else { T::parse(text).map(Some) }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "unset".to_owned(), T::show)
    }
}

/// Hosts and ports, separated by commas: at most 16, none of them twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses(pub Vec<(String, u16)>);

/// Most addresses in one list.
const MAX_ADDRESSES: usize = 16;

impl Setting for Addresses {
    const EXPECTS: &'static str = "hosts and ports such as 10.0.0.1:26379,10.0.0.2:26379";

    fn parse(text: &str) -> Option<Self> {
        let address = |text: &str| {
            let (host, port) = text.trim().rsplit_once(':')?;
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let port = port.parse().ok().filter(|port| *port > 0)?;
            (!host.is_empty() && !host.contains(['/', '@', ' '])).then(|| (host.to_owned(), port))
        };
        let addresses: Vec<_> = text.split(',').map(address).collect::<Option<_>>()?;
        let is_twice = |(index, address)| addresses[..index].contains(address);
        let is_fine = addresses.len() <= MAX_ADDRESSES && !addresses.iter().enumerate().any(is_twice);
        is_fine.then_some(Self(addresses))
    }

    fn show(&self) -> String {
        let Self(addresses) = self;
        addresses.iter().map(|(host, port)| format!("{host}:{port}")).collect::<Vec<_>>().join(",")
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// Coloured text, for people.
    Human,
}

impl std::str::FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "human" => Ok(Self::Human),
            _ => Err(()),
        }
    }
}

impl std::fmt::Display for LogFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Json => "json",
            Self::Human => "human",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_hosts_and_ports() {
        let Addresses(read) = Addresses::parse("10.0.0.1:26379, sentinel-2:26380,[::1]:26381").unwrap();
        let hosts: Vec<_> = read.iter().map(|(host, port)| (host.as_str(), *port)).collect();
        assert_eq!(hosts, [("10.0.0.1", 26379), ("sentinel-2", 26380), ("::1", 26381)]);
        for wrong in ["", ":1", "a", "a:0", "a:65536", "a:1,", "a:1,a:1", "redis://a:1", "user@a:1"] {
            assert_eq!(Addresses::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Addresses::parse(&vec!["a:1"; 17].join(",")), None);
    }
}
