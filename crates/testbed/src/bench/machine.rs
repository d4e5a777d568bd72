//! Where and of what figures were taken: a figure without that is a rumour.

use std::fs;
use std::time::Duration;

use serde::Serialize;

use crate::command::Run;

/// How long git may take.
const GIT_DEADLINE: Duration = Duration::from_secs(10);

/// The machine.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Threads that it runs at a time.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// Memory, in MiB.
    pub memory_mib: u64,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let memory_kib =
            field(&read("/proc/meminfo"), "MemTotal").and_then(|value| value.split(' ').next()?.parse().ok());
        Self {
            cpu: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: cores(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            memory_mib: memory_kib.unwrap_or(0_u64) / 1024,
        }
    }
}

/// Threads that the machine runs at a time.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The commit of the current folder, with `-dirty` when there are changes to it; `None` outside of a repository.
pub async fn commit() -> Option<String> {
    let git = Run::new(crate::programs::system("git", "git").ok()?);
    let output = git.args(["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]).output(GIT_DEADLINE).await;
    Some(output.ok()?.trim().to_owned())
}

/// The first value of `name : value` lines.
fn field(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
}
