//! A running Tocsin: the four services, any number of each, behind one front door.

mod backlog;
mod builder;
mod front_door;
mod service;
mod state;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

pub use self::builder::TopologyBuilder;
pub(crate) use self::builder::{Planned, make_services, random_token, start_services};
pub use self::front_door::{FrontDoor, Server, ServerState};
pub use self::service::{Service, ServiceProcess};
use crate::stores::{Postgres, Redis};
use crate::{Process, Result, Stores, Tenant, TestbedError};

/// How long the front door may take to find a ready server ready; it looks several times a second.
const CHECK_DEADLINE: Duration = Duration::from_secs(5);
/// Lines of each log that a failed test shows.
const TAIL_ON_PANIC: usize = 15;

/// A running Tocsin. Dropping it kills everything that it started; [`Topology::stop`] stops it in order.
#[derive(Debug)]
pub struct Topology {
    // The order of the fields is the order in which a drop ends things: from the front door to the stores.
    front_door: FrontDoor,
    services: Vec<ServiceProcess>,
    backing: Backing,
    token: String,
    folder: Folder,
}

/// What a topology keeps its data in.
#[derive(Debug)]
struct Backing {
    tenant: Tenant,
    /// When the tenant has them for itself.
    stores: Option<Stores>,
}

/// Where a process listens, and as whom it runs, so that it can be told from others.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) host: String,
    pub(crate) group: Option<u32>,
}

impl Default for Place {
    fn default() -> Self {
        Self { host: "127.0.0.1".to_owned(), group: None }
    }
}

