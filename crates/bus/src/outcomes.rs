//! Waiting for what became of a command.
//!
//! The worker leaves the outcome at a key of the command's own, where it lies for a while: it does not matter whether
//! somebody waits there already. Each one who waits blocks a connection, so there is a bound on them.

use std::time::Duration;

use redis::AsyncCommands as _;
use tocsin_shared::CommandId;

use crate::connection::{Pool, Probe};
use crate::{BusConfig, BusError, keys};

/// Most that wait at the same time.
const MAX_WAITING: u32 = 32;

/// Where outcomes are awaited. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outcomes {
    pool: Pool,
    prefix: String,
}

impl Outcomes {
    /// Connects when first used.
    pub fn new(config: &BusConfig) -> Result<Self, BusError> {
        // People act now and then: between two actions Redis may have been restarted.
        let pool = Pool::new(config, MAX_WAITING, Probe::Taken)?;
        Ok(Self { pool, prefix: config.prefix.clone() })
    }

    /// Takes the outcome that [`Publisher::outcome`](crate::Publisher::outcome) left or leaves within `timeout`. `None` if
    /// there is none by then, or if 32 others were waiting all the while: it says nothing about the command.
    pub async fn wait(&self, id: CommandId, timeout: Duration) -> Result<Option<String>, BusError> {
        let key = keys::outcome(&self.prefix, id);
        let taking = async {
            let mut connection = match self.pool.get().await {
                Ok(connection) => connection,
                Err(BusError::Timeout) => return Ok(None),
                Err(error) => return Err(error),
            };
            let popped: Option<[String; 2]> = connection.blpop(&key, timeout.as_secs_f64()).await?;
            Ok(popped.map(|[_key, outcome]| outcome))
        };
        // Redis' own timeout begins when it is asked; ours bounds the whole.
        tokio::time::timeout(timeout, taking).await.unwrap_or(Ok(None))
    }
}
