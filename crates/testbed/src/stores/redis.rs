//! A private Redis, primary or replica.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::command::Run;
use crate::process::Spec;
use crate::{Port, Process, Result, TestbedError, poll, programs};

/// How long a Redis may take until it answers. Loading a large append-only file is what takes time.
const READY_DEADLINE: Duration = Duration::from_secs(20);
/// How long it may take to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(10);
/// How long one probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a replica may take until it has the primary's data and follows it.
const ONLINE_DEADLINE: Duration = Duration::from_secs(20);
/// How long one `redis-cli` may take.
const COMMAND_DEADLINE: Duration = Duration::from_secs(30);

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
        Self::start_as("redis", folder, logs, &[]).await
    }

    /// Starts a replica of `primary` named `name`, with its data in `folder`, and waits until the primary finds it online.
    ///
    /// # Errors
    /// As [`Redis::start`], or when it does not come to follow the primary.
    pub async fn start_replica(name: &str, folder: &Path, logs: &Path, primary: &Self) -> Result<Self> {
        let port = primary.port.number().to_string();
        // It acknowledges what it has received, so syncing each write would cost the machine and promise nothing more.
        let extra = ["--replicaof", "127.0.0.1", &port, "--appendfsync", "everysec"];
        let replica = Self::start_as(name, folder, logs, &extra).await?;
        primary.wait_until_online(&replica).await?;
        Ok(replica)
    }

    async fn start_as(name: &str, folder: &Path, logs: &Path, extra: &[&str]) -> Result<Self> {
        fs::create_dir_all(folder).map_err(TestbedError::file("create", folder))?;
        let users = folder.join("users.acl");
        fs::write(&users, open_users()).map_err(TestbedError::file("write", &users))?;
        let port = Port::free()?;
        let number = port.number().to_string();
        // Without a file name as its first argument Redis reads no configuration file.
        let mut spec = Spec::new(name, programs::system("redis-server", "redis-server")?, logs)
            .args(["--port", number.as_str(), "--bind", "127.0.0.1", "--daemonize", "no", "--logfile", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""])
            .args(["--maxmemory-policy", "noeviction"])
            // A replica that asks is served at once, instead of waiting five seconds for others to ask, too.
            .args(["--repl-diskless-sync-delay", "0"])
            .args(extra.iter().copied())
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

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
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

    /// Runs one command through `redis-cli`, as [`KeySpace::redis`](crate::KeySpace::redis) does.
    ///
    /// # Errors
    /// When `redis-cli` is missing or fails, or Redis answers with an error.
    pub async fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<String> {
        command(&self.url(), args).await
    }

    /// Changes a setting of the running server; a restart forgets it.
    ///
    /// # Errors
    /// As [`Redis::command`].
    pub async fn config_set(&self, name: &str, value: &str) -> Result<()> {
        self.command(["CONFIG", "SET", name, value]).await.map(drop)
    }

    /// Makes it a replica, and thereby read-only, of whatever is at `port` of this machine, if anything is.
    ///
    /// # Errors
    /// As [`Redis::command`].
    pub async fn replica_of(&self, port: u16) -> Result<()> {
        self.command(["REPLICAOF", "127.0.0.1", &port.to_string()]).await.map(drop)
    }

    /// Makes it a primary again.
    ///
    /// # Errors
    /// As [`Redis::command`].
    pub async fn replica_of_nobody(&self) -> Result<()> {
        self.command(["REPLICAOF", "NO", "ONE"]).await.map(drop)
    }

    /// One field of `INFO`, such as `used_memory`.
    ///
    /// # Errors
    /// As [`Redis::command`].
    pub async fn info(&self, field: &str) -> Result<Option<String>> {
        Ok(info_field(&self.command(["INFO", "everything"]).await?, field).map(str::to_owned))
    }

    /// Waits until this primary has handed `replica` all its data and streams changes to it.
    ///
    /// # Errors
    /// [`TestbedError::TimedOut`], with what the primary says of its replicas.
    pub async fn wait_until_online(&self, replica: &Self) -> Result<()> {
        let (what, wanted) = (format!("{} to be online", replica.process.name()), replica.port.number());
        poll::until(what, ONLINE_DEADLINE, async || {
            let info = self.command(["INFO", "replication"]).await.map_err(|error| error.to_string())?;
            if is_online(&info, wanted) { Ok(()) } else { Err(info) }
        })
        .await?;
        Ok(())
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

/// Runs one command through `redis-cli` and returns its raw output without the line break at the end.
pub(crate) async fn command<A: AsRef<OsStr>>(url: &str, args: impl IntoIterator<Item = A>) -> Result<String> {
    let output = Run::new(programs::system("redis-cli", "redis-tools")?)
        // `-e`: an error answer is a failure of the command.
        .args(["-u", url, "--raw", "-e"])
        .args(args)
        .output(COMMAND_DEADLINE)
        .await?;
    Ok(output.strip_suffix('\n').unwrap_or(&output).to_owned())
}

fn info_field<'a>(info: &'a str, field: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.trim_end().strip_prefix(field)?.strip_prefix(':'))
}

/// Whether `INFO replication` of a primary has a line like `slave0:ip=…,port=18001,state=online,offset=…` for this port.
fn is_online(info: &str, port: u16) -> bool {
    let port = format!("port={port}");
    info.lines().filter(|line| line.starts_with("slave")).any(|line| {
        let has = |wanted: &str| line.split([':', ',']).any(|part| part == wanted);
        has(&port) && has("state=online")
    })
}

/// The users as shipped, with whom anybody on this machine may log in, and the default user as administrator.
pub(crate) fn open_users() -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Replication\r\nrole:master\r\nconnected_slaves:2\r\n\
        slave0:ip=127.0.0.1,port=18001,state=online,offset=14,lag=0\r\n\
        slave1:ip=127.0.0.1,port=1800,state=wait_bgsave,offset=0,lag=0\r\n";

    #[test]
    fn only_a_replica_that_follows_is_online() {
        assert!(is_online(INFO, 18001));
        assert!(!is_online(INFO, 1800) && !is_online(INFO, 8001));
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        assert_eq!(info_field(INFO, "role"), Some("master"));
        assert_eq!((info_field(INFO, "rol"), info_field(INFO, "connected")), (None, None));
    }
}
