//! The front door: `HAProxy` with a generated configuration.

mod config;

use std::fs;
use std::path::Path;
use std::time::Duration;

pub use self::config::Server;
use super::Place;
use crate::process::Spec;
use crate::{Port, Process, Result, TestbedError, http, poll, programs};

/// How long it may take until it serves.
const READY_DEADLINE: Duration = Duration::from_secs(10);
/// How long it may take to stop. It drops what is open on `SIGTERM`, so it takes no time.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// The `HAProxy` in front of ingest and api.
#[derive(Debug)]
pub struct FrontDoor {
    process: Process,
    port: Port,
    statistics: Port,
}

impl FrontDoor {
    /// Starts it on `port` with its configuration in `folder`, and waits until it finds a healthy server for each backend
    /// that has servers. `folder` takes its configuration and its log.
    ///
    /// # Errors
    /// When `haproxy` is missing, does not start, or finds no healthy server.
    pub async fn start(folder: &Path, port: Port, ingest: &[Server], api: &[Server]) -> Result<Self> {
        let front_door = Self::launch(folder, port, ingest, api, "", &Place::default()).await?;
        front_door.wait_ready().await?;
        Ok(front_door)
    }

    /// As [`FrontDoor::start`], with more configuration, and without waiting for healthy servers.
    pub(crate) async fn launch(
        folder: &Path,
        port: Port,
        ingest: &[Server],
        api: &[Server],
        more: &str,
        place: &Place,
    ) -> Result<Self> {
        let statistics = Port::free()?;
        let text = config::render(&place.host, port.number(), statistics.number(), ingest, api) + more;
        let file = folder.join("haproxy.cfg");
        fs::create_dir_all(folder).map_err(TestbedError::file("create", folder))?;
        fs::write(&file, text).map_err(TestbedError::file("write", &file))?;
        // `-db`: stay in the foreground; `-W`: with a master that can replace its worker.
        let flags: &[&str] = if more.is_empty() { &["-db"] } else { &["-W", "-db"] };
        let program = programs::system("haproxy", "haproxy")?;
        let mut spec = Spec::new("haproxy", program, &folder.join("logs"));
        spec = spec.args(flags).args(["-f".as_ref(), file.as_os_str()]);
        spec.stop_deadline = STOP_DEADLINE;
        spec.group = place.group;
        let front_door = Self { process: Process::new(spec), port, statistics };
        front_door.process.start().await?;
        Ok(front_door)
    }

    /// Its process, to stop, kill, pause and restart.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The ports on 127.0.0.1 that are its own.
    pub(crate) fn ports(&self) -> [u16; 2] {
        [self.port.number(), self.statistics.number()]
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// Whether it has a healthy server for each backend right now; else which servers it finds down.
    pub async fn probe(&self) -> Result<(), String> {
        let servers = self.servers().await.map_err(|error| error.to_string())?;
        for backend in config::BACKENDS {
            let mut of_backend = servers.iter().filter(|server| server.backend == backend).peekable();
            if of_backend.peek().is_some() && !of_backend.any(|server| server.is_up) {
                return Err(format!("no healthy server for {backend}: {servers:?}"));
            }
        }
        Ok(())
    }

    /// Waits until it serves, for use after a start.
    ///
    /// # Errors
    /// [`TestbedError::NotReady`] or [`TestbedError::EndedEarly`].
    pub async fn wait_ready(&self) -> Result<()> {
        self.process.await_ready(READY_DEADLINE, "healthy servers", async || self.probe().await).await
    }

    /// How it sees the services right now.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn servers(&self) -> Result<Vec<ServerState>> {
        let page = http::text(&format!("http://127.0.0.1:{}/;csv", self.statistics.number())).await?;
        Ok(ServerState::parse_all(&page))
    }

    /// Waits until it sees this service up or down.
    ///
    /// # Errors
    /// [`TestbedError::TimedOut`].
    pub async fn wait_until_server_is(&self, name: &str, up: bool, deadline: Duration) -> Result<()> {
        let what = format!("HAProxy to see {name} {}", if up { "up" } else { "down" });
        poll::until(what, deadline, async || {
            let servers = self.servers().await.map_err(|error| error.to_string())?;
            let is_so = servers.iter().any(|server| server.name == name && server.is_up == up);
            if is_so { Ok(()) } else { Err(format!("{servers:?}")) }
        })
        .await?;
        Ok(())
    }
}

/// How the front door sees one service process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerState {
    /// `ingest` or `api`.
    pub backend: String,
    /// The process' name.
    pub name: String,
    /// Whether requests go there.
    pub is_up: bool,
}

impl ServerState {
    /// Reads the CSV of the statistics page: columns 0, 1 and 17 are proxy, server and status (`HAProxy` management guide,
    /// 9.1). Lines for whole proxies are left out.
    fn parse_all(page: &str) -> Vec<Self> {
        let rows = page.lines().map(|line| line.split(',').collect::<Vec<_>>());
        rows.filter_map(|columns| {
            let (backend, name, status) = (*columns.first()?, *columns.get(1)?, *columns.get(17)?);
            let is_server = config::BACKENDS.contains(&backend) && name != "BACKEND";
            // `UP 1/2` is a server on its way down that still gets requests.
            let server = Self { backend: backend.to_owned(), name: name.to_owned(), is_up: status.starts_with("UP") };
            is_server.then_some(server)
        })
        .collect()
    }
}
