//! The network of the topology, and how its processes are cut off it.
//!
//! As root the kernel does it: stores have network namespaces ([`namespaces`]), and a filter is for the services and the front
//! door ([`filter`]), so that nothing is in anybody's way while nothing is cut off.

mod filter;
mod namespaces;

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::geteuid;

use self::filter::Filter;
use self::namespaces::Namespaces;
use super::slot::Slot;
use crate::topology::Place;
use crate::{Result, TestbedError};

/// How long one command may take.
const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct Network {
    means: Means,
    slot: Slot,
}

#[derive(Debug)]
enum Means {
    Kernel { namespaces: Namespaces, filter: Filter },
    None,
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
        let means = if geteuid().is_root() {
            Means::kernel(slot.number, stores).await.unwrap_or_else(|error| {
                tracing::warn!("no network namespaces here, so nodes can't be cut off: {error}");
                Means::None
            })
        } else {
            tracing::info!("without root: nodes can't be cut off");
            Means::None
        };
        Ok(Self { means, slot })
    }

    /// Whether stores have namespaces.
    pub(super) fn is_real(&self) -> bool {
        matches!(self.means, Means::Kernel { .. })
    }

    /// The address of a store.
    pub(super) fn address(&self, last: u8) -> String {
        match &self.means {
            Means::Kernel { namespaces, .. } => namespaces.address(last),
            Means::None => format!("127.77.{}.{last}", self.slot.number),
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
            Means::None => None,
        }
    }

    /// Where a process runs that is no store. `number` is its own.
    pub(super) fn place(&self, number: u32) -> Place {
        let group = match &self.means {
            Means::Kernel { filter, .. } => Some(filter.group(number)),
            Means::None => None,
        };
        Place { group, ..Place::default() }
    }

    pub(super) async fn cut_off(&self, member: &Member) -> Result<()> {
        match &self.means {
            Means::Kernel { namespaces, .. } if member.is_store => namespaces.cut_off(&member.name).await,
            Means::Kernel { filter, .. } => filter.cut_off(member).await,
            Means::None => Err(no_network(member)),
        }
    }

    pub(super) async fn cut_off_from_stores(&self, store: &Member) -> Result<()> {
        match &self.means {
            Means::Kernel { namespaces, .. } => namespaces.cut_off_from_stores(&store.name).await,
            Means::None => Err(no_network(store)),
        }
    }

    pub(super) async fn heal(&self, member: &Member) -> Result<()> {
        match &self.means {
            Means::Kernel { namespaces, .. } if member.is_store => namespaces.heal(&member.name).await,
            Means::Kernel { filter, .. } => filter.heal(&member.name).await,
            Means::None => Err(no_network(member)),
        }
    }

    pub(super) async fn slow(&self, store: &Member, delay: Duration, loss: f64) -> Result<()> {
        match &self.means {
            Means::Kernel { namespaces, .. } => namespaces.slow(&store.name, delay, loss).await,
            Means::None => Err(no_network(store)),
        }
    }

    pub(super) async fn normal(&self, store: &Member) -> Result<()> {
        match &self.means {
            Means::Kernel { namespaces, .. } => namespaces.normal(&store.name).await,
            Means::None => Err(no_network(store)),
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

fn no_network(member: &Member) -> TestbedError {
    TestbedError::NoNetwork { name: member.name.clone(), why: "the kernel gives us no networks here" }
}
