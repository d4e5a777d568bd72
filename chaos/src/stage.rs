//! The system that is broken, with its receiver and whatever breaks it.

mod rest;

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use futures_util::future::try_join_all;
use rand::Rng as _;
use sha2::{Digest as _, Sha256};
use tocsin_testbed::doubles::Recorder;
use tocsin_testbed::ha::Ha;
use tocsin_testbed::stores::migrate;
use tocsin_testbed::{Database, KeySpace, Service, Stores, System, Tenant, Topology};
use tokio::process::Command;

use crate::error::{ChaosError, Result};
use crate::scenario::{Scenario, Setting};
use crate::wire::{Quality, Wire};

/// Of each service.
const EACH: usize = 2;
/// Where the receiver is told.
const RECEIVER_PATH: &str = "/chaos";
/// The disk that fills up: with room for the write-ahead log of several runs, of which Postgres keeps 256 MiB for its standbys. One
/// that is full by itself is never free again.
const SMALL_DISK: &str = "size=1g,mode=0711";
/// Its clock, which libfaketime reads again and again.
pub(crate) const CLOCK_FILE: &str = "clock";
/// Where Debian keeps it, below the folder of the machine's architecture.
const FAKETIME: &str = "faketime/libfaketime.so.1";

/// What stores are cut off from, and what only root can make.
const NETWORKS: &str = "root, for stores with networks of their own";

/// A running system with its receiver.
pub(crate) struct Stage {
    pub(crate) system: System,
    pub(crate) receiver: Recorder,
    pub(crate) key: String,
    folder: PathBuf,
    breakable: Breakable,
}

/// What some scenarios break, and others do not have.
#[derive(Default)]
struct Breakable {
    /// By which the system reaches its stores.
    wires: Vec<Wire>,
    /// When they are not the topology's.
    stores: Option<Stores>,
    /// Of each Postgres.
    disks: Vec<Disk>,
}

impl Stage {
    /// Starts one in `folder`, as this scenario needs it.
    pub(crate) async fn start(setting: Setting, scenario: Scenario, folder: &Path) -> Result<Self> {
        let (receiver, key) = (Recorder::start()?, random_name());
        std::fs::create_dir_all(folder).map_err(ChaosError::file("create", folder))?;
        let config = config(&key, &receiver.url());
        let mut breakable = Breakable::default();
        let system = match setting {
            Setting::Single => System::Single(Box::new(single(scenario, folder, config, &mut breakable).await?)),
            Setting::Ha => System::Ha(Box::new(ha(scenario, folder, config, &mut breakable).await?)),
        };
        Ok(Self { system, receiver, key, folder: folder.to_owned(), breakable })
    }

    /// Whether this machine gives what the scenario needs.
    pub(crate) fn check(&self, scenario: Scenario) -> Result<()> {
        match &self.system {
            System::Ha(ha) if scenario.needs_networks() && !ha.has_networks() => {
                Err(ChaosError::Needs { scenario: scenario.name(), need: NETWORKS })
            }
            _ => Ok(()),
        }
    }

    /// Its stores.
    pub(crate) fn stores(&self) -> Result<&Stores> {
        let own = match &self.system {
            System::Single(topology) => topology.stores().or(self.breakable.stores.as_ref()),
            System::Ha(_) => None,
        };
        own.ok_or(ChaosError::Needs { scenario: "this", need: "the topology single" })
    }

    /// The disk of a Postgres.
    pub(crate) fn disk(&self, postgres: &str) -> Result<&Disk> {
        let disk = self.breakable.disks.iter().find(|disk| disk.folder.ends_with(postgres));
        disk.ok_or(ChaosError::Needs { scenario: Scenario::PostgresFull.name(), need: "a file system of its own" })
    }

    /// Makes the wires slow, or quick again.
    pub(crate) fn set_wires(&self, quality: Quality) {
        for wire in &self.breakable.wires {
            wire.set(quality);
        }
    }

    /// The folder with its data and logs.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The rows that a query gives.
    pub(crate) async fn sql(&self, sql: &str) -> Result<Vec<Vec<String>>> {
        Ok(self.system.tenant().sql(sql).await?)
    }

    /// The one number that a query gives.
    pub(crate) async fn count(&self, sql: &str) -> Result<usize> {
        let rows = self.sql(sql).await?;
        let number = rows.first().and_then(|row| row.first()).and_then(|text| text.parse().ok());
        number.ok_or_else(|| ChaosError::Program { program: "psql", said: format!("{rows:?}") })
    }

