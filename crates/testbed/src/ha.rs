//! A Tocsin that survives the loss of any one of its parts, as plain processes: three etcd, three Postgres under Patroni with
//! synchronous replication, three Redis with three Sentinels, two of each service, and the front door, which also leads to
//! whichever Postgres leads.
//!
//! A *node* is what is lost together: one etcd, one Redis, one Sentinel, a Postgres with its Patroni, one service, the front
//! door. Each can be cut off the network. As root each store has a network namespace of its own on one bridge; the services and
//! the front door stay outside, where tests have their doubles, and a packet filter cuts them off. Without root each store has an
//! address of its own on the loopback interface, and relays of ours stand before each process.
//!
//! What each setting is for, and what was measured: `docs/ha.md`, `docs/adr/0023-ha-as-processes.md`.

mod builder;
mod etcd;
mod network;
mod node;
mod patroni;
mod postgres_ways;
mod redis;
mod sentinel;
mod slot;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use nix::sys::signal::Signal;

pub use self::builder::HaBuilder;
use self::network::{Member, Network};
use self::node::{Kind, Node};
use self::postgres_ways::PostgresWays;
use crate::topology::{Folder, FrontDoor, ServiceProcess};
use crate::{KeySpace, Process, Result, Tenant, TestbedError};

/// How Sentinels call the primary.
pub(crate) const MASTER: &str = "tocsin";
/// Lines of each log that a failed test shows.
const TAIL_ON_PANIC: usize = 15;

/// A running Tocsin of this kind. Dropping it kills everything that it started; [`Ha::stop`] stops it in order.
#[derive(Debug)]
pub struct Ha {
    // The order of the fields is the order in which a drop ends things: from the front door to the network.
    front_door: FrontDoor,
    services: Vec<ServiceProcess>,
    nodes: Vec<Node>,
    ways: PostgresWays,
    tenant: Tenant,
    network: Network,
    token: String,
    folder: Folder,
    paused: Mutex<BTreeSet<String>>,
    cut_off: Mutex<BTreeSet<String>>,
}

/// How one node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeState {
    /// Its name, such as `postgres-2`.
    pub name: String,
    /// `primary`, `sync standby`, `replica` or `leader` for stores that have such roles and answer.
    pub role: Option<&'static str>,
    /// Its process id while it runs.
    pub pid: Option<u32>,
    /// Whether it is paused.
    pub is_paused: bool,
    /// Whether it is cut off the network.
    pub is_cut_off: bool,
    /// Whether it answers that it is ready.
    pub is_ready: bool,
}

impl Ha {
    /// Two of each service and the built-in default configuration, to be changed as needed.
    pub fn builder() -> HaBuilder {
        HaBuilder::default()
    }

