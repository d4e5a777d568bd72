//! How the topology is put together.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::try_join_all;

use super::network::Network;
use super::node::{Kind, Node};
use super::postgres_ways::PostgresWays;
use super::{Ha, MASTER, etcd, patroni, redis, sentinel};
use crate::process::Spec;
use crate::stores::{migrate, postgres_url_of, query, redis_url_of};
use crate::topology::{FrontDoor, Planned, TopologyBuilder, make_services, random_token, start_services};
use crate::{Database, KeySpace, Port, Process, Result, Service, Tenant, TestbedError, poll};

/// How long each step of the start may take.
pub(super) const DEADLINE: Duration = Duration::from_mins(1);
/// What the keys begin with.
pub(super) const PREFIX: &str = "tocsin";
/// How many there are of each store.
const NODES: u8 = 3;
/// How many there are of each service, unless told otherwise.
const SERVICES: usize = 2;

/// Puts an [`Ha`] together. Without any call: two of each service, the built-in default configuration, a free port, a random
/// API token, a temporary folder.
#[derive(Debug)]
#[must_use]
pub struct HaBuilder {
    services: TopologyBuilder,
}

impl Default for HaBuilder {
    fn default() -> Self {
        let services = TopologyBuilder::default();
        let services = Service::ALL.into_iter().fold(services, |builder, service| builder.count(service, SERVICES));
        // A delivery is on two Redis before it is answered.
        Self { services: services.env_for(Service::Ingest, "TOCSIN_REDIS_REPLICAS", "1") }
    }
}

impl HaBuilder {
    /// How many processes of a service to start; none is possible.
    pub fn count(self, service: Service, count: usize) -> Self {
        self.with(|services| services.count(service, count))
    }

    /// Use this `tocsin.yaml`.
    pub fn config_file(self, path: impl Into<PathBuf>) -> Self {
        self.with(|services| services.config_file(path))
    }

    /// Use this text as `tocsin.yaml`.
    pub fn config_text(self, yaml: impl Into<String>) -> Self {
        self.with(|services| services.config_text(yaml))
    }

    /// Sets a variable for all services.
    pub fn env(self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.with(|services| services.env(name, value))
    }

    /// Sets a variable for all processes of one service.
    pub fn env_for(self, service: Service, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.with(|services| services.env_for(service, name, value))
    }

    /// Sets a variable for the one process of this name, such as `worker-1`.
    pub fn env_for_process(
        self,
        process: impl Into<String>,
        name: impl Into<OsString>,
        value: impl Into<OsString>,
    ) -> Self {
        self.with(|services| services.env_for_process(process, name, value))
    }

    /// Lets the services see our own variables that begin with `TOCSIN_`.
    pub fn inherit_env(self) -> Self {
        self.with(TopologyBuilder::inherit_env)
    }

    /// Take the services' binaries from this folder.
    pub fn binaries(self, folder: impl Into<PathBuf>) -> Self {
        self.with(|services| services.binaries(folder))
    }

    /// Take the binary of one process, such as `worker-2`, from this folder: another version.
    pub fn binaries_of(self, process: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        self.with(|services| services.binaries_of(process, folder))
    }

    /// Open the front door on this very port.
    pub fn port(self, port: u16) -> Self {
        self.with(|services| services.port(port))
    }

    /// Keep data, logs and generated files in this folder instead of a temporary one.
    pub fn folder(self, folder: impl Into<PathBuf>) -> Self {
        self.with(|services| services.folder(folder))
    }

    /// The API token.
    pub fn token(self, token: impl Into<String>) -> Self {
        self.with(|services| services.token(token))
    }

    /// Where Slack messages go.
    pub fn slack_webhook_url(self, url: impl Into<String>) -> Self {
        self.with(|services| services.slack_webhook_url(url))
    }

    fn with(self, change: impl FnOnce(TopologyBuilder) -> TopologyBuilder) -> Self {
        Self { services: change(self.services) }
    }

