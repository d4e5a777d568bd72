//! Sentinels that watch a private Redis and its replicas.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::redis::{Redis, command};
use crate::process::Spec;
use crate::{Port, Process, Result, TestbedError, poll, programs};

/// How Sentinels call the primary.
const NAME: &str = "tocsin";
/// What services ask of Sentinels, and nothing else (docs/least-privilege.md).
const SERVICES_MAY: &str = "&+switch-master +sentinel|get-master-addr-by-name +sentinel|master +subscribe";
/// How long they may take until they know each other and the replicas.
const READY_DEADLINE: Duration = Duration::from_secs(20);

/// Three Sentinels, of which two must agree.
#[derive(Debug)]
pub struct Sentinels {
    processes: Vec<(Process, Port)>,
    /// What they ask for, if they do.
    password: Option<String>,
}

impl Sentinels {
    /// Starts them with their configurations in `folder`, and waits until they could fail over. `replicas` follow the primary.
    ///
    /// # Errors
    /// When `redis-sentinel` is missing, does not start, or they do not find each other.
    pub async fn start(folder: &Path, primary: &Redis, replicas: &[Redis]) -> Result<Self> {
        Self::start_with(folder, primary, replicas, None).await
    }

    /// As [`Sentinels::start`], but they ask for `password`, from each other as well, and besides let a user in who may do no more
    /// than services must, by the same password.
    ///
    /// # Errors
    /// As [`Sentinels::start`].
    pub async fn start_guarded(
        folder: &Path,
        primary: &Redis,
        replicas: &[Redis],
        user: &str,
        password: &str,
    ) -> Result<Self> {
        let lines = format!("requirepass {password}\nuser {user} on >{password} {SERVICES_MAY}\n");
        Self::start_with(folder, primary, replicas, Some((lines, password))).await
    }

    async fn start_with(
        folder: &Path,
        primary: &Redis,
        replicas: &[Redis],
        guard: Option<(String, &str)>,
    ) -> Result<Self> {
        let (guard_lines, password) = guard.unzip();
        let program = programs::system("redis-sentinel", "redis-sentinel")?;
        let mut processes = Vec::new();
        for number in 1..=3 {
            let (name, port) = (format!("sentinel-{number}"), Port::free()?);
            let file = folder.join(format!("{name}.conf"));
            let text = format!(
                "port {}\nbind 127.0.0.1\ndir {}\nsentinel monitor {NAME} 127.0.0.1 {} 2\n\
                 sentinel down-after-milliseconds {NAME} 1000\nsentinel failover-timeout {NAME} 3000\n\
                 sentinel parallel-syncs {NAME} 2\n{}",
                port.number(),
                folder.display(),
                primary.port(),
                guard_lines.as_deref().unwrap_or_default(),
            );
            fs::write(&file, text).map_err(TestbedError::file("write", &file))?;
            let process = Process::new(Spec::new(name, &program, folder).args([&file]));
            process.start().await?;
            processes.push((process, port));
        }
        let sentinels = Self { processes, password: password.map(str::to_owned) };
        for url in sentinels.urls() {
            poll::until("Sentinel to answer", READY_DEADLINE, async || command(&url, ["PING"]).await).await?;
            let periods = "SENTINEL DEBUG ping-period 250 info-period 1000 publish-period 200 ask-period 200";
            command(&url, periods.split(' ')).await?;
        }
        let wanted = replicas.len().to_string();
        for url in sentinels.urls() {
            poll::until("Sentinels to know each other and the replicas", READY_DEADLINE, async || {
                let known = command(&url, ["SENTINEL", "MASTER", NAME]).await.map_err(|error| error.to_string())?;
                let lines: Vec<&str> = known.lines().collect();
                let has = |field: &str, value: &str| lines.windows(2).any(|pair| pair == [field, value]);
                let all = has("num-slaves", &wanted) && has("num-other-sentinels", "2");
                if all { Ok(()) } else { Err(known) }
            })
            .await?;
        }
        Ok(sentinels)
    }

    /// Host and port of each.
    #[must_use]
    pub fn addresses(&self) -> Vec<(String, u16)> {
        self.processes.iter().map(|(_, port)| ("127.0.0.1".to_owned(), port.number())).collect()
    }

    /// The name by which they know the primary.
    #[must_use]
    pub fn master(&self) -> &'static str {
        NAME
    }

    /// Their processes.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.processes.iter().map(|(process, _)| process)
    }

    /// Has them make another primary, as for maintenance.
    ///
    /// # Errors
    /// When the last of them does not answer, or refuses.
    pub async fn fail_over(&self) -> Result<()> {
        let url = self.urls().last().unwrap_or_default();
        command(&url, ["SENTINEL", "FAILOVER", NAME]).await.map(drop)
    }

    fn urls(&self) -> impl DoubleEndedIterator<Item = String> {
        let login = self.password.as_ref().map(|password| format!("default:{password}@")).unwrap_or_default();
        self.processes.iter().map(move |(_, port)| format!("redis://{login}127.0.0.1:{}", port.number()))
    }
}
