//! How the stores are cut off, as root: one namespace per store, all on a bridge in a namespace of its own (in the root one,
//! Docker filters what crosses bridges), to which this machine has one way. A store is cut off by taking its cable out.
//! Namespaces that a killed test bed has left are removed by the next one that gets their slot.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{DEADLINE, OURS};
use crate::command::Run;
use crate::{Result, programs};

/// The chains that a partition goes through, so that it can be taken out as a whole.
const PARTITION: &str = "partition";
const LOSS: &str = "loss";

#[derive(Debug)]
pub(super) struct Namespaces {
    ip: PathBuf,
    names: Vec<String>,
    slot: u8,
}

impl Namespaces {
    /// Makes one for each store, of these names and last parts of addresses.
    pub(super) async fn open(slot: u8, stores: &[(String, u8)]) -> Result<Self> {
        let names = stores.iter().map(|(name, _)| name.clone()).collect();
        let namespaces = Self { ip: programs::system("ip", "iproute2")?, names, slot };
        namespaces.remove();
        // Half of it goes away with the value.
        namespaces.make(stores).await?;
        Ok(namespaces)
    }

    /// The address of a store.
    pub(super) fn address(&self, last: u8) -> String {
        format!("10.77.{}.{last}", self.slot)
    }

    /// The file of a store's namespace.
    pub(super) fn file(&self, store: &str) -> PathBuf {
        Path::new("/run/netns").join(self.full(store))
    }

    pub(super) async fn cut_off(&self, store: &str) -> Result<()> {
        self.batch(Some("hub"), &format!("link set {store} down\n")).await
    }

    pub(super) async fn cut_off_from_stores(&self, store: &str) -> Result<()> {
        let ours = self.address(OURS);
        let rules = format!(
            "*filter\n:{PARTITION} - [0:0]\n-I INPUT -j {PARTITION}\n-I OUTPUT -j {PARTITION}\n-A {PARTITION} -i lo -j RETURN\n\
             -A {PARTITION} -o lo -j RETURN\n-A {PARTITION} -s {ours} -j RETURN\n-A {PARTITION} -d {ours} -j RETURN\n\
             -A {PARTITION} -j DROP\nCOMMIT\n"
        );
        self.iptables(store, &rules).await
    }

    pub(super) async fn heal(&self, store: &str) -> Result<()> {
        self.batch(Some("hub"), &format!("link set {store} up\n")).await?;
        self.drop_chain(store, PARTITION).await
    }

    pub(super) async fn slow(&self, store: &str, delay: Duration, loss: f64) -> Result<()> {
        self.normal(store).await?;
        if loss > 0.0 {
            let rules = format!(
                "*filter\n:{LOSS} - [0:0]\n-I INPUT -j {LOSS}\n-A {LOSS} -i lo -j RETURN\n\
                 -A {LOSS} -m statistic --mode random --probability {loss:.6} -j DROP\nCOMMIT\n"
            );
            self.iptables(store, &rules).await?;
        }
        if delay.is_zero() {
            return Ok(());
        }
        let millis = format!("{}ms", delay.as_millis());
        self.traffic_control(store, &["qdisc", "add", "dev", "eth0", "root", "netem", "delay", &millis]).await
    }

    pub(super) async fn normal(&self, store: &str) -> Result<()> {
        // Fails where there is nothing to remove.
        let _ = self.traffic_control(store, &["qdisc", "del", "dev", "eth0", "root"]).await;
        self.drop_chain(store, LOSS).await
    }

    pub(super) async fn redirect(&self, store: &str, from: u16, to: u16) -> Result<()> {
        let rules =
            format!("*nat\n-A PREROUTING -i eth0 -p tcp --syn --dport {from} -j REDIRECT --to-ports {to}\nCOMMIT\n");
        self.iptables(store, &rules).await
    }

    async fn make(&self, stores: &[(String, u8)]) -> Result<()> {
        let mut root = format!("netns add {}\n", self.full("hub"));
        for (name, _) in stores {
            let _ = writeln!(root, "netns add {}", self.full(name));
        }
        let (cable, ours) = (self.cable(), self.address(OURS));
        let _ = writeln!(root, "link add {cable} type veth peer name uplink netns {}", self.full("hub"));
        let _ = writeln!(root, "addr add {ours}/24 dev {cable}\nlink set {cable} up");
        self.batch(None, &root).await?;
        let mut hub =
            "link add br0 type bridge\nlink set br0 up\nlink set uplink master br0\nlink set uplink up\n".to_owned();
        for (name, _) in stores {
            let _ = writeln!(hub, "link add {name} type veth peer name eth0 netns {}", self.full(name));
            let _ = writeln!(hub, "link set {name} master br0\nlink set {name} up");
        }
        self.batch(Some("hub"), &hub).await?;
        for (name, last) in stores {
            let address = self.address(*last);
            let own = format!("addr add {address}/24 dev eth0\nlink set eth0 up\nlink set lo up\n");
            self.batch(Some(name), &own).await?;
        }
        Ok(())
    }

    /// Runs lines of `ip` commands, in the namespace `within` if one is named.
    async fn batch(&self, within: Option<&str>, lines: &str) -> Result<()> {
        let namespace = within.map(|name| self.full(name));
        let namespace = namespace.iter().flat_map(|name| ["-n", name.as_str()]);
        Run::new(&self.ip).args(namespace).args(["-batch", "-"]).input(lines).output(DEADLINE).await.map(drop)
    }

    async fn iptables(&self, store: &str, rules: &str) -> Result<()> {
        let restore = programs::system("iptables-restore", "iptables")?;
        let run = Run::new(&self.ip).args(["netns", "exec", &self.full(store)]);
        run.args([restore.as_os_str()]).args(["--noflush"]).input(rules).output(DEADLINE).await.map(drop)
    }

    async fn traffic_control(&self, store: &str, args: &[&str]) -> Result<()> {
        let tc = programs::system("tc", "iproute2")?;
        Run::new(tc).args(["-n", &self.full(store)]).args(args).output(DEADLINE).await.map(drop)
    }

    async fn drop_chain(&self, store: &str, chain: &str) -> Result<()> {
        let iptables = programs::system("iptables", "iptables")?;
        let run = async |args: &[&str]| {
            let run = Run::new(&self.ip).args(["netns", "exec", &self.full(store)]);
            run.args([iptables.as_os_str()]).args(args).output(DEADLINE).await
        };
        // Each fails where there is nothing to remove.
        let _ = run(&["-D", "INPUT", "-j", chain]).await;
        let _ = run(&["-D", "OUTPUT", "-j", chain]).await;
        let _ = run(&["-F", chain]).await;
        let _ = run(&["-X", chain]).await;
        Ok(())
    }

    /// Removes what is there of this slot. Blocks for a moment.
    fn remove(&self) {
        let names = self.names.iter().map(String::as_str).chain(["hub"]);
        let own = names.map(|name| format!("netns del {}\n", self.full(name)));
        let lines: String = own.chain([format!("link del {}\n", self.cable())]).collect();
        let child = Command::new(&self.ip)
            .args(["-force", "-batch", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        if let Ok(mut child) = child {
            if let Some(mut input) = child.stdin.take() {
                let _ = std::io::Write::write_all(&mut input, lines.as_bytes());
            }
            let _ = child.wait();
        }
    }

    fn full(&self, store: &str) -> String {
        format!("tocsin-ha-{}-{store}", self.slot)
    }

    fn cable(&self) -> String {
        format!("tocsin-ha-{}", self.slot)
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        self.remove();
    }
}
