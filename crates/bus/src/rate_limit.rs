//! One rate limit for all processes: the generic cell rate algorithm (ITU-T I.371), in Redis.
//!
//! A limit is a row of cells, one every `interval`; a key may be ahead of its row by at most `burst` cells. What is kept is
//! one time per key: when the cells that were taken will have been earned back (the *theoretical arrival time*).

use std::sync::Arc;
use std::time::Duration;

use fred::types::scripts::Script;

use crate::client::Link;
use crate::{BusConfig, BusError};

/// `KEYS[1]`: the key. `ARGV`: microseconds between two cells; most cells ahead; cells wanted.
/// Answers cells taken, cells left, microseconds until the next cell, microseconds until all are there again.
const TAKE: &str = "\
local interval, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local free = math.floor((burst * interval - (arrival - now)) / interval + 0.000001)
local taken = math.max(0, math.min(wanted, free))
if taken > 0 then
  arrival = arrival + taken * interval
  redis.call('SET', KEYS[1], string.format('%.3f', arrival), 'PX', math.ceil((arrival - now) / 1000) + 1)
end
local next_in = 0
if taken < wanted then next_in = math.max(0, arrival - now - (burst - 1) * interval) end
return {taken, math.max(0, free - taken), math.ceil(next_in), math.ceil(arrival - now)}";

/// How much is allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quota {
    /// Time in which one cell is earned.
    pub interval: Duration,
    /// Cells that may be taken at once.
    pub burst: u32,
}

/// What was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Cells taken: none means that the limit is reached.
    pub taken: u32,
    /// Cells left after that.
    pub left: u32,
    /// Time until the next cell, when fewer were taken than wanted.
    pub next_in: Duration,
    /// Time until all cells are there again.
    pub whole_in: Duration,
}

/// The limits of a deployment. Cheap to clone.
#[derive(Clone)]
pub struct RateLimits {
    link: Link,
    take: Script,
    prefix: Arc<str>,
}

impl std::fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimits").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl RateLimits {
    /// Connects in the background, and goes on trying for as long as it lives. Must be called on a tokio runtime.
    pub fn start(config: &BusConfig) -> Result<Self, BusError> {
        Ok(Self {
            link: Link::start(config)?,
            take: Script::from_lua(TAKE),
            prefix: format!("{}:v1:{{0}}:limit:", config.prefix).into(),
        })
    }

    /// Takes up to `cells` of the row that `key` names, all at the same moment for all processes.
    pub async fn take(&self, key: &str, quota: Quota, cells: u32) -> Result<Grant, BusError> {
        let interval = quota.interval.as_secs_f64() * 1e6;
        let arguments = vec![interval.to_string(), quota.burst.to_string(), cells.to_string()];
        let key = format!("{}{key}", self.prefix);
        let (taken, left, next_in, whole_in): (u32, u32, u64, u64) =
            self.take.evalsha_with_reload(&self.link.client().await?, key, arguments).await?;
        Ok(Grant { taken, left, next_in: Duration::from_micros(next_in), whole_in: Duration::from_micros(whole_in) })
    }

    /// Closes the connection, when all that was sent is answered.
    pub async fn close(self) {
        self.link.close().await;
    }
}