    /// Starts everything, in order, and waits until all of it is ready.
    ///
    /// # Errors
    /// When a program or binary is missing, a port is taken, or a process does not become ready. What had been started by
    /// then is killed.
    pub async fn start(self) -> Result<Ha> {
        let folder = self.services.make_folder()?;
        let port = self.services.fixed_port().map_or_else(Port::free, Port::fixed)?;
        let token = self.services.given_token().unwrap_or_else(random_token);
        let planned = self.services.plan_in(folder.path(), &token, port.number())?;
        let ways = PostgresWays::new()?;
        let members: Vec<(String, u8)> = Kind::ALL.into_iter().flat_map(members).collect();
        let network = Network::open(folder.path(), &members).await?;
        let nodes = make_nodes(folder.path(), &network).await?;
        start_stores(&nodes).await?;
        let primary = sentinel::primary_of(&nodes).await.ok_or(TestbedError::NoneLeads { of: "Redis" })?;

        let servers = |service| planned.iter().filter(move |plan| plan.service() == service).map(Planned::server);
        let (ingest, api): (Vec<_>, Vec<_>) = (servers(Service::Ingest).collect(), servers(Service::Api).collect());
        let postgres = addresses(&network, Kind::Postgres);
        let place = network.place(0);
        let config = ways.config(&place.host, &postgres);
        let front_door = FrontDoor::launch(folder.path(), port, &ingest, &api, &config, &place).await?;
        network.lead_to(front_door.process(), &[front_door.ports(), ways.ports()].concat());
        make_database(&ways).await?;

        let sentinels = addresses(&network, Kind::Sentinel).into_iter();
        let sentinels =
            sentinels.map(|(_, address)| format!("{address}:{}", sentinel::PORT)).collect::<Vec<_>>().join(",");
        // Where the address leads does not matter: Sentinels say who leads.
        let redis_url = format!("redis://{primary}:{}", redis::PORT);
        tracing::info!("starting {} services", planned.len());
        let environment = |service: Service| {
            let mut env = vec![
                ("TOCSIN_REDIS_URL", redis_url_of(&redis_url, service.name())),
                ("TOCSIN_REDIS_SENTINELS", sentinels.clone()),
                ("TOCSIN_REDIS_SENTINEL_MASTER", MASTER.to_owned()),
                ("TOCSIN_REDIS_PREFIX", PREFIX.to_owned()),
                ("TOCSIN_DATABASE_URL", postgres_url_of(&ways.write_url(), &format!("tocsin_{service}"))),
            ];
            if service == Service::Api {
                let url = postgres_url_of(&ways.read_url(), "tocsin_api");
                env.push(("TOCSIN_DATABASE_REPLICA_URL", url));
            }
            env
        };
        let planned = (1..).zip(planned).map(|(number, plan)| plan.at(&network.place(number))).collect();
        let services = make_services(planned, environment);
        for service in &services {
            network.lead_to(&service.process, &[service.port.number()]);
        }
        start_services(&services).await?;
        front_door.wait_ready().await?;
        let tenant = Tenant::new(KeySpace::at(redis_url, PREFIX), Database::at(ways.write_url()));
        Ok(Ha {
            front_door,
            services,
            nodes,
            ways,
            tenant,
            network,
            token,
            folder,
            paused: Mutex::default(),
            cut_off: Mutex::default(),
        })
    }
}

fn members(kind: Kind) -> impl Iterator<Item = (String, u8)> {
    (1..=NODES).map(move |number| (format!("{}-{number}", kind.name()), kind.base() + number))
}

/// Names and addresses of all stores of a kind.
fn addresses(network: &Network, kind: Kind) -> Vec<(String, String)> {
    members(kind).map(|(name, last)| (name, network.address(last))).collect()
}

