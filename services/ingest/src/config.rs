//! What ingest reads at boot.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tocsin_bus::BusConfig;
use tocsin_service::config::{
    ConfigError, DatabaseAddress, Document, Documented, Environment, ServiceConfig, Variable, common,
};
use tocsin_store::StoreConfig;

use crate::trust::{Integrations, TRUSTED_PROXIES, TrustedProxies};

const LISTEN: Variable<SocketAddr> =
    Variable::new("TOCSIN_LISTEN", || SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)), "address and port of HTTP");
const COMMIT_TIMEOUT: Variable<Duration> = Variable::new(
    "TOCSIN_INGEST_COMMIT_TIMEOUT",
    || Duration::from_secs(1),
    "longest wait for Redis before a webhook is answered 503 (10ms to 10s)",
);

/// Longest that Postgres may take to answer.
const STORE_TIMEOUT: Duration = Duration::from_secs(1);

/// The variables of ingest, for `--help`.
pub const VARIABLES: &[&dyn Documented] = &[
    &LISTEN,
    &common::REDIS_URL,
    &common::REDIS_PREFIX,
    &common::DATABASE_URL,
    &common::DATABASE_CONNECTIONS,
    &COMMIT_TIMEOUT,
    &TRUSTED_PROXIES,
];

/// The configuration of ingest.
#[derive(Debug, Clone)]
pub struct Config {
    /// What every service has.
    pub service: ServiceConfig,
    /// Where deliveries go.
    pub bus: BusConfig,
    /// Where the inbox for when Redis is away will be; so far it is only watched.
    pub store: StoreConfig,
    /// Where the file is.
    pub config_path: Option<PathBuf>,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) integrations: Integrations,
}

impl Config {
    /// Reads and checks everything, the integrations' secrets included.
    pub fn read(env: &mut Environment, version: &'static str) -> Result<Self, ConfigError> {
        let service = ServiceConfig::read(env, version, &LISTEN);
        let bus = BusConfig {
            url: env.get(&common::REDIS_URL),
            prefix: env.get(&common::REDIS_PREFIX),
            command_timeout: env.get(&COMMIT_TIMEOUT),
        };
        let bounds = Duration::from_millis(10)..=Duration::from_secs(10);
        env.check(bounds.contains(&bus.command_timeout), &COMMIT_TIMEOUT, "use a duration from 10ms to 10s");
        let DatabaseAddress { url, connections } = DatabaseAddress::read(env);
        let store = StoreConfig { url, connections, timeout: STORE_TIMEOUT, application: "tocsin-ingest" };
        let config_path = env.get(&common::CONFIG);
        let trusted_proxies = env.get(&TRUSTED_PROXIES);
        let integrations =
            Document::load(config_path.as_deref()).and_then(|document| Integrations::from_document(&document, env));
        let integrations = env.keep(integrations);
        env.finish()?;
        Ok(Self { service, bus, store, config_path, trusted_proxies, integrations })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        Config::read(&mut Environment::default(), "test").unwrap();
    }

    #[test]
    fn a_faulty_list_of_proxies_fails_the_boot() {
        let mut env = Environment::from_values([("TOCSIN_TRUSTED_PROXIES", "10.0.0.0/8,the-other-one")]);
        let error = Config::read(&mut env, "test").unwrap_err();
        assert_eq!(error.problems[0].key, "TOCSIN_TRUSTED_PROXIES");
    }
}