/// Where logs and generated files are.
#[derive(Debug)]
pub(crate) enum Folder {
    Given(PathBuf),
    Temporary(TempDir),
}

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Given(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

/// One process of a topology, whatever it is.
#[derive(Debug, Clone, Copy)]
pub enum Member<'a> {
    /// The Redis of a topology with stores of its own, or one of its replicas.
    Redis(&'a Redis),
    /// The Postgres of a topology with stores of its own.
    Postgres(&'a Postgres),
    /// One of the services.
    Service(&'a ServiceProcess),
    /// The `HAProxy`.
    FrontDoor(&'a FrontDoor),
}

impl<'a> Member<'a> {
    /// Its process.
    #[must_use]
    pub fn process(self) -> &'a Process {
        match self {
            Self::Redis(redis) => redis.process(),
            Self::Postgres(postgres) => postgres.process(),
            Self::Service(service) => service.process(),
            Self::FrontDoor(front_door) => front_door.process(),
        }
    }

    /// Whether it is ready right now; else what is wrong.
    pub async fn probe(self) -> Result<(), String> {
        match self {
            Self::Redis(redis) => redis.probe().await,
            Self::Postgres(postgres) => postgres.probe().await,
            Self::Service(service) => service.probe().await,
            Self::FrontDoor(front_door) => front_door.probe().await,
        }
    }

    /// Waits until it is ready, for use after a start.
    ///
    /// # Errors
    /// [`TestbedError::NotReady`] or [`TestbedError::EndedEarly`].
    pub async fn wait_ready(self) -> Result<()> {
        match self {
            Self::Redis(redis) => redis.wait_ready().await,
            Self::Postgres(postgres) => postgres.wait_ready().await,
            Self::Service(service) => service.wait_ready().await,
            Self::FrontDoor(front_door) => front_door.wait_ready().await,
        }
    }
}

impl Topology {
    /// One of each service on a fresh [`Tenant`] of the shared stores, to be changed as needed.
    pub fn builder() -> TopologyBuilder {
        TopologyBuilder::default()
    }

    /// The front door's address, `http://127.0.0.1:PORT`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        self.front_door.url()
    }

    /// The API token whose hash the services were given.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Its share of the stores, for assertions by SQL and `redis-cli`.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.backing.tenant
    }

    /// Its stores, when it has its own.
    #[must_use]
    pub fn stores(&self) -> Option<&Stores> {
        self.backing.stores.as_ref()
    }

    /// Its front door.
    #[must_use]
    pub fn front_door(&self) -> &FrontDoor {
        &self.front_door
    }

    /// The folder with its logs and generated files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything that it started, in the order of starting.
    #[must_use]
    pub fn members(&self) -> Vec<Member<'_>> {
        let stores = self.backing.stores.iter().flat_map(|stores| {
            let redis = [Member::Redis(stores.redis()), Member::Postgres(stores.postgres())];
            redis.into_iter().chain(stores.replicas().iter().map(Member::Redis))
        });
        stores.chain(self.services.iter().map(Member::Service)).chain([Member::FrontDoor(&self.front_door)]).collect()
    }

    /// The processes of its members.
    #[must_use]
    pub fn processes(&self) -> Vec<&Process> {
        self.members().into_iter().map(Member::process).collect()
    }

    /// The member of this name: `ingest-1`, `worker-2`, `haproxy`, and with stores of its own `redis`, `redis-replica-1` and
    /// `postgres`.
    ///
    /// # Errors
    /// [`TestbedError::NoSuchProcess`], with the names that exist.
    pub fn member(&self, name: &str) -> Result<Member<'_>> {
        let members = self.members();
        members.iter().find(|member| member.process().name() == name).copied().ok_or_else(|| {
            let known = members.iter().map(|member| member.process().name().to_owned()).collect();
            TestbedError::NoSuchProcess { name: name.to_owned(), known }
        })
    }

    /// The process of this name, as in [`Topology::member`].
    ///
    /// # Errors
    /// [`TestbedError::NoSuchProcess`], with the names that exist.
    pub fn process(&self, name: &str) -> Result<&Process> {
        self.member(name).map(Member::process)
    }

    /// Waits until the process of this name is ready, for use after a start or restart. One that is behind the front door
    /// counts as ready when the front door, if it runs, sends it requests.
    ///
    /// # Errors
    /// [`TestbedError::NoSuchProcess`], [`TestbedError::NotReady`], [`TestbedError::EndedEarly`] or
    /// [`TestbedError::TimedOut`].
    pub async fn wait_ready(&self, name: &str) -> Result<()> {
        let member = self.member(name)?;
        member.wait_ready().await?;
        if let Member::Service(service) = member
            && matches!(service.service(), Service::Ingest | Service::Api)
            && self.front_door.process().is_running()
        {
            self.front_door.wait_until_server_is(name, true, CHECK_DEADLINE).await?;
        }
        Ok(())
    }

    /// All processes of one service.
    pub fn services(&self, service: Service) -> impl Iterator<Item = &ServiceProcess> {
        self.services.iter().filter(move |process| process.service() == service)
    }

    /// The address of one service's own HTTP server, past the front door.
    ///
    /// # Errors
    /// [`TestbedError::NoSuchProcess`], with the names of the services.
    pub fn service_url(&self, name: &str) -> Result<String> {
        self.services.iter().find(|service| service.process().name() == name).map(ServiceProcess::url).ok_or_else(
            || {
                let known = self.services.iter().map(|service| service.process().name().to_owned()).collect();
                TestbedError::NoSuchProcess { name: name.to_owned(), known }
            },
        )
    }

    /// Each service's own address, by its name.
    #[must_use]
    pub fn service_urls(&self) -> Vec<(String, String)> {
        self.services.iter().map(|service| (service.process().name().to_owned(), service.url())).collect()
    }

    /// Stops everything in the reverse order of starting: the front door, the services, then the stores that are its own.
    /// A process that was stopped before is no error.
    ///
    /// # Errors
    /// When a signal can't be sent.
    pub async fn stop(&self) -> Result<()> {
        self.front_door.process().stop_if_running().await?;
        // All services at once: each waits for its drain delay.
        let stops = self.services.iter().map(|service| service.process().stop_if_running());
        futures_util::future::try_join_all(stops).await?;
        if let Some(stores) = self.backing.stores.as_ref() {
            stores.stop().await?;
        }
        Ok(())
    }

    /// The ends of all logs.
    #[must_use]
    pub fn log_tails(&self, lines: usize) -> String {
        let mut text = String::new();
        for process in self.processes() {
            let _ = writeln!(text, "--- {} ---\n{}", process.name(), process.log_tail(lines));
        }
        text
    }
}

impl Drop for Topology {
    fn drop(&mut self) {
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "a failing test shows what its services said; the logs go away")]
            {
                eprintln!("{}", self.log_tails(TAIL_ON_PANIC));
            }
        }
    }
}
