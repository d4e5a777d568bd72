//! How the services and the front door are cut off, as root. They are in this machine's own network, where tests have their
//! doubles and senders find them. Each runs as a group of its own, by which the kernel knows what it sends.
//!
//! Only while something is cut off there are rules, in two chains of ours: none of its packets leaves, none reaches its ports,
//! and the connections that it has are named one by one, in both directions. (Groups alone don't do: what comes in has none, and
//! neither has the end of a connection that its process has closed.) What a killed test bed has left is removed by the next one
//! that gets its slot.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use tokio::sync::Mutex;

use super::{DEADLINE, Member};
use crate::command::Run;
use crate::process::{Connection, connections_of, group_args};
use crate::{Result, programs};

/// The first of our groups. No system gives out numbers in this range.
const FIRST_GROUP: u32 = 1_900_000_000;
/// How many groups a slot has.
const GROUPS_OF_A_SLOT: u32 = 1_000;

#[derive(Debug)]
pub(super) struct Filter {
    slot: u8,
    /// Rules by the name of who is cut off.
    cut_off: Mutex<BTreeMap<String, Rules>>,
}

/// The programs that change one rule and many.
#[derive(Clone, Copy)]
struct Tools {
    single: &'static str,
    restore: &'static str,
}

const V4: Tools = Tools { single: "iptables", restore: "iptables-restore" };
const V6: Tools = Tools { single: "ip6tables", restore: "ip6tables-restore" };

/// Rules for the two chains, of both versions of IP.
#[derive(Debug, Default, Clone)]
struct Rules {
    v4: String,
    v6: String,
}

impl Filter {
    pub(super) fn new(slot: u8) -> Self {
        Self { slot, cut_off: Mutex::default() }
    }

    /// The group of the process with this number.
    pub(super) fn group(&self, number: u32) -> u32 {
        FIRST_GROUP + u32::from(self.slot) * GROUPS_OF_A_SLOT + number % GROUPS_OF_A_SLOT
    }

    /// Whether processes may run as groups of ours.
    pub(super) async fn check(&self) -> Result<()> {
        let setpriv = programs::system("setpriv", "util-linux")?;
        let run = Run::new(setpriv).args(group_args(self.group(0))).args(["--", "true"]);
        run.output(DEADLINE).await.map(drop)
    }

    pub(super) async fn cut_off(&self, member: &Member) -> Result<()> {
        let mut cut_off = self.cut_off.lock().await;
        let mut rules = self.of_ports(&member.ports);
        if let Some(group) = member.group {
            let of_group = self.of_group(group);
            rules.v4 += &of_group;
            rules.v6 += &of_group;
        }
        cut_off.insert(member.name.clone(), rules.clone());
        self.set(&cut_off).await?;
        // Now that no more can begin: those that there are.
        for connection in member.pid.map(connections_of).unwrap_or_default() {
            if !member.ports.contains(&connection.local.port()) {
                self.add_connection(&mut rules, &connection);
            }
        }
        cut_off.insert(member.name.clone(), rules);
        self.set(&cut_off).await
    }

    pub(super) async fn heal(&self, name: &str) -> Result<()> {
        let mut cut_off = self.cut_off.lock().await;
        if cut_off.remove(name).is_some() { self.set(&cut_off).await } else { Ok(()) }
    }

    fn of_group(&self, group: u32) -> String {
        format!("-A {} -m owner --gid-owner {group} -j DROP\n", self.outgoing())
    }

    fn of_ports(&self, ports: &[u16]) -> Rules {
        let mut rules = Rules::default();
        for port in ports {
            let _ = writeln!(rules.v4, "-A {} -p tcp -d 127.0.0.1 --dport {port} -j DROP", self.incoming());
            let _ = writeln!(rules.v4, "-A {} -p tcp -s 127.0.0.1 --sport {port} -j DROP", self.outgoing());
        }
        rules
    }

    fn add_connection(&self, rules: &mut Rules, Connection { local, remote }: &Connection) {
        let rules = if local.is_ipv4() { &mut rules.v4 } else { &mut rules.v6 };
        for (chain, from, to) in [(self.incoming(), remote, local), (self.outgoing(), local, remote)] {
            let _ = writeln!(rules, "-A {chain} -p tcp {} {} -j DROP", end("s", from), end("d", to));
        }
    }

    /// Has the kernel drop this and nothing else. What a chain says changes as a whole.
    async fn set(&self, cut_off: &BTreeMap<String, Rules>) -> Result<()> {
        self.fill(V4, cut_off.values().map(|rules| rules.v4.as_str()).collect()).await?;
        // A machine may have version 4 alone.
        if Path::new("/proc/net/if_inet6").exists() {
            self.fill(V6, cut_off.values().map(|rules| rules.v6.as_str()).collect()).await?;
        }
        Ok(())
    }

    async fn fill(&self, tools: Tools, rules: String) -> Result<()> {
        if rules.is_empty() {
            self.remove_with(tools);
            return Ok(());
        }
        let mut text = "*filter\n".to_owned();
        for (ours, theirs) in [(self.incoming(), "INPUT"), (self.outgoing(), "OUTPUT")] {
            // Makes the chain, or empties it.
            let _ = writeln!(text, ":{ours} - [0:0]");
            if !succeeds(tools, &["-C", theirs, "-j", &ours]) {
                let _ = writeln!(text, "-I {theirs} -j {ours}");
            }
        }
        let restore = programs::system(tools.restore, "iptables")?;
        let run = Run::new(restore).args(["--noflush", "--wait", "5"]).input(text + &rules + "COMMIT\n");
        run.output(DEADLINE).await.map(drop)
    }

    /// Removes what is there of this slot. Blocks for a moment.
    pub(super) fn remove(&self) {
        self.remove_with(V4);
        self.remove_with(V6);
    }

    fn remove_with(&self, tools: Tools) {
        for (ours, theirs) in [(self.incoming(), "INPUT"), (self.outgoing(), "OUTPUT")] {
            if succeeds(tools, &["-S", &ours]) {
                let _ = succeeds(tools, &["-D", theirs, "-j", &ours]);
                let _ = succeeds(tools, &["-F", &ours]);
                let _ = succeeds(tools, &["-X", &ours]);
            }
        }
    }

    fn incoming(&self) -> String {
        format!("tocsin-ha-{}-in", self.slot)
    }

    fn outgoing(&self) -> String {
        format!("tocsin-ha-{}-out", self.slot)
    }
}

/// Whether `iptables` with these arguments does what it is to do. Blocks for a moment.
fn succeeds(tools: Tools, args: &[&str]) -> bool {
    let Ok(program) = programs::system(tools.single, "iptables") else { return false };
    let mut command = Command::new(program);
    command.args(["--wait", "5"]).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// One end of a connection: `which` is `s`, source, or `d`, destination.
fn end(which: &str, address: &SocketAddr) -> String {
    format!("-{which} {} --{which}port {}", address.ip(), address.port())
}

impl Drop for Filter {
    fn drop(&mut self) {
        if !self.cut_off.get_mut().is_empty() {
            self.remove();
        }
    }
}
