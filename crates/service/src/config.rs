//! Configuration: the environment and `tocsin.yaml`, read whole at boot.
//!
//! Every fault is collected and reported at once, each with the key it is in, what is wrong and what to do, so that an
//! operator corrects a file once and not fault by fault.

mod address;
pub mod document;
pub mod duration;
mod environment;
mod reload;
mod secret;
mod setting;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use address::{is_encrypted_or_near, is_loopback};
pub use document::Document;
pub use environment::{Documented, Environment, Variable, help_table};
pub use reload::Reloading;
pub use secrecy::{ExposeSecret, SecretSlice, SecretString};
pub use secret::SecretSource;
pub use setting::{Addresses, LogFormat, Setting};
use url::Url;

/// One thing that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable, or the path in the file.
    pub key: String,
    /// What is wrong with it.
    pub fault: String,
    /// What to do.
    pub remedy: String,
}

impl Problem {
    /// A fault in `key`. None of the three may hold a secret.
    #[must_use]
    pub fn new(key: impl Into<String>, fault: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { key: key.into(), fault: fault.into(), remedy: remedy.into() }
    }
}

/// A configuration that cannot be used. Displays as a list of every fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(f, "the configuration has {count} {}:", if count == 1 { "fault" } else { "faults" })?;
        for Problem { key, fault, remedy } in &self.problems {
            write!(f, "\n  {key}: {fault}\n    remedy: {remedy}")?;
        }
        Ok(())
    }
}

/// What is the same for every service. Each field's variable is in [`common`].
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// The service's version, as `/health` and `--version` tell it.
    pub version: &'static str,
    /// Where `/health`, `/ready`, `/metrics` and the service's own routes are served.
    pub listen: SocketAddr,
    /// Threads that serve HTTP.
    pub http_workers: usize,
    /// Names this process among its like: consumer name, lease holder, log field.
    pub instance: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines are written.
    pub log_filter: String,
    /// Where spans go, if anywhere.
    pub otlp_endpoint: Option<Url>,
    /// How long a service that was told to stop still accepts, so that its proxy notices first.
    pub drain_delay: Duration,
    /// How long what is in flight may take after that.
    pub shutdown_timeout: Duration,
}

/// The variables that every service reads.
pub mod common {
    use super::{Addresses, Documented, Duration, LogFormat, PathBuf, SecretString, Url, Variable};