    /// Stops it in order.
    pub(crate) async fn stop(self) -> Result<()> {
        self.system.stop().await?;
        if let Some(stores) = &self.breakable.stores {
            stores.stop().await?;
        }
        for disk in self.breakable.disks {
            disk.unmount().await?;
        }
        Ok(())
    }
}

/// One Redis and one Postgres, as this scenario needs them.
async fn single(scenario: Scenario, folder: &Path, config: String, breakable: &mut Breakable) -> Result<Topology> {
    let mut builder = Topology::builder().folder(folder).config_text(config);
    for service in Service::ALL {
        builder = builder.count(service, EACH);
    }
    let builder = match scenario {
        Scenario::SlowNetwork => {
            let own = Stores::start(folder).await?;
            migrate(&own.postgres().url()).await?;
            let (redis, postgres) = (own.redis().url(), own.postgres().url());
            let here = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let redis_wire = Wire::open(here(port_of(&redis)?)).await?;
            let postgres_wire = Wire::open(here(port_of(&postgres)?)).await?;
            let keys = KeySpace::at(through(&redis, &redis_wire)?, "tocsin");
            let tenant = Tenant::new(keys, Database::at(through(&postgres, &postgres_wire)?));
            breakable.wires.extend([redis_wire, postgres_wire]);
            breakable.stores = Some(own);
            builder.tenant(tenant)
        }
        Scenario::PostgresFull => {
            breakable.disks.push(Disk::mount(&folder.join("postgres")).await?);
            builder.own_stores()
        }
        Scenario::ClockJump => {
            let builder = builder.own_stores();
            clocks(folder)?
                .into_iter()
                .fold(builder, |builder, (name, variable, value)| builder.env_for_process(name, variable, value))
        }
        _ => builder.own_stores(),
    };
    Ok(builder.start().await?)
}

/// Three of each store, as this scenario needs them.
async fn ha(scenario: Scenario, folder: &Path, config: String, breakable: &mut Breakable) -> Result<Ha> {
    let mut builder = Ha::builder().folder(folder).config_text(config);
    match scenario {
        Scenario::PostgresFull => {
            // Who will lead is not known yet.
            for number in 1..=3 {
                breakable.disks.push(Disk::mount(&folder.join(format!("postgres-{number}"))).await?);
            }
        }
        Scenario::ClockJump => {
            for (name, variable, value) in clocks(folder)? {
                builder = builder.env_for_process(name, variable, value);
            }
        }
        _ => {}
    }
    let ha = builder.start().await?;
    if scenario == Scenario::SlowNetwork {
        breakable.wires = wires(&ha).await?;
    }
    Ok(ha)
}

/// Puts wires before every Redis and Postgres, and has the services connect again, through them. What the stores have among
/// themselves stays as it is, until they connect again.
async fn wires(ha: &Ha) -> Result<Vec<Wire>> {
    if !ha.has_networks() {
        return Err(ChaosError::Needs { scenario: Scenario::SlowNetwork.name(), need: NETWORKS });
    }
    let mut wires = Vec::new();
    for store in ha.nodes().into_iter().filter(|name| name.starts_with("redis-") || name.starts_with("postgres-")) {
        let (namespace, address) = ha.network_of(&store)?;
        let wire = Wire::open_within(&namespace, address).await?;
        ha.redirect(&store, wire.port()).await?;
        wires.push(wire);
    }
    try_join_all(ha.service_urls().iter().map(|(name, _)| ha.restart(name))).await?;
    ha.front_door().wait_ready().await?;
    Ok(wires)
}

/// A small file system of its own.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
}

impl Disk {
    async fn mount(folder: &Path) -> Result<Self> {
        if !nix::unistd::geteuid().is_root() {
            let need = "root, who alone may mount a small file system";
            return Err(ChaosError::Needs { scenario: Scenario::PostgresFull.name(), need });
        }
        std::fs::create_dir_all(folder).map_err(ChaosError::file("create", folder))?;
        let arguments = ["-t".as_ref(), "tmpfs".as_ref(), "-o".as_ref(), SMALL_DISK.as_ref(), "tmpfs".as_ref()];
        program("mount", arguments.into_iter().chain([folder.as_os_str()])).await?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Fills what is free.
    pub(crate) async fn fill(&self) -> Result<()> {
        let path = self.folder.join("ballast");
        let mut file = tokio::fs::File::create(&path).await.map_err(ChaosError::file("create", &path))?;
        let chunk = vec![0; 1024 * 1024];
        // Until there is no space.
        while tokio::io::AsyncWriteExt::write_all(&mut file, &chunk).await.is_ok() {}
        Ok(())
    }

    /// Frees it again.
    pub(crate) async fn free(&self) -> Result<()> {
        let path = self.folder.join("ballast");
        tokio::fs::remove_file(&path).await.map_err(ChaosError::file("delete", path))
    }

    async fn unmount(&self) -> Result<()> {
        program("umount", ["--lazy".as_ref(), self.folder.as_os_str()]).await
    }
}

impl Drop for Disk {
    /// For a run that was given up: when it was unmounted before, there is nothing to do.
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("--lazy")
            .arg(&self.folder)
            .stderr(std::process::Stdio::null())
            .status();
    }
}

