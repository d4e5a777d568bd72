//! What ingest reads at boot.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tocsin_bus::{BusConfig, Sentinels};
use tocsin_service::config::{
    ConfigError, DatabaseAddress, Document, Documented, Environment, RedisAddress, ServiceConfig, Variable, common,
};
use tocsin_service::http::{TRUSTED_PROXIES, TrustedProxies};
use tocsin_store::{Plans, StoreConfig};

use crate::interactions::Settings;
use crate::trust::Integrations;

const LISTEN: Variable<SocketAddr> =
    Variable::new("TOCSIN_LISTEN", || SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)), "address and port of HTTP");
const COMMIT_TIMEOUT: Variable<Duration> = Variable::new(
    "TOCSIN_INGEST_COMMIT_TIMEOUT",
    || Duration::from_millis(100),
    "longest wait for Redis before a delivery goes to the inbox of Postgres (10ms to 10s)",
);
const INBOX_TIMEOUT: Variable<Duration> = Variable::new(
    "TOCSIN_INGEST_INBOX_TIMEOUT",
    || Duration::from_secs(2),
    "longest wait for Postgres before a webhook is answered 503 (10ms to 10s)",
);
const REDIS_REPLICAS: Variable<u32> = Variable::new(
    "TOCSIN_REDIS_REPLICAS",
    || 0,
    "replicas that must have a delivery before it counts as durable (0 to 5); with 0, Redis must have appendfsync always",
);
const HIGH_WATER: Variable<u64> = Variable::new(
    "TOCSIN_INGEST_HIGH_WATER",
    || 200_000,
    "entries that may wait to be applied; past them webhooks are answered 503 (at least 1)",
);
/// The variables of ingest, for `--help`.
pub const VARIABLES: &[&dyn Documented] = &[
    &LISTEN,
    &common::DATABASE_URL,
    &common::DATABASE_CONNECTIONS,
    &REDIS_REPLICAS,
    &COMMIT_TIMEOUT,
    &INBOX_TIMEOUT,
    &HIGH_WATER,
    &TRUSTED_PROXIES,
];

/// The configuration of ingest.
#[derive(Debug)]
pub struct Config {
    /// What every service has.
    pub service: ServiceConfig,
    /// Where deliveries go.
    pub bus: BusConfig,
    /// How many replicas must have one.
    pub replicas: u32,
    /// How many may wait to be applied.
    pub high_water: u64,
    /// Where deliveries go while Redis is away.
    pub store: StoreConfig,
    /// Whose word for a client's address is believed.
    pub(crate) proxies: TrustedProxies,
    /// Where the file is.
    pub config_path: Option<PathBuf>,
    /// What it says of senders.
    pub(crate) integrations: Integrations,
    /// What it says of Slack's buttons.
    pub(crate) slack: Settings,
}

impl Config {
    /// Reads and checks everything.
    pub fn read(env: &mut Environment, version: &'static str) -> Result<Self, ConfigError> {
        let service = ServiceConfig::read(env, version, &LISTEN);
        let RedisAddress { url, prefix, sentinels } = RedisAddress::read(env);
        let sentinels = sentinels.map(|known| Sentinels::new(known.addresses, known.master, known.login));
        let bus = BusConfig { url, sentinels, prefix, command_timeout: env.get(&COMMIT_TIMEOUT) };
        let DatabaseAddress { url, connections } = DatabaseAddress::read(env);
        let store = StoreConfig {
            url,
            connections,
            timeout: env.get(&INBOX_TIMEOUT),
            application: "tocsin-ingest",
            plans: Plans::Fresh,
        };
        let bounds = Duration::from_millis(10)..=Duration::from_secs(10);
        for (timeout, variable) in [(bus.command_timeout, &COMMIT_TIMEOUT), (store.timeout, &INBOX_TIMEOUT)] {
            env.check(bounds.contains(&timeout), variable, "use a duration from 10ms to 10s");
        }
        let (replicas, high_water) = (env.get(&REDIS_REPLICAS), env.get(&HIGH_WATER));
        env.check(replicas <= 5, &REDIS_REPLICAS, "use a number from 0 to 5");
        env.check(high_water > 0, &HIGH_WATER, "use a number from 1");
        let proxies = env.get(&TRUSTED_PROXIES);
        let config_path = env.get(&common::CONFIG);
        let read = Document::load(config_path.as_deref()).and_then(|document| {
            Ok((Integrations::from_document(&document, env)?, Settings::from_document(&document, env)?))
        });
        let (integrations, slack) = env.keep(read);
        env.finish()?;
        Ok(Self { service, bus, replicas, high_water, store, proxies, config_path, integrations, slack })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        Config::read(&mut Environment::from_values::<&str, &str>([]), "test").unwrap();
    }

    #[test]
    fn what_is_out_of_bounds_is_named() {
        let faulty = [
            ("TOCSIN_INGEST_COMMIT_TIMEOUT", "1ms"),
            ("TOCSIN_INGEST_HIGH_WATER", "0"),
            ("TOCSIN_INGEST_INBOX_TIMEOUT", "1m"),
            ("TOCSIN_REDIS_REPLICAS", "9"),
            ("TOCSIN_TRUSTED_PROXIES", "10.0.0.0/40"),
        ];
        let error = Config::read(&mut Environment::from_values(faulty), "test").unwrap_err();
        let mut keys: Vec<_> = error.problems.iter().map(|problem| problem.key.as_str()).collect();
        keys.sort_unstable();
        assert_eq!(keys, faulty.map(|(name, _)| name));
    }
}
