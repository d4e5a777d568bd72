//! One store.

use std::path::PathBuf;
use std::time::Duration;

use super::{etcd, patroni, redis, sentinel};
use crate::{Process, Result};

/// How long a store may take until it is ready. A Postgres that copies another's data is what takes time.
const READY_DEADLINE: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Etcd,
    Postgres,
    Redis,
    Sentinel,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Etcd, Self::Postgres, Self::Redis, Self::Sentinel];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Sentinel => "sentinel",
        }
    }

    /// Where it listens.
    pub(super) const fn ports(self) -> &'static [u16] {
        match self {
            Self::Redis => &[redis::PORT],
            Self::Postgres => &[patroni::PORT, patroni::API_PORT],
            Self::Sentinel => &[sentinel::PORT],
            Self::Etcd => &[etcd::PORT, etcd::PEER_PORT],
        }
    }

    /// Where those listen that keep data for services.
    pub(super) const fn port(self) -> Option<u16> {
        match self {
            Self::Postgres => Some(patroni::PORT),
            Self::Redis => Some(redis::PORT),
            Self::Etcd | Self::Sentinel => None,
        }
    }

    /// The last part of the first one's address is one more than this.
    pub(super) const fn base(self) -> u8 {
        match self {
            Self::Redis => 20,
            Self::Postgres => 30,
            Self::Sentinel => 40,
            Self::Etcd => 50,
        }
    }
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// How others find it.
    pub(super) address: String,
    /// Where it listens.
    pub(super) listens_at: String,
    pub(super) folder: PathBuf,
    pub(super) process: Process,
}

impl Node {
    /// Whether it is ready right now; else what is wrong.
    pub(super) async fn probe(&self) -> Result<(), String> {
        match self.kind {
            Kind::Etcd => etcd::probe(&self.address).await,
            Kind::Postgres => patroni::probe(&self.address).await,
            Kind::Redis => redis::probe(&self.address).await,
            Kind::Sentinel => sentinel::probe(&self.address).await,
        }
    }

    pub(super) async fn wait_ready(&self) -> Result<()> {
        self.process.await_ready(READY_DEADLINE, "it to be ready", async || self.probe().await).await?;
        if self.kind == Kind::Sentinel {
            sentinel::hurry(&self.address).await?;
        }
        Ok(())
    }
}
