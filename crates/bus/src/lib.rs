//! The backbone: Redis Streams, with what Tocsin needs of them and nothing else. The only crate that names Redis.
//!
//! **Two clients, on purpose.** Producers use `fred`: one connection carries the commands of many requests at once,
//! pipelined, reconnecting by itself. Consumers use `redis` behind `bb8`: a blocking
//! `XREADGROUP` holds a connection of its own for as long as it waits, and gives typed stream replies. Neither client does
//! the other's part well (see `docs/adr/0001-two-redis-clients.md`).
//!
//! **Guarantee.** At least once: an entry is delivered until it is acknowledged, to one consumer of the group at a time,
//! and to another when its consumer has been silent for too long. Whoever applies entries must therefore recognise
//! repeats. Entries are deleted when they are acknowledged, and never by the length of the stream.

mod changes;
mod client;
mod commands;
mod connection;
mod consumer;
mod error;
mod event_log;
mod keys;
mod outcomes;
mod pace;
mod publisher;
mod rate_limit;
mod recent;
mod sentinel;
mod status;

use std::time::Duration;

pub use changes::{Change, Changes, is_position};
pub use commands::Commands;
pub use consumer::{Batch, Consumer, Entry};
pub use error::BusError;
pub use event_log::EventLog;
pub use keys::Stream;
pub use outcomes::Outcomes;
pub use pace::{Leave, Paces};
pub use publisher::Publisher;
pub use rate_limit::{Grant, Quota, RateLimits};
use secrecy::SecretString;
pub use sentinel::Sentinels;
pub use status::{Overview, StreamFigures, report};

/// How to reach Redis.
#[derive(Debug, Clone)]
pub struct BusConfig {
    /// `redis://[user:password@]host:port[/db]`.
    pub url: SecretString,
    /// Who say which Redis leads, instead of host and port of `url`.
    pub sentinels: Option<Sentinels>,
    /// First part of every key.
    pub prefix: String,
    /// Longest time that one command may take, waiting for a connection included.
    pub command_timeout: Duration,
}