/// Writes every configuration.
async fn make_nodes(folder: &Path, network: &Network) -> Result<Vec<Node>> {
    let logs = folder.join("logs");
    let patroni = patroni::install(folder).await?;
    let (etcd, redis) = (addresses(network, Kind::Etcd), addresses(network, Kind::Redis));
    let sentinels = addresses(network, Kind::Sentinel);
    let only_addresses = |of: &[(String, String)]| of.iter().map(|(_, address)| address.clone()).collect::<Vec<_>>();
    let sentinel_folders: Vec<PathBuf> = sentinels.iter().map(|(name, _)| folder.join(name)).collect();
    let first = redis.first().map(|(_, address)| address.clone()).unwrap_or_default();
    let primary = sentinel::last_primary(sentinel_folders.iter().map(PathBuf::as_path)).unwrap_or(first);
    let replicas: Vec<&str> =
        redis.iter().map(|(_, address)| address.as_str()).filter(|address| *address != primary).collect();
    let mut nodes = Vec::new();
    for kind in Kind::ALL {
        for (name, last) in members(kind) {
            let (address, listens_at) = (network.address(last), network.listens_at(last));
            let ends = (address.as_str(), listens_at.as_str());
            let own = folder.join(&name);
            fs::create_dir_all(&own).map_err(TestbedError::file("create", &own))?;
            let mut spec: Spec = match kind {
                Kind::Etcd => etcd::spec(&name, ends, &etcd, &own, &logs)?,
                Kind::Postgres => {
                    let spec = patroni::spec(&name, &own, &patroni, &logs)?;
                    patroni::configure(&name, ends, &network.subnet(), &only_addresses(&etcd), &own)?;
                    patroni::remove_leftovers(&own).await?;
                    spec
                }
                Kind::Redis => {
                    redis::configure(ends, &own, &primary)?;
                    redis::spec(&name, &own, &logs)?
                }
                Kind::Sentinel => {
                    let all: Vec<&str> = sentinels.iter().map(|(_, address)| address.as_str()).collect();
                    sentinel::configure(ends, &own, &primary, &replicas, &all)?;
                    sentinel::spec(&name, &own, &logs)?
                }
            };
            spec.namespace = network.namespace(&name);
            let process = Process::new(spec);
            network.lead_to_store(&process, last, kind.ports());
            nodes.push(Node { name, kind, address, listens_at, folder: own, process });
        }
    }
    Ok(nodes)
}

/// Starts what others need first.
async fn start_stores(nodes: &[Node]) -> Result<()> {
    let of = |kind| nodes.iter().filter(move |node| node.kind == kind);
    tracing::info!("starting etcd, Postgres, Redis and Sentinel, three of each");
    for node in of(Kind::Etcd).chain(of(Kind::Redis)) {
        node.process.start().await?;
    }
    try_join_all(of(Kind::Etcd).chain(of(Kind::Redis)).map(Node::wait_ready)).await?;
    for node in of(Kind::Postgres) {
        node.process.start().await?;
    }
    // The primary may not be the first: it is who does not follow anybody.
    let primary = poll::until("a Redis that leads", DEADLINE, async || {
        let asked = of(Kind::Redis).map(async |node| {
            let role = redis::ask(&node.address, redis::PORT, &["ROLE"]).await?;
            Ok::<_, String>(role.starts_with("master").then(|| node.address.clone()))
        });
        let asked: Vec<Option<String>> = try_join_all(asked).await?;
        asked.into_iter().flatten().next().ok_or_else(|| "none".to_owned())
    })
    .await?;
    redis::wait_until_followed(nodes, &primary, DEADLINE).await?;
    for node in of(Kind::Sentinel) {
        node.process.start().await?;
    }
    try_join_all(of(Kind::Sentinel).chain(of(Kind::Postgres)).map(Node::wait_ready)).await?;
    poll::until("Postgres with a synchronous standby", DEADLINE, async || {
        for role in ["primary", "sync"] {
            let asked = of(Kind::Postgres).map(|node| patroni::is(&node.address, role));
            if !futures_util::future::join_all(asked).await.contains(&true) {
                return Err(format!("no {role}"));
            }
        }
        Ok(())
    })
    .await?;
    Ok(())
}

/// The database and its schema, through the way that the services will go. Each step may be repeated: on a machine that has much
/// else to do, another Postgres may come to lead meanwhile.
async fn make_database(ways: &PostgresWays) -> Result<()> {
    let url = ways.maintenance_url();
    poll::until("a database on the Postgres that leads", DEADLINE, async || {
        let make = async {
            if query(&url, "SELECT 1 FROM pg_database WHERE datname = 'tocsin'").await?.is_empty() {
                query(&url, "CREATE DATABASE tocsin").await?;
            }
            migrate(&ways.write_url()).await
        };
        make.await.map_err(|error: TestbedError| error.to_string())
    })
    .await?;
    poll::until("a way to the Postgres that follow", DEADLINE, async || {
        query(&ways.read_url(), "SELECT 1").await.map_err(|error| error.to_string())
    })
    .await?;
    Ok(())
}