    /// As [`HaBuilder::start`].
    ///
    /// # Errors
    /// As [`HaBuilder::start`].
    pub async fn start(builder: HaBuilder) -> Result<Self> {
        builder.start().await
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

    /// The folder with its data, logs and generated files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The front door.
    #[must_use]
    pub fn front_door(&self) -> &FrontDoor {
        &self.front_door
    }

    /// The database through the front door, for assertions by SQL. Its Redis is the one that led at the start.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The address of the database on whichever Postgres leads, for the administrator.
    #[must_use]
    pub fn database_url(&self) -> String {
        self.ways.write_url()
    }

    /// Its share of the Redis that leads now.
    ///
    /// # Errors
    /// As [`Ha::redis_primary`].
    pub async fn keys(&self) -> Result<KeySpace> {
        let primary = self.redis_primary().await?;
        Ok(KeySpace::at(format!("redis://{}:{}", self.node(&primary)?.address, redis::PORT), builder::PREFIX))
    }

    /// The names of all nodes.
    #[must_use]
    pub fn nodes(&self) -> Vec<String> {
        self.processes().into_iter().map(|process| process.name().to_owned()).collect()
    }

    /// The processes of all nodes, in the order of starting.
    #[must_use]
    pub fn processes(&self) -> Vec<&Process> {
        let services = self.services.iter().map(|service| &service.process);
        let stores = self.nodes.iter().map(|node| &node.process);
        stores.chain([self.front_door.process()]).chain(services).collect()
    }

    /// The process of a node.
    ///
    /// # Errors
    /// [`TestbedError::NoSuchProcess`], with the names that exist.
    pub fn process(&self, name: &str) -> Result<&Process> {
        self.processes().into_iter().find(|process| process.name() == name).ok_or_else(|| self.no_such(name))
    }

    /// Each service's own address, for `/health`, `/ready` and `/metrics`, by its name.
    #[must_use]
    pub fn service_urls(&self) -> Vec<(String, String)> {
        self.services.iter().map(|service| (service.process.name().to_owned(), service.url())).collect()
    }

    /// The node whose Postgres leads.
    ///
    /// # Errors
    /// [`TestbedError::NoneLeads`].
    pub async fn postgres_primary(&self) -> Result<String> {
        self.postgres_that_is("primary").await
    }

    /// The node whose Postgres must have a commit before it is one.
    ///
    /// # Errors
    /// [`TestbedError::NoneLeads`].
    pub async fn postgres_sync_standby(&self) -> Result<String> {
        self.postgres_that_is("sync").await
    }

    /// The node whose Redis leads, as most Sentinels say.
    ///
    /// # Errors
    /// [`TestbedError::NoneLeads`].
    pub async fn redis_primary(&self) -> Result<String> {
        let address = sentinel::primary_of(&self.nodes).await;
        let found = self.nodes.iter().find(|node| node.kind == Kind::Redis && Some(&node.address) == address.as_ref());
        found.map(|node| node.name.clone()).ok_or(TestbedError::NoneLeads { of: "Redis" })
    }

    /// The etcd that leads.
    ///
    /// # Errors
    /// [`TestbedError::NoneLeads`].
    pub async fn etcd_leader(&self) -> Result<String> {
        let members = self.nodes.iter().filter(|node| node.kind == Kind::Etcd);
        let asked = join_all(members.map(async |node| (node, etcd::leads(&node.address).await))).await;
        let leader = asked.into_iter().find(|(_, leads)| *leads);
        leader.map(|(node, _)| node.name.clone()).ok_or(TestbedError::NoneLeads { of: "etcd" })
    }

    /// `kill -9` for everything that the node is.
    ///
    /// # Errors
    /// [`TestbedError::NoSuchProcess`], [`TestbedError::NotRunning`].
    pub async fn kill(&self, name: &str) -> Result<()> {
        self.process(name)?.kill().await?;
        self.paused().remove(name);
        Ok(())
    }

    /// `kill -9` for the Postgres server of a node; its Patroni goes on.
    ///
    /// # Errors
    /// [`TestbedError::NoSuchProcess`], or there is no server that runs.
    pub async fn kill_postmaster(&self, name: &str) -> Result<()> {
        let node = self.node(name)?;
        patroni::kill_postmaster(&node.folder, name).await
    }

    /// Stops a node politely.
    ///
    /// # Errors
    /// [`TestbedError::NoSuchProcess`], [`TestbedError::NotRunning`].
    pub async fn stop_node(&self, name: &str) -> Result<()> {
        self.process(name)?.stop().await?;
        self.paused().remove(name);
        Ok(())
    }

    /// Starts a node that was stopped or killed, and waits until it is ready: a store follows whoever leads by then.
    ///
    /// # Errors
    /// [`TestbedError::NoSuchProcess`], [`TestbedError::AlreadyRunning`], [`TestbedError::NotReady`].
    pub async fn start_node(&self, name: &str) -> Result<()> {
        self.launch(name).await?;
        self.wait_ready(name).await
    }

    /// As [`Ha::start_node`], without waiting until it is ready.
    ///
    /// # Errors
    /// [`TestbedError::NoSuchProcess`], [`TestbedError::AlreadyRunning`].
    pub async fn launch(&self, name: &str) -> Result<()> {
        if let Ok(node) = self.node(name) {
            match node.kind {
                Kind::Redis => redis::prepare(node, &self.nodes).await?,
                Kind::Postgres => patroni::remove_leftovers(&node.folder).await?,
                Kind::Etcd | Kind::Sentinel => {}
            }
        }
        self.process(name)?.start().await
    }

    /// Waits until a node is ready.
    ///
    /// # Errors
    /// [`TestbedError::NotReady`] or [`TestbedError::EndedEarly`].
    pub async fn wait_ready(&self, name: &str) -> Result<()> {
        if let Ok(node) = self.node(name) {
            return node.wait_ready().await;
        }
        match self.services.iter().find(|service| service.process.name() == name) {
            Some(service) => service.wait_ready().await,
            None => self.front_door.wait_ready().await,
        }
    }

    /// Stops a node politely and starts it again.
    ///
    /// # Errors
    /// As [`Ha::stop_node`] and [`Ha::start_node`].
    pub async fn restart(&self, name: &str) -> Result<()> {
        self.process(name)?.stop_if_running().await?;
        self.start_node(name).await
    }

    /// Stops everything that the node is in its tracks: it keeps its connections and answers none of them.
    ///
    /// # Errors
    /// [`TestbedError::NoSuchProcess`], [`TestbedError::NotRunning`].
    pub async fn pause(&self, name: &str) -> Result<()> {
        self.process(name)?.pause().await?;
        self.paused().insert(name.to_owned());
        Ok(())
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// [`TestbedError::NoSuchProcess`], [`TestbedError::NotRunning`].
    pub async fn resume(&self, name: &str) -> Result<()> {
        self.process(name)?.resume().await?;
        self.paused().remove(name);
        Ok(())
    }

    /// Whether stores have networks of their own here, which can be slow, too.
    #[must_use]
    pub fn has_networks(&self) -> bool {
        self.network.is_real()
    }

    /// Cuts a node off the network: nothing reaches it, and nothing comes from it. Connections stay, and nothing comes through
    /// them.
    ///
    /// # Errors
    /// [`TestbedError::NoSuchProcess`], or [`TestbedError::NoNetwork`] where the kernel does not let us.
    pub async fn cut_off(&self, name: &str) -> Result<()> {
        self.network.cut_off(&self.member(name)?).await?;
        self.cut_off_nodes().insert(name.to_owned());
        Ok(())
    }

    /// Cuts a store off all other stores, and leaves it to the services and the front door: a partition with clients on its
    /// side.
    ///
    /// # Errors
    /// As [`Ha::cut_off`], and for what is no store.
    pub async fn cut_off_from_stores(&self, name: &str) -> Result<()> {
        let store = self.store(name)?;
        self.network.cut_off_from_stores(&store).await?;
        self.cut_off_nodes().insert(name.to_owned());
        Ok(())
    }

    /// Ends what [`Ha::cut_off`] or [`Ha::cut_off_from_stores`] began.
    ///
    /// # Errors
    /// As [`Ha::cut_off`].
    pub async fn heal(&self, name: &str) -> Result<()> {
        self.network.heal(&self.member(name)?).await?;
        self.cut_off_nodes().remove(name);
        Ok(())
    }

    /// Delays what a store sends, and loses a part of what it receives (0.01 is one in a hundred). Delays need the kernel's
    /// `netem`; losses do not.
    ///
    /// # Errors
    /// As [`Ha::cut_off`], for what is no store, or the kernel has no `netem`.
    pub async fn slow_network(&self, name: &str, delay: Duration, loss: f64) -> Result<()> {
        self.network.slow(&self.store(name)?, delay, loss).await
    }

    /// Ends what [`Ha::slow_network`] began.
    ///
    /// # Errors
    /// As [`Ha::slow_network`].
    pub async fn normal_network(&self, name: &str) -> Result<()> {
        self.network.normal(&self.store(name)?).await
    }

    /// The file of the network namespace of a Redis or Postgres, and where it listens there: for what is to be put in its way by
    /// [`Ha::redirect`].
    ///
    /// # Errors
    /// [`TestbedError::NoNetwork`] for what has no network of its own.
    pub fn network_of(&self, name: &str) -> Result<(PathBuf, SocketAddr)> {
        let why = "only a Redis or Postgres has a network of its own with a port for services, where root may make one";
        let no_network = || TestbedError::NoNetwork { name: name.to_owned(), why };
        self.process(name)?;
        let node = self.node(name).map_err(|_| no_network())?;
        let namespace = self.network.namespace(name).ok_or_else(no_network)?;
        let port = node.kind.port().ok_or_else(no_network)?;
        let address = node.address.parse().map_err(|_| no_network())?;
        Ok((namespace, SocketAddr::new(address, port)))
    }

    /// Leads all connections to a Redis or Postgres that are opened from now on to another port in its namespace.
    ///
    /// # Errors
    /// As [`Ha::network_of`], or the kernel does not do that.
    pub async fn redirect(&self, name: &str, port: u16) -> Result<()> {
        let (_, address) = self.network_of(name)?;
        self.network.redirect(&self.store(name)?, address.port(), port).await
    }

    /// Has the front door read its configuration again: new processes take over, and old ones finish what they have.
    ///
    /// # Errors
    /// [`TestbedError::NotRunning`], or the signal can't be sent.
    pub async fn reload_haproxy(&self) -> Result<()> {
        self.front_door.process().signal(Signal::SIGUSR2).await
    }

    /// How each node is, right now.
    pub async fn state(&self) -> Vec<NodeState> {
        let (primary, sync, redis, etcd) = tokio::join!(
            self.postgres_primary(),
            self.postgres_sync_standby(),
            self.redis_primary(),
            self.etcd_leader()
        );
        let of_stores = join_all(self.nodes.iter().map(async |node| {
            let is_ready = node.process.is_running() && node.probe().await.is_ok();
            let is = |who: &Result<String>| who.as_ref().is_ok_and(|who| *who == node.name);
            let role = match node.kind {
                Kind::Postgres if is(&primary) => Some("primary"),
                Kind::Postgres if is(&sync) => Some("sync standby"),
                Kind::Redis if is(&redis) => Some("primary"),
                Kind::Etcd if is(&etcd) => Some("leader"),
                Kind::Postgres | Kind::Redis if is_ready => Some("replica"),
                _ => None,
            };
            (&node.process, role, is_ready)
        }))
        .await;
        let front_door = self.front_door.process();
        let front_door = (front_door, None, front_door.is_running() && self.front_door.probe().await.is_ok());
        let of_services = join_all(self.services.iter().map(async |service| {
            let is_ready = service.process.is_running() && service.probe().await.is_ok();
            (&service.process, None, is_ready)
        }))
        .await;
        let (paused, cut_off) = (self.paused().clone(), self.cut_off_nodes().clone());
        let state = |(process, role, is_ready): (&Process, Option<&'static str>, bool)| NodeState {
            name: process.name().to_owned(),
            role,
            pid: process.pid(),
            is_paused: process.is_running() && paused.contains(process.name()),
            is_cut_off: cut_off.contains(process.name()),
            is_ready,
        };
        of_stores.into_iter().chain([front_door]).chain(of_services).map(state).collect()
    }

    /// Stops everything in the reverse order of starting. A node that was stopped before is no error.
    ///
    /// # Errors
    /// When a signal can't be sent.
    pub async fn stop(&self) -> Result<()> {
        let cut_off: Vec<String> = self.cut_off_nodes().iter().cloned().collect();
        for name in cut_off {
            self.heal(&name).await?;
        }
        self.front_door.process().stop_if_running().await?;
        try_join_all(self.services.iter().map(|service| service.process.stop_if_running())).await?;
        // Who watches goes before who is watched, and who leads follows last.
        for kind in [Kind::Sentinel, Kind::Redis, Kind::Postgres, Kind::Etcd] {
            let nodes = self.nodes.iter().filter(|node| node.kind == kind);
            try_join_all(nodes.map(|node| node.process.stop_if_running())).await?;
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

    async fn postgres_that_is(&self, role: &'static str) -> Result<String> {
        let members = self.nodes.iter().filter(|node| node.kind == Kind::Postgres);
        let asked = join_all(members.map(async |node| (node, patroni::is(&node.address, role).await))).await;
        let found = asked.into_iter().find(|(_, is)| *is);
        found.map(|(node, _)| node.name.clone()).ok_or(TestbedError::NoneLeads { of: "Postgres" })
    }

    fn node(&self, name: &str) -> Result<&Node> {
        self.nodes.iter().find(|node| node.name == name).ok_or_else(|| self.no_such(name))
    }

    /// What the network must know of a node.
    fn member(&self, name: &str) -> Result<Member> {
        let process = self.process(name)?;
        let service = self.services.iter().find(|service| service.process.name() == name);
        let ports = match service {
            Some(service) => vec![service.port.number()],
            None if name == self.front_door.process().name() => [self.front_door.ports(), self.ways.ports()].concat(),
            None => Vec::new(),
        };
        Ok(Member {
            name: name.to_owned(),
            is_store: self.node(name).is_ok(),
            pid: process.pid(),
            group: process.group(),
            ports,
        })
    }

    fn store(&self, name: &str) -> Result<Member> {
        let member = self.member(name)?;
        let why = "it is no store, and has no network of its own";
        if member.is_store { Ok(member) } else { Err(TestbedError::NoNetwork { name: member.name, why }) }
    }

    fn no_such(&self, name: &str) -> TestbedError {
        TestbedError::NoSuchProcess { name: name.to_owned(), known: self.nodes() }
    }

    fn paused(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut_off_nodes(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.cut_off.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ha {
    fn drop(&mut self) {
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "a failing test shows what its nodes said; the logs go away")]
            {
                eprintln!("{}", self.log_tails(TAIL_ON_PANIC));
            }
        }
    }
}
