//! What the notifier reads at boot.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tocsin_bus::{BusConfig, Sentinels};
use tocsin_service::config::{
    ConfigError, DatabaseAddress, Document, Documented, Environment, RedisAddress, ServiceConfig, Variable, common,
    read_public_url,
};
use tocsin_store::{Plans, StoreConfig};
use url::Url;

use crate::receivers::Receivers;

const LISTEN: Variable<SocketAddr> =
    Variable::new("TOCSIN_LISTEN", || SocketAddr::from((Ipv4Addr::LOCALHOST, 8084)), "address and port of HTTP");
const REQUEST_TIMEOUT: Variable<Duration> = Variable::new(
    "TOCSIN_NOTIFIER_REQUEST_TIMEOUT",
    || Duration::from_secs(5),
    "longest that a receiver may take to answer (100ms to 15s)",
);
const DEADLINE: Variable<Duration> = Variable::new(
    "TOCSIN_NOTIFIER_DEADLINE",
    || Duration::from_hours(1),
    "how long a receiver may be owed a notice before it is given up, and its fallback told (1s to 7d)",
);

/// Longest that Redis may take to answer.
const BUS_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest that Postgres may take to answer.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// The variables of the notifier, for `--help`.
pub const VARIABLES: &[&dyn Documented] =
    &[&LISTEN, &common::DATABASE_URL, &common::DATABASE_CONNECTIONS, &REQUEST_TIMEOUT, &DEADLINE, &common::PUBLIC_URL];

/// The configuration of the notifier.
#[derive(Debug, Clone)]
pub struct Config {
    /// What every service has.
    pub service: ServiceConfig,
    /// What wakes it.
    pub bus: BusConfig,
    /// Where the ledger is.
    pub store: StoreConfig,
    /// Longest that a receiver may take.
    pub request_timeout: Duration,
    /// How long a receiver may be owed a notice.
    pub deadline: Duration,
    /// Where people reach the dashboard.
    pub public_url: Option<Url>,
    /// Where the file is.
    pub config_path: Option<PathBuf>,
    pub(crate) receivers: Receivers,
}

impl Config {
    /// Reads and checks everything, the receivers' secrets included.
    pub fn read(env: &mut Environment, version: &'static str) -> Result<Self, ConfigError> {
        let service = ServiceConfig::read(env, version, &LISTEN);
        let RedisAddress { url, prefix, sentinels } = RedisAddress::read(env);
        let sentinels = sentinels.map(|known| Sentinels::new(known.addresses, known.master, known.login));
        let bus = BusConfig { url, sentinels, prefix, command_timeout: BUS_TIMEOUT };
        let DatabaseAddress { url, connections } = DatabaseAddress::read(env);
        let store = StoreConfig {
            url,
            connections,
            timeout: STORE_TIMEOUT,
            application: "tocsin-notifier",
            plans: Plans::Kept,
        };
        let request_timeout = env.get(&REQUEST_TIMEOUT);
        let bounds = Duration::from_millis(100)..=Duration::from_secs(15);
        env.check(bounds.contains(&request_timeout), &REQUEST_TIMEOUT, "use a duration from 100ms to 15s");
        env.check(
            request_timeout < service.drain_delay + service.shutdown_timeout,
            &REQUEST_TIMEOUT,
            "make it shorter than TOCSIN_DRAIN_DELAY and TOCSIN_SHUTDOWN_TIMEOUT together: what is on its way could not finish",
        );
        let deadline = env.get(&DEADLINE);
        let bounds = Duration::from_secs(1)..=Duration::from_hours(7 * 24);
        env.check(bounds.contains(&deadline), &DEADLINE, "use a duration from 1s to 7d");
        let public_url = read_public_url(env);
        let config_path = env.get(&common::CONFIG);
        let receivers =
            Document::load(config_path.as_deref()).and_then(|document| Receivers::from_document(&document, env));
        let receivers = env.keep(receivers);
        env.finish()?;
        Ok(Self { service, bus, store, request_timeout, deadline, public_url, config_path, receivers })
    }
}
