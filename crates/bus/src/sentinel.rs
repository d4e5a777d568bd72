//! Who leads: the Redis that takes writes, as Sentinels say.
//!
//! All Sentinels are asked at once, each under a short deadline, so that one that hangs delays nobody. The newest
//! configuration wins, and is believed when the Redis that it names says itself that it leads. Sentinels tell of a change as
//! it happens; besides they are asked each second, and four times a second while nobody leads.
//!
//! **Limit.** A service that reaches the old primary and none of the Sentinels that have elected another goes on talking to
//! the old one. What makes that harmless is `WAIT`: no replica acknowledges there.

mod view;
mod watch;

use std::fmt;
use std::sync::{Arc, OnceLock};

use secrecy::SecretString;
use tokio::sync::watch as channel;

use crate::BusError;

/// The Redis that leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Primary {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Who leads, or why nobody is known to.
pub(crate) type Known = Result<Primary, Nobody>;

/// Why nobody is known to lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nobody {
    /// No Sentinel has answered yet, or whom they name does not lead.
    Unknown,
    /// No Sentinel answers but those that refuse our login.
    Refused,
}

impl From<Nobody> for BusError {
    fn from(nobody: Nobody) -> Self {
        match nobody {
            Nobody::Unknown => Self::NoPrimary,
            Nobody::Refused => Self::SentinelLogin,
        }
    }
}

impl fmt::Display for Primary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The Sentinels of a deployment, and what one watcher per process knows from them. Clones share it.
#[derive(Clone)]
pub struct Sentinels(Arc<Shared>);

struct Shared {
    group: Group,
    known: OnceLock<channel::Receiver<Known>>,
}

/// Whom to ask for what.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    addresses: Vec<(String, u16)>,
    name: String,
    /// The user, if not the default one, and the password.
    login: Option<(Option<String>, SecretString)>,
}

impl Sentinels {
    /// Sentinels at `addresses` that watch a primary by this name; those that ask for a login get the user (`None` is the
    /// default user) and the password. Asks nobody yet.
    #[must_use]
    pub fn new(addresses: Vec<(String, u16)>, name: String, login: Option<(Option<String>, SecretString)>) -> Self {
        Self(Arc::new(Shared { group: Group { addresses, name, login }, known: OnceLock::new() }))
    }

    /// Who leads now, and from now on. The first call starts the watcher, which goes on for as long as somebody listens.
    /// `url` has what is needed to log in at a Redis. Must be called on a tokio runtime.
    pub(crate) fn primary(&self, url: &SecretString) -> Result<channel::Receiver<Known>, BusError> {
        if let Some(known) = self.0.known.get() {
            return Ok(known.clone());
        }
        let watcher = watch::Watcher::new(self.0.group.clone(), url)?;
        Ok(self.0.known.get_or_init(|| watcher.start()).clone())
    }
}

impl fmt::Debug for Sentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sentinels").field(&self.0.group).finish()
    }
}
