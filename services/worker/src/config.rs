//! What the worker reads at boot.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tocsin_bus::{BusConfig, Sentinels};
use tocsin_service::config::{
    ConfigError, DatabaseAddress, Document, Documented, Environment, RedisAddress, ServiceConfig, Variable, common,
};
use tocsin_store::{Plans, StoreConfig};

use crate::retention::Keep;

const LISTEN: Variable<SocketAddr> =
    Variable::new("TOCSIN_LISTEN", || SocketAddr::from((Ipv4Addr::LOCALHOST, 8083)), "address and port of HTTP");
const BATCH_SIZE: Variable<usize> = Variable::new(
    "TOCSIN_WORKER_BATCH_SIZE",
    || 512,
    "most deliveries that one transaction applies (1 to 1000); fewer while it takes long",
);
const HANDLER_TIMEOUT: Variable<Duration> = Variable::new(
    "TOCSIN_WORKER_HANDLER_TIMEOUT",
    || Duration::from_secs(10),
    "longest time that applying one batch may take",
);
const RECLAIM_IDLE: Variable<Duration> = Variable::new(
    "TOCSIN_WORKER_RECLAIM_IDLE",
    || Duration::from_secs(30),
    "silence after which another worker's deliveries are taken over; must exceed TOCSIN_WORKER_HANDLER_TIMEOUT",
);
const EVENT_ID_RETENTION: Variable<Duration> = Variable::new(
    "TOCSIN_WORKER_EVENT_ID_RETENTION",
    || Duration::from_hours(48),
    "how long a delivery is recognised when it is told again (at least 24h)",
);

/// How long senders may count on it that a delivery is recognised.
const MIN_EVENT_ID_RETENTION: Duration = Duration::from_hours(24);
/// Longest that Redis may take to answer.
const BUS_TIMEOUT: Duration = Duration::from_secs(2);

/// The variables of the worker, for `--help`.
pub const VARIABLES: &[&dyn Documented] = &[
    &LISTEN,
    &common::DATABASE_URL,
    &common::DATABASE_CONNECTIONS,
    &BATCH_SIZE,
    &HANDLER_TIMEOUT,
    &RECLAIM_IDLE,
    &EVENT_ID_RETENTION,
];

/// How the worker consumes.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// Most deliveries in one transaction.
    pub batch_size: usize,
    /// Silence after which deliveries are taken over.
    pub reclaim_idle: Duration,
}

/// The configuration of the worker.
#[derive(Debug, Clone)]
pub struct Config {
    /// What every service has.
    pub service: ServiceConfig,
    /// Where deliveries come from.
    pub bus: BusConfig,
    /// Where the state is.
    pub store: StoreConfig,
    /// How it consumes.
    pub tuning: Tuning,
    /// What it keeps for how long.
    pub(crate) keep: Keep,
    /// Where the file is.
    pub config_path: Option<PathBuf>,
    /// What the file says.
    pub document: Document,
}

impl Config {
    /// Reads and checks everything.
    pub fn read(env: &mut Environment, version: &'static str) -> Result<Self, ConfigError> {
        let service = ServiceConfig::read(env, version, &LISTEN);
        let RedisAddress { url, prefix, sentinels } = RedisAddress::read(env);
        let sentinels = sentinels.map(|known| Sentinels::new(known.addresses, known.master, known.login));
        let bus = BusConfig { url, sentinels, prefix, command_timeout: BUS_TIMEOUT };
        let handler_timeout = env.get(&HANDLER_TIMEOUT);
        let DatabaseAddress { url, connections } = DatabaseAddress::read(env);
        let store = StoreConfig {
            url,
            connections,
            timeout: handler_timeout,
            application: "tocsin-worker",
            plans: Plans::Fresh,
        };
        let tuning = Tuning { batch_size: env.get(&BATCH_SIZE), reclaim_idle: env.get(&RECLAIM_IDLE) };
        env.check((1..=1000).contains(&tuning.batch_size), &BATCH_SIZE, "use a number from 1 to 1000");
        env.check(
            tuning.reclaim_idle > handler_timeout,
            &RECLAIM_IDLE,
            "make it longer than TOCSIN_WORKER_HANDLER_TIMEOUT: a batch would be taken from a worker that still applies it",
        );
        let event_id_retention = env.get(&EVENT_ID_RETENTION);
        env.check(
            event_id_retention >= MIN_EVENT_ID_RETENTION,
            &EVENT_ID_RETENTION,
            "make it at least 24h: senders may count on it that a delivery told again within that time changes nothing",
        );
        let config_path = env.get(&common::CONFIG);
        let document = env.keep(Document::load(config_path.as_deref()));
        env.finish()?;
        let kept = document.retention();
        let keep = Keep { event_ids: event_id_retention, events: kept.events, incidents: kept.incidents };
        Ok(Self { service, bus, store, tuning, keep, config_path, document })
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
    fn a_takeover_that_could_meet_a_living_worker_fails_the_boot() {
        let values = [("TOCSIN_WORKER_HANDLER_TIMEOUT", "30s"), ("TOCSIN_WORKER_RECLAIM_IDLE", "30s")];
        let error = Config::read(&mut Environment::from_values(values), "test").unwrap_err();
        assert_eq!(error.problems[0].key, "TOCSIN_WORKER_RECLAIM_IDLE");
    }

    #[test]
    fn a_memory_shorter_than_what_senders_are_promised_fails_the_boot() {
        let values = [("TOCSIN_WORKER_EVENT_ID_RETENTION", "23h")];
        let error = Config::read(&mut Environment::from_values(values), "test").unwrap_err();
        assert_eq!(error.problems[0].key, "TOCSIN_WORKER_EVENT_ID_RETENTION");
    }

    #[test]
    fn faults_of_the_environment_and_of_the_file_are_told_together() {
        let values = [("TOCSIN_WORKER_BATCH_SIZE", "0"), ("TOCSIN_CONFIG", "/nonexistent/tocsin.yaml")];
        let error = Config::read(&mut Environment::from_values(values), "test").unwrap_err();
        let keys: Vec<_> = error.problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["TOCSIN_WORKER_BATCH_SIZE", "/nonexistent/tocsin.yaml"]);
    }
}
