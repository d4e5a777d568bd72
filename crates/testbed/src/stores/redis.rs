//! A private Redis.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::process::Spec;
use crate::{Port, Process, Result, TestbedError, poll, programs};

/// How long a Redis may take until it answers. Loading a large append-only file is what takes time.
const READY_DEADLINE: Duration = Duration::from_secs(20);
/// How long it may take to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(10);
/// How long one probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);

/// The users of the services, as they are shipped: without passwords, so that nobody can log in.
const USERS: &str = include_str!("../../../bus/users.acl");
/// The password of every user in a private Redis, which takes any.
const PASSWORD: &str = "any";

/// A private `redis-server`.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    port: Port,
}

impl Redis {
    /// Starts it with its data in `folder` and waits until it answers.
    ///
    /// # Errors
    /// When `redis-server` is missing, does not start or does not become ready.
    pub async fn start(folder: &Path, logs: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(TestbedError::file("create", folder))?;
        let users = folder.join("users.acl");
        fs::write(&users, open_users()).map_err(TestbedError::file("write", &users))?;
        let port = Port::free()?;
        let number = port.number().to_string();
        // Without a file name as its first argument Redis reads no configuration file.
        let mut spec = Spec::new("redis", programs::system("redis-server", "redis-server")?, logs)
            .args(["--port", number.as_str(), "--bind", "127.0.0.1", "--daemonize", "no", "--logfile", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""])
            .args(["--maxmemory-policy", "noeviction"])
            .args(["--aclfile".as_ref(), users.as_os_str()])
            .args(["--dir".as_ref(), folder.as_os_str()]);
        spec.stop_deadline = STOP_DEADLINE;
        let redis = Self { process: Process::new(spec), port };
        redis.process.start().await?;
        redis.wait_ready().await?;
        Ok(redis)
    }

    /// Its process, to stop, kill, pause and restart.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// `redis://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port.number())
    }

    /// Waits until it answers, for use after a restart.
    ///
    /// # Errors
    /// [`TestbedError::NotReady`] or [`TestbedError::EndedEarly`].
    pub async fn wait_ready(&self) -> Result<()> {
        self.process.await_ready(READY_DEADLINE, "an answer to PING", async || self.probe().await).await
    }

    /// Whether it answers `PING` right now; else what it did instead.
    pub async fn probe(&self) -> Result<(), String> {
        match timeout(PROBE_TIMEOUT, ping(self.port.number())).await {
            Ok(Ok(answer)) => poll::expect(answer, |answer| answer.starts_with("+PONG")).map(drop),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_elapsed) => Err("no answer".to_owned()),
        }
    }
}

/// The users as shipped, with whom anybody on this machine may log in, and the default user as administrator.
fn open_users() -> String {
    USERS.replace("user default off resetpass", "user default on nopass ~* &* +@all").replace("resetpass", "nopass")
}

/// The address with which a service's own user logs in.
pub(crate) fn redis_url_of(url: &str, user: &str) -> String {
    url.replacen("redis://", &format!("redis://{user}:{PASSWORD}@"), 1)
}

async fn ping(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 64];
    let length = stream.read(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer[..length]).trim_end().to_owned())
}
