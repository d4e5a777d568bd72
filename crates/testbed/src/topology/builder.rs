//! How a topology is put together.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use rand::Rng;
use sha2::{Digest, Sha256};

use super::front_door::{FrontDoor, Server};
use super::service::{Service, ServiceProcess};
use super::{Backing, Folder, Place, Topology};
use crate::process::Spec;
use crate::stores::migrate;
use crate::tenant::{Database, KeySpace};
use crate::{Port, Process, Result, SharedStores, Stores, Tenant, TestbedError, programs};

/// Where notifications go when no Slack webhook was given: the discard port, where nobody listens.
const NO_SLACK: &str = "http://127.0.0.1:9/slack";

/// What the keys begin with in a Redis that a topology has for itself.
const OWN_PREFIX: &str = "tocsin";

/// Puts a [`Topology`] together. Without any call: one of each service, the built-in default configuration, a fresh
/// tenant of the shared stores, a free port, a random API token.
#[derive(Debug)]
#[must_use]
pub struct TopologyBuilder {
    counts: BTreeMap<Service, usize>,
    config: Config,
    env: Vec<(Option<Service>, OsString, OsString)>,
    env_of_processes: Vec<(String, OsString, OsString)>,
    inherits_env: bool,
    wanted: Wanted,
    port: Option<u16>,
    folder: Option<PathBuf>,
    token: Option<String>,
    slack_webhook_url: Option<String>,
    /// Folders with binaries, for all processes or for one.
    binaries: Vec<(Option<String>, PathBuf)>,
}

#[derive(Debug)]
enum Config {
    BuiltIn,
    File(PathBuf),
    Text(String),
}

#[derive(Debug)]
enum Wanted {
    FreshTenant,
    Tenant(Tenant),
    OwnStores {
        replicas: usize,
    },
    /// Boxed since it is much larger than the others.
    Stores(Box<Stores>),
}

impl Default for TopologyBuilder {
    fn default() -> Self {
        Self {
            counts: Service::ALL.into_iter().map(|service| (service, 1)).collect(),
            config: Config::BuiltIn,
            env: Vec::new(),
            env_of_processes: Vec::new(),
            inherits_env: false,
            wanted: Wanted::FreshTenant,
            port: None,
            folder: None,
            token: None,
            slack_webhook_url: None,
            binaries: Vec::new(),
        }
    }
}

impl TopologyBuilder {
    /// How many processes of a service to start; none is possible.
    pub fn count(mut self, service: Service, count: usize) -> Self {
        self.counts.insert(service, count);
        self
    }