/// The first of each service runs by a clock that a file sets right or wrong; the others by that of the machine. Gives their
/// names, and the variables that make them do so.
fn clocks(folder: &Path) -> Result<Vec<(String, &'static str, OsString)>> {
    let library = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join(FAKETIME))
        .find(|path| path.is_file());
    let need = "libfaketime: apt-get install libfaketime";
    let library = library.ok_or(ChaosError::Needs { scenario: Scenario::ClockJump.name(), need })?;
    let mut variables = Vec::new();
    for service in Service::ALL {
        let clock = folder.join(format!("{CLOCK_FILE}-{service}-1"));
        std::fs::write(&clock, "+0s\n").map_err(ChaosError::file("write", &clock))?;
        let name = format!("{service}-1");
        for (variable, value) in [
            ("LD_PRELOAD", library.as_os_str()),
            ("FAKETIME_TIMESTAMP_FILE", clock.as_os_str()),
            // Read again whenever it was looked at a tenth of a second ago.
            ("FAKETIME_CACHE_DURATION", "0.1".as_ref()),
            // Timers run by another clock, which does not jump on a real machine either.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".as_ref()),
        ] {
            variables.push((name.clone(), variable, value.to_owned()));
        }
    }
    Ok(variables)
}

/// An integration without a limit, and an incident with a notice of its own for each alert.
fn config(key: &str, receiver: &str) -> String {
    let sha256 = hex::encode(Sha256::digest(key));
    format!(
        "integrations: [{{name: chaos, keys: [{{sha256: {sha256}}}], \
         limit: {{per_minute: 60000000, over_limit: reject}}}}]\n\
         api: {{limit: {{per_minute: 600000}}, tokens: [{{name: chaos, sha256_env: TOCSIN_DEMO_TOKEN_SHA256, \
         scopes: [read]}}]}}\n\
         route: {{receiver: chaos, group_by: [run, number], group_wait: 0s}}\n\
         receivers: [{{name: chaos, webhook: \
         {{url: \"{receiver}{RECEIVER_PATH}\", allow_private: true, per_second: 1000}}}}]\n"
    )
}

/// Runs a program of the system.
async fn program<'a>(name: &'static str, arguments: impl IntoIterator<Item = &'a std::ffi::OsStr>) -> Result<()> {
    let output = Command::new(name).args(arguments).output().await.map_err(ChaosError::file("run", name))?;
    if output.status.success() {
        return Ok(());
    }
    Err(ChaosError::Program { program: name, said: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
}

/// `scheme://…:PORT/…`: where the port is.
fn port_range(url: &str) -> Option<std::ops::Range<usize>> {
    let host = url.find("://")? + 3;
    let end = url[host..].find('/').map_or(url.len(), |slash| host + slash);
    let start = url[host..end].rfind(':')? + host + 1;
    Some(start..end)
}

fn port_of(url: &str) -> Result<u16> {
    let port = port_range(url).and_then(|range| url[range].parse().ok());
    port.ok_or_else(|| ChaosError::Program { program: "the test bed", said: format!("{url} has no port") })
}

/// The same address at the near end of a wire.
fn through(url: &str, wire: &Wire) -> Result<String> {
    let mut url = url.to_owned();
    let _far = port_of(&url)?;
    if let Some(range) = port_range(&url) {
        url.replace_range(range, &wire.port().to_string());
    }
    Ok(url)
}

/// A name nobody else has.
pub(crate) fn random_name() -> String {
    hex::encode(rand::rng().random::<[u8; 12]>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_found_in_any_address_of_a_store() {
        assert_eq!(port_of("redis://127.0.0.1:6390").unwrap(), 6390);
        assert_eq!(port_of("redis://user:any@127.0.0.1:6390/0").unwrap(), 6390);
        assert_eq!(port_of("postgres://tocsin@127.0.0.1:5433/tocsin?sslmode=disable").unwrap(), 5433);
        assert!(port_of("postgres://somewhere/else").is_err());
    }
}