    /// The file.
    pub const CONFIG: Variable<Option<PathBuf>> =
        Variable::new("TOCSIN_CONFIG", || None, "path of tocsin.yaml; unset means the built-in default");
    /// The instance's name.
    pub const INSTANCE: Variable<Option<String>> =
        Variable::new("TOCSIN_INSTANCE", || None, "unique name of this process; unset means host name and process id");
    /// HTTP threads.
    pub const HTTP_WORKERS: Variable<usize> =
        Variable::new("TOCSIN_HTTP_WORKERS", || 2, "threads that serve HTTP (1 to 256)");
    /// Log format.
    pub const LOG_FORMAT: Variable<LogFormat> =
        Variable::new("TOCSIN_LOG_FORMAT", || LogFormat::Json, "form of log lines: json or human");
    /// Log filter.
    pub const LOG: Variable<String> = Variable::new(
        "TOCSIN_LOG",
        || "info,actix_server=warn".to_owned(),
        "log filter, such as info,tocsin_bus=debug",
    );
    /// Traces.
    pub const OTLP_ENDPOINT: Variable<Option<Url>> = Variable::new(
        "TOCSIN_OTLP_ENDPOINT",
        || None,
        "OTLP/HTTP traces endpoint, such as http://collector:4318/v1/traces; unset means no export",
    );
    /// Drain delay.
    pub const DRAIN_DELAY: Variable<Duration> = Variable::new(
        "TOCSIN_DRAIN_DELAY",
        || Duration::from_secs(2),
        "time between not being ready and not accepting; must exceed what the proxy needs to notice (at most 20s)",
    );
    /// Shutdown timeout.
    pub const SHUTDOWN_TIMEOUT: Variable<Duration> = Variable::new(
        "TOCSIN_SHUTDOWN_TIMEOUT",
        || Duration::from_secs(20),
        "time for what is in flight after that; with TOCSIN_DRAIN_DELAY at most 30s",
    );
    /// Redis.
    pub const REDIS_URL: Variable<SecretString> =
        Variable::new("TOCSIN_REDIS_URL", || "redis://127.0.0.1:6379".into(), "address of Redis (or …_FILE)");
    /// Sentinels.
    pub const REDIS_SENTINELS: Variable<Option<Addresses>> = Variable::new(
        "TOCSIN_REDIS_SENTINELS",
        || None,
        "addresses of Sentinels, such as 10.0.0.1:26379,10.0.0.2:26379, which say which Redis leads; of TOCSIN_REDIS_URL then only \
         user, password and database count",
    );
    /// What Sentinels call the primary.
    pub const REDIS_SENTINEL_MASTER: Variable<String> = Variable::new(
        "TOCSIN_REDIS_SENTINEL_MASTER",
        || "tocsin".to_owned(),
        "name by which the Sentinels know the primary",
    );
    /// User at the Sentinels.
    pub const REDIS_SENTINEL_USER: Variable<Option<String>> =
        Variable::new("TOCSIN_REDIS_SENTINEL_USER", || None, "user at the Sentinels; unset means the default user");
    /// Password at the Sentinels.
    pub const REDIS_SENTINEL_PASSWORD: Variable<Option<SecretString>> = Variable::new(
        "TOCSIN_REDIS_SENTINEL_PASSWORD",
        || None,
        "password at the Sentinels (or …_FILE); unset means that they ask for none",
    );
    /// Key prefix.
    pub const REDIS_PREFIX: Variable<String> =
        Variable::new("TOCSIN_REDIS_PREFIX", || "tocsin".to_owned(), "first part of every Redis key");
    /// Postgres.
    pub const DATABASE_URL: Variable<SecretString> = Variable::new(
        "TOCSIN_DATABASE_URL",
        || "postgres://tocsin@127.0.0.1:5432/tocsin".into(),
        "address of Postgres (or …_FILE)",
    );
    /// Connections to Postgres.
    pub const DATABASE_CONNECTIONS: Variable<u32> =
        Variable::new("TOCSIN_DATABASE_CONNECTIONS", || 8, "most connections to Postgres (1 to 200)");
    /// The dashboard's address.
    pub const PUBLIC_URL: Variable<Option<Url>> = Variable::new(
        "TOCSIN_PUBLIC_URL",
        || None,
        "where people reach the dashboard, such as https://tocsin.example.com; needed for links to incidents and for api.oidc",
    );
    /// For `--help`; `TOCSIN_LISTEN` is added by each service, with its own default.
    pub const ALL: &[&dyn Documented] =
        &[&CONFIG, &INSTANCE, &HTTP_WORKERS, &LOG_FORMAT, &LOG, &OTLP_ENDPOINT, &DRAIN_DELAY, &SHUTDOWN_TIMEOUT];
    /// For `--help` of those that reach Redis.
    pub const REDIS: &[&dyn Documented] = &[
        &REDIS_URL,
        &REDIS_PREFIX,
        &REDIS_SENTINELS,
        &REDIS_SENTINEL_MASTER,
        &REDIS_SENTINEL_USER,
        &REDIS_SENTINEL_PASSWORD,
    ];
}

