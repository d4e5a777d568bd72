//! The ways to Postgres: one port that leads to whoever leads, one to those who follow closely.

use std::fmt::Write as _;

use super::patroni::{API_PORT, PORT};
use crate::stores::POSTGRES_ROLE;
use crate::{Port, Result};

/// How Postgres is found: Patroni says of each node what it is. A connection whose server is found down is cut at once. That
/// takes no request out that could have been answered, and a client that waits for an answer finds out that none will come.
const SETTINGS: &str = "
defaults postgres
    mode tcp
    timeout connect 500ms
    # Less than Patroni takes to depose who does not answer, and more than a machine takes that is busy.
    timeout check 1s
    timeout client 1h
    timeout server 1h
    timeout queue 2s
    option clitcpka
    option srvtcpka
    option redispatch 1
    retries 3
    default-server inter 300ms fastinter 150ms downinter 150ms fall 2 rise 1 on-marked-down shutdown-sessions \
port 8008
";

#[derive(Debug)]
pub(super) struct PostgresWays {
    write: Port,
    read: Port,
}

impl PostgresWays {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { write: Port::free()?, read: Port::free()? })
    }

    /// What `HAProxy` needs to know, which listens on `host`.
    pub(super) fn config(&self, host: &str, servers: &[(String, String)]) -> String {
        debug_assert_eq!(API_PORT, 8008, "stands in the settings");
        let mut text = SETTINGS.to_owned();
        let backends = [
            ("postgres_primary", "OPTIONS /primary", &self.write),
            ("postgres_replicas", "OPTIONS /replica?lag=16MB", &self.read),
        ];
        for (name, check, port) in backends {
            let _ = write!(
                text,
                "\nfrontend {name}_way\n    bind {host}:{port}\n    default_backend {name}\n\nbackend {name}\n    \
                 balance roundrobin\n    option httpchk {check}\n    http-check expect status 200\n",
                port = port.number()
            );
            for (server, address) in servers {
                let _ = writeln!(text, "    server {server} {address}:{PORT} check");
            }
        }
        text
    }

    /// The ports on 127.0.0.1.
    pub(super) fn ports(&self) -> [u16; 2] {
        [self.write.number(), self.read.number()]
    }

    /// The database on whoever leads, for the administrator.
    pub(super) fn write_url(&self) -> String {
        self.url(&self.write, "tocsin")
    }

    /// The same, before there is a database of ours.
    pub(super) fn maintenance_url(&self) -> String {
        self.url(&self.write, "postgres")
    }

    /// The database on those who follow.
    pub(super) fn read_url(&self) -> String {
        self.url(&self.read, "tocsin")
    }

    #[expect(clippy::unused_self, reason = "reads better where it is called")]
    fn url(&self, port: &Port, database: &str) -> String {
        format!("postgres://{POSTGRES_ROLE}@127.0.0.1:{}/{database}", port.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_of_containers_have_the_same_settings() {
        let containers = include_str!("../../../../compose/haproxy/20-ha.cfg");
        let (_, containers) = containers.split_once("defaults postgres").unwrap();
        let settings = SETTINGS.lines().skip(2).map(str::trim);
        for setting in settings.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let is_there = containers.lines().any(|line| line.trim() == setting);
            assert!(is_there, "compose/haproxy/20-ha.cfg lacks: {setting}");
        }
    }
}