    /// Use this `tocsin.yaml`.
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config = Config::File(path.into());
        self
    }

    /// Use this text as `tocsin.yaml`.
    pub fn config_text(mut self, yaml: impl Into<String>) -> Self {
        self.config = Config::Text(yaml.into());
        self
    }

    /// Sets a variable for all services.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((None, name.into(), value.into()));
        self
    }

    /// Sets a variable for all processes of one service.
    pub fn env_for(mut self, service: Service, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((Some(service), name.into(), value.into()));
        self
    }

    /// Sets a variable for the one process of this name, such as `worker-1`.
    pub fn env_for_process(
        mut self,
        process: impl Into<String>,
        name: impl Into<OsString>,
        value: impl Into<OsString>,
    ) -> Self {
        self.env_of_processes.push((process.into(), name.into(), value.into()));
        self
    }

    /// Lets the services see our own variables that begin with `TOCSIN_`. Tests keep them away, so that a developer's
    /// shell does not change what they do.
    pub fn inherit_env(mut self) -> Self {
        self.inherits_env = true;
        self
    }

    /// Use this share of stores.
    pub fn tenant(mut self, tenant: Tenant) -> Self {
        self.wanted = Wanted::Tenant(tenant);
        self
    }

    /// Start stores for this topology alone, for tests that break them.
    pub fn own_stores(mut self) -> Self {
        self.wanted = Wanted::OwnStores { replicas: 0 };
        self
    }

    /// Start stores for this topology alone, with so many replicas of the Redis. All of them must have a delivery before
    /// ingest accepts it.
    pub fn redis_replicas(mut self, replicas: usize) -> Self {
        self.wanted = Wanted::OwnStores { replicas };
        self.env_for(Service::Ingest, "TOCSIN_REDIS_REPLICAS", replicas.to_string())
    }

    /// Use these running stores, which the topology then owns.
    pub fn stores(mut self, stores: Stores) -> Self {
        self.wanted = Wanted::Stores(Box::new(stores));
        self
    }

    /// Open the front door on this very port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Keep logs and generated files in this folder instead of a temporary one.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// The API token, whose hash the services get as `TOCSIN_DEMO_TOKEN_SHA256`.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Where Slack messages go, as `TOCSIN_SLACK_WEBHOOK_URL`. Unless given, to an address where nobody listens.
    pub fn slack_webhook_url(mut self, url: impl Into<String>) -> Self {
        self.slack_webhook_url = Some(url.into());
        self
    }

    /// Take the services' binaries from this folder.
    pub fn binaries(mut self, folder: impl Into<PathBuf>) -> Self {
        self.binaries.push((None, folder.into()));
        self
    }

    /// Take the binary of one process, such as `worker-2`, from this folder: another version.
    pub fn binaries_of(mut self, process: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        self.binaries.push((Some(process.into()), folder.into()));
        self
    }

    pub(crate) fn fixed_port(&self) -> Option<u16> {
        self.port
    }

    pub(crate) fn given_token(&self) -> Option<String> {
        self.token.clone()
    }

    /// What to start, with its configuration in `folder` and its front door on `port`; where its stores are is left open.
    pub(crate) fn plan_in(&self, folder: &Path, token: &str, port: u16) -> Result<Vec<Planned>> {
        let config = self.write_config(folder)?;
        self.plan(&Common { folder, token, config: config.as_deref(), port })
    }

    /// Starts everything, in order, and waits until the front door has healthy servers.
    ///
    /// # Errors
    /// When a program or binary is missing, a port is taken, or a process does not become ready. What had been started by
    /// then is killed.
    pub async fn start(self) -> Result<Topology> {
        let folder = self.make_folder()?;
        // The port first: a taken one is the most likely failure and the cheapest to find.
        let port = self.port.map_or_else(Port::free, Port::fixed)?;
        let token = self.token.clone().unwrap_or_else(random_token);
        let plan = self.plan_in(folder.path(), &token, port.number())?;
        let backing = back(self.wanted, folder.path()).await?;
        tracing::info!("starting {} services", plan.len());
        let tenant = &backing.tenant;
        let services = make_services(plan, |service| {
            vec![
                ("TOCSIN_REDIS_URL", tenant.redis_url_for(service)),
                ("TOCSIN_REDIS_PREFIX", tenant.redis_prefix().to_owned()),
                ("TOCSIN_DATABASE_URL", tenant.database_url_for(service)),
            ]
        });
        start_services(&services).await?;
        let front_door = FrontDoor::start(
            folder.path(),
            port,
            &servers(&services, Service::Ingest),
            &servers(&services, Service::Api),
        )
        .await?;
        Ok(Topology { front_door, services, backing, token, folder })
    }

    pub(crate) fn make_folder(&self) -> Result<Folder> {
        if let Some(path) = &self.folder {
            fs::create_dir_all(path).map_err(TestbedError::file("create", path))?;
            return Ok(Folder::Given(path.clone()));
        }
        // In the run's folder, so that it goes away with the run even when this test is killed.
        let parent =
            SharedStores::from_env().map_or_else(|_| std::env::temp_dir(), |stores| stores.folder().to_owned());
        let mut prefix = tempfile::Builder::new();
        let folder = prefix.prefix("topology-").permissions(open_to_postgres()).tempdir_in(&parent);
        folder.map(Folder::Temporary).map_err(TestbedError::file("create a folder in", parent))
    }

    fn write_config(&self, folder: &Path) -> Result<Option<PathBuf>> {
        match &self.config {
            Config::BuiltIn => Ok(None),
            Config::File(path) => Ok(Some(path.clone())),
            Config::Text(yaml) => {
                let path = folder.join("tocsin.yaml");
                fs::write(&path, yaml).map_err(TestbedError::file("write", &path))?;
                Ok(Some(path))
            }
        }
    }

    /// One specification and port for each service process.
    fn plan(&self, common: &Common<'_>) -> Result<Vec<Planned>> {
        let mut plan = Vec::new();
        for service in Service::ALL {
            for number in 1..=self.counts.get(&service).copied().unwrap_or(0) {
                let port = Port::free()?;
                let name = format!("{service}-{number}");
                let program = self.program(service, &name)?;
                let mut spec = Spec::new(name, program, &common.folder.join("logs"));
                spec.scrub_env = !self.inherits_env;
                spec.env = self.service_env(service, &spec.name, &port, common);
                plan.push(Planned { service, spec, port });
            }
        }
        Ok(plan)
    }

    fn program(&self, service: Service, process: &str) -> Result<PathBuf> {
        let is_for = |only: &Option<String>| only.as_ref().is_none_or(|only| only == process);
        let Some((_, folder)) = self.binaries.iter().rev().find(|(only, _)| is_for(only)) else {
            return programs::service(service);
        };
        let (name, program) = (service.binary(), folder.join(service.binary()));
        let missing = || TestbedError::ServiceNotBuilt { name, folder: folder.clone() };
        program.is_file().then_some(program).ok_or_else(missing)
    }

    fn service_env(&self, service: Service, name: &str, port: &Port, common: &Common<'_>) -> Vec<(OsString, OsString)> {
        let slack = self.slack_webhook_url.as_deref().unwrap_or(NO_SLACK);
        let mut env: Vec<(OsString, OsString)> = vec![
            ("TOCSIN_LISTEN".into(), format!("127.0.0.1:{}", port.number()).into()),
            ("TOCSIN_INSTANCE".into(), name.into()),
            ("TOCSIN_PUBLIC_URL".into(), format!("http://127.0.0.1:{}", common.port).into()),
            ("TOCSIN_DEMO_TOKEN_SHA256".into(), hex::encode(Sha256::digest(common.token)).into()),
            // The same after a restart, as the token is: who is signed in stays so.
            (
                "TOCSIN_SESSION_SECRET".into(),
                hex::encode(Sha256::digest(format!("session secret of {}", common.token))).into(),
            ),
            ("TOCSIN_SLACK_WEBHOOK_URL".into(), slack.into()),
        ];
        if matches!(service, Service::Ingest | Service::Api) {
            // The front door, which names the client's address.
            env.push(("TOCSIN_TRUSTED_PROXIES".into(), "127.0.0.0/8".into()));
        }
        env.extend(common.config.map(|path| ("TOCSIN_CONFIG".into(), path.into())));
        let extra = self.env.iter().filter(|(only, ..)| only.is_none_or(|only| only == service));
        env.extend(extra.map(|(_, name, value)| (name.clone(), value.clone())));
        let of_process = self.env_of_processes.iter().filter(|(process, ..)| process == name);
        env.extend(of_process.map(|(_, name, value)| (name.clone(), value.clone())));
        env
    }
}

