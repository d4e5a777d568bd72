//! What the api reads at boot.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tocsin_bus::{BusConfig, Sentinels};
use tocsin_service::config::{
    ConfigError, DatabaseAddress, Document, Documented, Environment, RedisAddress, SecretString, ServiceConfig,
    Variable, common, read_public_url,
};
use tocsin_service::http::{TRUSTED_PROXIES, TrustedProxies};
use tocsin_store::{Plans, StoreConfig};
use url::Url;

use crate::auth::{Seal, Tokens};
use crate::kinds_of;
use crate::system::Kinds;

const LISTEN: Variable<SocketAddr> =
    Variable::new("TOCSIN_LISTEN", || SocketAddr::from((Ipv4Addr::LOCALHOST, 8082)), "address and port of HTTP");
const REPLICA_URL: Variable<Option<SecretString>> = Variable::new(
    "TOCSIN_DATABASE_REPLICA_URL",
    || None,
    "address of a replica of Postgres, which reads go to first (or …_FILE); unset means that all go to TOCSIN_DATABASE_URL",
);
const QUERY_TIMEOUT: Variable<Duration> = Variable::new(
    "TOCSIN_API_QUERY_TIMEOUT",
    || Duration::from_secs(3),
    "longest wait for Postgres before a request is answered 503 (100ms to 30s)",
);

/// Longest that Redis may take to answer.
const BUS_TIMEOUT: Duration = Duration::from_secs(1);

/// The variables of the api, for `--help`.
pub const VARIABLES: &[&dyn Documented] = &[
    &LISTEN,
    &common::DATABASE_URL,
    &common::DATABASE_CONNECTIONS,
    &REPLICA_URL,
    &QUERY_TIMEOUT,
    &TRUSTED_PROXIES,
    &common::PUBLIC_URL,
];

/// The configuration of the api.
#[derive(Debug, Clone)]
pub struct Config {
    /// What every service has.
    pub service: ServiceConfig,
    /// Where the state is.
    pub store: StoreConfig,
    /// Where reads go first, if not there.
    pub replica: Option<StoreConfig>,
    /// Where responders' commands go.
    pub bus: BusConfig,
    /// Where the file is.
    pub config_path: Option<PathBuf>,
    /// Where people reach the dashboard, if that is known.
    pub(crate) public_url: Option<Url>,
    /// The proxies that say where requests come from.
    pub(crate) proxies: TrustedProxies,
    /// For sessions, where the file gives no secret.
    pub(crate) seal: Seal,
    pub(crate) kinds: Kinds,
    pub(crate) tokens: Tokens,
}

impl Config {
    /// Reads and checks everything, the tokens' hashes included. Without a file, a demo token is made and printed.
    pub fn read(env: &mut Environment, version: &'static str) -> Result<Self, ConfigError> {
        let service = ServiceConfig::read(env, version, &LISTEN);
        let DatabaseAddress { url, connections } = DatabaseAddress::read(env);
        let store = StoreConfig {
            url,
            connections,
            timeout: env.get(&QUERY_TIMEOUT),
            application: "tocsin-api",
            plans: Plans::Kept,
        };
        let bounds = Duration::from_millis(100)..=Duration::from_secs(30);
        env.check(bounds.contains(&store.timeout), &QUERY_TIMEOUT, "use a duration from 100ms to 30s");
        let replica = env.get(&REPLICA_URL).map(|url| StoreConfig { url, ..store.clone() });
        let RedisAddress { url, prefix, sentinels } = RedisAddress::read(env);
        let sentinels = sentinels.map(|known| Sentinels::new(known.addresses, known.master, known.login));
        let bus = BusConfig { url, sentinels, prefix, command_timeout: BUS_TIMEOUT };
        let public_url = read_public_url(env);
        let (config_path, proxies, seal) = (env.get(&common::CONFIG), env.get(&TRUSTED_PROXIES), Seal::random());
        let read = Document::load(config_path.as_deref()).and_then(|document| {
            Tokens::from_document(&document, env, &seal, public_url.as_ref())
                .map(|tokens| Some((tokens, kinds_of(&document))))
        });
        let read = env.keep(read);
        env.finish()?;
        let (tokens, kinds) = match read {
            Some(read) if config_path.is_some() => read,
            _ => (Tokens::demo(seal.clone()), Kinds::new()),
        };
        Ok(Self { service, store, replica, bus, config_path, public_url, proxies, seal, kinds, tokens })
    }
}
