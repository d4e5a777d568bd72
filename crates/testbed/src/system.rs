//! Either topology, by the same names.

use crate::topology::FrontDoor;
use crate::{Ha, Process, Result, Tenant, Topology};

/// A running system of either kind.
#[derive(Debug)]
pub enum System {
    /// One Redis and one Postgres.
    Single(Box<Topology>),
    /// Three of each.
    Ha(Box<Ha>),
}

/// The same of both.
macro_rules! of_both {
    ($system:expr, $it:ident => $what:expr) => {
        match $system {
            System::Single($it) => $what,
            System::Ha($it) => $what,
        }
    };
}

impl System {
    /// The front door's address, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        self.front_door().url()
    }

    /// The front door.
    #[must_use]
    pub fn front_door(&self) -> &FrontDoor {
        of_both!(self, it => it.front_door())
    }

    /// The API token whose hash the services were given.
    #[must_use]
    pub fn token(&self) -> &str {
        of_both!(self, it => it.token())
    }

    /// Its share of the stores.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        of_both!(self, it => it.tenant())
    }

    /// Everything that it started.
    #[must_use]
    pub fn processes(&self) -> Vec<&Process> {
        of_both!(self, it => it.processes())
    }

    /// The process of this name.
    ///
    /// # Errors
    /// [`TestbedError::NoSuchProcess`](crate::TestbedError::NoSuchProcess).
    pub fn process(&self, name: &str) -> Result<&Process> {
        of_both!(self, it => it.process(name))
    }

    /// Each service's own address, by its name.
    #[must_use]
    pub fn service_urls(&self) -> Vec<(String, String)> {
        of_both!(self, it => it.service_urls())
    }

    /// The ends of all logs.
    #[must_use]
    pub fn log_tails(&self, lines: usize) -> String {
        of_both!(self, it => it.log_tails(lines))
    }

    /// Stops everything in the reverse order of starting.
    ///
    /// # Errors
    /// When a signal can't be sent.
    pub async fn stop(&self) -> Result<()> {
        of_both!(self, it => it.stop().await)
    }
}