/// A service process that is to be started.
#[derive(Debug)]
pub(crate) struct Planned {
    service: Service,
    spec: Spec,
    port: Port,
}

impl Planned {
    pub(crate) fn service(&self) -> Service {
        self.service
    }

    /// Has it run there.
    pub(crate) fn at(mut self, place: &Place) -> Self {
        self.spec.group = place.group;
        self.spec = self.spec.env("TOCSIN_LISTEN", format!("{}:{}", place.host, self.port.number()));
        self
    }

    /// What the front door needs to know of it.
    pub(crate) fn server(&self) -> Server {
        Server { name: self.spec.name.clone(), port: self.port.number() }
    }
}

/// What all services of one topology share.
struct Common<'a> {
    folder: &'a Path,
    token: &'a str,
    config: Option<&'a Path>,
    port: u16,
}

async fn back(wanted: Wanted, folder: &Path) -> Result<Backing> {
    let stores = match wanted {
        Wanted::FreshTenant => return Ok(Backing { tenant: Tenant::shared().await?, stores: None }),
        Wanted::Tenant(tenant) => return Ok(Backing { tenant, stores: None }),
        Wanted::OwnStores { replicas } => Stores::start_with_replicas(folder, replicas).await?,
        Wanted::Stores(stores) => *stores,
    };
    migrate(&stores.postgres().url()).await?;
    let keys = KeySpace::at(stores.redis().url(), OWN_PREFIX);
    let tenant = Tenant::new(keys, Database::at(stores.postgres().url()));
    Ok(Backing { tenant, stores: Some(stores) })
}

/// Gives them what says where their stores are.
pub(crate) fn make_services(
    plan: Vec<Planned>,
    stores: impl Fn(Service) -> Vec<(&'static str, String)>,
) -> Vec<ServiceProcess> {
    let make = |Planned { service, spec, port }| {
        let spec: Spec = stores(service).into_iter().fold(spec, |spec, (name, value)| spec.env(name, value));
        ServiceProcess { service, process: Process::new(spec), port }
    };
    plan.into_iter().map(make).collect()
}

/// Starts them, and waits until they are ready.
pub(crate) async fn start_services(services: &[ServiceProcess]) -> Result<()> {
    for service in services {
        service.process.start().await?;
    }
    futures_util::future::try_join_all(services.iter().map(ServiceProcess::wait_ready)).await.map(drop)
}

fn servers(services: &[ServiceProcess], service: Service) -> Vec<Server> {
    let of_service = services.iter().filter(|process| process.service == service);
    of_service.map(|process| Server { name: process.process.name().to_owned(), port: process.port.number() }).collect()
}

/// An API token nobody can guess.
pub(crate) fn random_token() -> String {
    format!("tocsin_{}", hex::encode(rand::rng().random::<[u8; 24]>()))
}

/// The account that Postgres runs as must be able to pass through the folder to its data.
pub(crate) fn open_to_postgres() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o711)
}
