//! How much memory a process has, as `/proc` tells.

use std::fs;

use super::Process;

/// The resident memory of a process, in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Right now.
    pub resident_kib: u64,
    /// The most that it has been, since the process began or [`Process::forget_peak_memory`].
    pub peak_kib: u64,
}

impl Process {
    /// Its resident memory; `None` when it does not run.
    #[must_use]
    pub fn memory(&self) -> Option<Memory> {
        parse(&fs::read_to_string(format!("/proc/{}/status", self.pid()?)).ok()?)
    }

    /// Begins a new peak. Where the kernel does not let us, the old one stays.
    pub fn forget_peak_memory(&self) {
        if let Some(pid) = self.pid() {
            // proc(5): 5 resets the peak.
            let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
        }
    }
}

fn parse(status: &str) -> Option<Memory> {
    let field = |name| {
        let line = status.lines().find_map(|line: &str| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Memory { resident_kib: field("VmRSS:")?, peak_kib: field("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_a_process_tells_its_memory() {
        let status = "Name:\ttocsin-ingest\nVmHWM:\t   21504 kB\nVmRSS:\t   20480 kB\n";
        assert_eq!(parse(status), Some(Memory { resident_kib: 20_480, peak_kib: 21_504 }));
        assert_eq!(parse("Name:\ta zombie\n"), None);
    }
}