impl ServiceConfig {
    /// Reads the common part. Faults are left in `env`.
    pub fn read(env: &mut Environment, version: &'static str, listen: &Variable<SocketAddr>) -> Self {
        let config = Self {
            version,
            listen: env.get(listen),
            http_workers: env.get(&common::HTTP_WORKERS),
            instance: env.get(&common::INSTANCE).unwrap_or_else(default_instance),
            log_format: env.get(&common::LOG_FORMAT),
            log_filter: env.get(&common::LOG),
            otlp_endpoint: env.get(&common::OTLP_ENDPOINT),
            drain_delay: env.get(&common::DRAIN_DELAY),
            shutdown_timeout: env.get(&common::SHUTDOWN_TIMEOUT),
        };
        env.check((1..=256).contains(&config.http_workers), &common::HTTP_WORKERS, "use a number from 1 to 256");
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&config.log_filter) {
            env.fault(
                common::LOG.name(),
                format!("is not a log filter ({error})"),
                "use info, or info,tocsin_bus=debug",
            );
        }
        let whole = config.drain_delay + config.shutdown_timeout;
        env.check(
            config.drain_delay <= Duration::from_secs(20) && whole <= Duration::from_secs(30),
            &common::SHUTDOWN_TIMEOUT,
            "lower it or TOCSIN_DRAIN_DELAY: a service must end within 30s, drain delay (at most 20s) included",
        );
        config
    }
}

/// How to reach Postgres.
#[derive(Debug, Clone)]
pub struct DatabaseAddress {
    /// `postgres://…`.
    pub url: SecretString,
    /// Most connections.
    pub connections: u32,
}

impl DatabaseAddress {
    /// Reads it. Faults are left in `env`.
    pub fn read(env: &mut Environment) -> Self {
        let address = Self { url: env.get(&common::DATABASE_URL), connections: env.get(&common::DATABASE_CONNECTIONS) };
        env.check(
            (1..=200).contains(&address.connections),
            &common::DATABASE_CONNECTIONS,
            "use a number from 1 to 200",
        );
        address
    }
}

/// Reads where people reach the dashboard. Faults are left in `env`.
pub fn read_public_url(env: &mut Environment) -> Option<Url> {
    let url = env.get(&common::PUBLIC_URL);
    let is_web = url.as_ref().is_none_or(|url| matches!(url.scheme(), "https" | "http"));
    env.check(is_web, &common::PUBLIC_URL, "use an address that begins with https://");
    url
}

/// How to reach Redis.
#[derive(Debug, Clone)]
pub struct RedisAddress {
    /// `redis://…`.
    pub url: SecretString,
    /// First part of every key.
    pub prefix: String,
    /// Who say which Redis leads, if not the address does.
    pub sentinels: Option<SentinelAddress>,
}

/// How to reach the Sentinels of a Redis.
#[derive(Debug, Clone)]
pub struct SentinelAddress {
    /// Host and port of each.
    pub addresses: Vec<(String, u16)>,
    /// The name of the primary.
    pub master: String,
    /// User and password, where they ask for them.
    pub login: Option<(Option<String>, SecretString)>,
}

impl RedisAddress {
    /// Reads it. Faults are left in `env`.
    pub fn read(env: &mut Environment) -> Self {
        let (url, prefix) = (env.get(&common::REDIS_URL), env.get(&common::REDIS_PREFIX));
        let addresses = env.get(&common::REDIS_SENTINELS);
        let (master, user) = (env.get(&common::REDIS_SENTINEL_MASTER), env.get(&common::REDIS_SENTINEL_USER));
        let password = env.get(&common::REDIS_SENTINEL_PASSWORD);
        env.check(
            user.is_none() || password.is_some(),
            &common::REDIS_SENTINEL_USER,
            "set TOCSIN_REDIS_SENTINEL_PASSWORD, too",
        );
        let login = password.map(|password| (user, password));
        let sentinels = addresses.map(|Addresses(addresses)| SentinelAddress { addresses, master, login });
        Self { url, prefix, sentinels }
    }
}

fn default_instance() -> String {
    let host = hostname::get().map_or_else(|_| "localhost".to_owned(), |name| name.to_string_lossy().into_owned());
    format!("{host}-{}", std::process::id())
}
