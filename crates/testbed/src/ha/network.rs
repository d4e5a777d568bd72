//! The network of the topology, and how its processes are cut off it.
//!
//! As root the kernel does it: stores have network namespaces ([`namespaces`]), and a filter is for the services and the front
//! door ([`filter`]), so that nothing is in anybody's way while nothing is cut off. Otherwise relays do ([`relays`]).

mod filter;
mod namespaces;
mod relays;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::geteuid;

use self::filter::Filter;
use self::namespaces::Namespaces;
use self::relays::Relays;
use super::slot::Slot;
use crate::topology::Place;
use crate::{Process, Result, TestbedError};

/// The last part of the address that is for what is no store.
const OURS: u8 = 1;
/// How long one command may take.
const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct Network {
    means: Means,
    /// Ours until the end.
    _slot: Slot,
}

#[derive(Debug)]
enum Means {
    Kernel { namespaces: Namespaces, filter: Filter },
    Relays(Relays),
}

/// A process that is to be cut off.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) is_store: bool,
    pub(super) pid: Option<u32>,
    /// Where it listens on 127.0.0.1.
    pub(super) ports: Vec<u16>,
    /// The group that it runs as.
    pub(super) group: Option<u32>,
}

impl Network {
    /// Makes what stores of these names and last parts of addresses need. `folder` remembers the addresses.
    pub(super) async fn open(folder: &Path, stores: &[(String, u8)]) -> Result<Self> {
        let slot = Slot::reserve(folder)?;
        let kernel = if geteuid().is_root() { Some(Means::kernel(slot.number, stores).await) } else { None };
        let means = match kernel {
            Some(Ok(kernel)) => kernel,
            Some(Err(error)) => {
                tracing::warn!("no network namespaces here, so relays stand before each process: {error}");
                Means::Relays(Relays::new(slot.number)?)
            }
            None => Means::Relays(Relays::new(slot.number)?),
        };
        Ok(Self { means, _slot: slot })
    }

    /// Whether stores have namespaces.
    pub(super) fn is_real(&self) -> bool {
        matches!(self.means, Means::Kernel { .. })
    }

    /// The address of a store.
    pub(super) fn address(&self, last: u8) -> String {
        match &self.means {
            Means::Kernel { namespaces, .. } => namespaces.address(last),
            Means::Relays(relays) => relays.address(last).to_string(),
        }
    }

    /// Where a store listens; its address is what others know.
    pub(super) fn listens_at(&self, last: u8) -> String {
        match &self.means {
            Means::Kernel { namespaces, .. } => namespaces.address(last),
            Means::Relays(relays) => relays.hidden(last).to_string(),
        }
    }

    /// From where stores may be reached.
    pub(super) fn subnet(&self) -> String {
        format!("{}/24", self.address(0))
    }

    /// The file of a store's namespace.
    pub(super) fn namespace(&self, store: &str) -> Option<PathBuf> {
        match &self.means {
            Means::Kernel { namespaces, .. } => Some(namespaces.file(store)),
            Means::Relays(_) => None,
        }
    }

    /// Where a process runs that is no store. `number` is its own.
    pub(super) fn place(&self, number: u32) -> Place {
        match &self.means {
            Means::Kernel { filter, .. } => Place { group: Some(filter.group(number)), ..Place::default() },
            Means::Relays(relays) => Place { host: relays.hidden(OURS).to_string(), group: None },
        }
    }

    /// Makes what others know of a store lead to where it listens, on these ports. Before it is started.
    pub(super) fn lead_to_store(&self, process: &Process, last: u8, ports: &[u16]) {
        if let Means::Relays(relays) = &self.means {
            relays.stand_before(process, true, relays.address(last), relays.hidden(last), ports);
        }
    }

    /// The same for what listens on 127.0.0.1.
    pub(super) fn lead_to(&self, process: &Process, ports: &[u16]) {
        if let Means::Relays(relays) = &self.means {
            relays.stand_before(process, false, Ipv4Addr::LOCALHOST, relays.hidden(OURS), ports);
        }
    }

    pub(super) async fn cut_off(&self, member: &Member) -> Result<()> {
        match &self.means {
            Means::Kernel { namespaces, .. } if member.is_store => namespaces.cut_off(&member.name).await,
            Means::Kernel { filter, .. } => filter.cut_off(member).await,
            Means::Relays(relays) => {
                relays.cut_off(&member.name).await;
                Ok(())
            }
        }
    }

    pub(super) async fn cut_off_from_stores(&self, store: &Member) -> Result<()> {
        match &self.means {
            Means::Kernel { namespaces, .. } => namespaces.cut_off_from_stores(&store.name).await,
            Means::Relays(relays) => {
                relays.cut_off_from_stores(&store.name).await;
                Ok(())
            }
        }
    }

    pub(super) async fn heal(&self, member: &Member) -> Result<()> {
        match &self.means {
            Means::Kernel { namespaces, .. } if member.is_store => namespaces.heal(&member.name).await,
            Means::Kernel { filter, .. } => filter.heal(&member.name).await,
            Means::Relays(relays) => {
                relays.heal(&member.name).await;
                Ok(())
            }
        }
    }

    pub(super) async fn slow(&self, store: &Member, delay: Duration, loss: f64) -> Result<()> {
        self.namespaces(store)?.slow(&store.name, delay, loss).await
    }

    pub(super) async fn normal(&self, store: &Member) -> Result<()> {
        self.namespaces(store)?.normal(&store.name).await
    }

    /// Only the first packet of a connection counts: those that are open stay as they are.
    pub(super) async fn redirect(&self, store: &Member, from: u16, to: u16) -> Result<()> {
        self.namespaces(store)?.redirect(&store.name, from, to).await
    }

    fn namespaces(&self, store: &Member) -> Result<&Namespaces> {
        let why = "stores have networks of their own only where root may make network namespaces";
        match &self.means {
            Means::Kernel { namespaces, .. } => Ok(namespaces),
            Means::Relays(_) => Err(TestbedError::NoNetwork { name: store.name.clone(), why }),
        }
    }
}

impl Means {
    async fn kernel(slot: u8, stores: &[(String, u8)]) -> Result<Self> {
        let filter = Filter::new(slot);
        filter.check().await?;
        filter.remove();
        Ok(Self::Kernel { namespaces: Namespaces::open(slot, stores).await?, filter })
    }
}
