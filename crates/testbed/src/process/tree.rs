//! The descendants of a process, as `/proc` shows them.
//!
//! Postgres gives each of its backends a session of its own, so signalling the process group would miss them.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Sends `signal` to a process and to all its descendants.
///
/// For the signals that take a process out, the root is stopped first, so that it starts no new child while we look; and
/// the descendants are looked up before the root can die, since orphans lose their parent's id. Returns the descendants.
pub(super) fn signal(root: Pid, signal: Signal) -> Result<Vec<Pid>, Errno> {
    if matches!(signal, Signal::SIGKILL | Signal::SIGSTOP) {
        kill(root, Signal::SIGSTOP)?;
    }
    let descendants = descendants(root);
    kill(root, signal)?;
    for pid in &descendants {
        // It may have ended since.
        let _ = kill(*pid, signal);
    }
    Ok(descendants)
}

/// Whether this process exists and has not ended.
pub(super) fn is_alive(pid: Pid) -> bool {
    parent_of(pid.as_raw()).is_some()
}

/// All living descendants of a process.
pub(super) fn descendants(root: Pid) -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for (pid, parent) in processes().filter_map(|pid| Some((pid, parent_of(pid)?))) {
        children.entry(parent).or_default().push(pid);
    }
    let mut found = Vec::new();
    let mut open = vec![root.as_raw()];
    while let Some(pid) = open.pop() {
        let mine = children.remove(&pid).unwrap_or_default();
        found.extend(mine.iter().copied().map(Pid::from_raw));
        open.extend(mine);
    }
    found
}

/// Kills all descendants of a process, and those that they start meanwhile.
pub fn kill_descendants(pid: u32) {
    // Each round catches what was forked during the one before.
    for _round in 0..5 {
        let found = descendants(Pid::from_raw(pid.cast_signed()));
        for pid in &found {
            let _ = kill(*pid, Signal::SIGKILL);
        }
        if found.is_empty() {
            return;
        }
    }
}

/// The processes whose working folder is `folder`, as far as we may see it.
pub(crate) fn processes_in(folder: &Path) -> Vec<Pid> {
    processes()
        .filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder))
        .map(Pid::from_raw)
        .collect()
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The parent of a living process: `/proc/PID/stat` has the state and the parent behind the command name, which is in
/// brackets and may contain anything. A zombie has ended; only its parent can make it go away.
fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let is_zombie = fields.next()? == "Z";
    let parent = fields.next()?.parse().ok()?;
    (!is_zombie).then_some(parent)
}
