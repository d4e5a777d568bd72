//! How fast all notifiers together may call a destination: several limits at once, and pauses that the destination asked for.
//!
//! A destination is one key. It holds a time per limit, as in [`RateLimits`](crate::RateLimits), and the time until which
//! nobody may call it. Cells are taken of all its limits or of none, in one script, by Redis' clock.

use std::sync::Arc;
use std::time::Duration;

use fred::types::scripts::Script;

use crate::client::Link;
use crate::{BusConfig, BusError, Quota};

/// `KEYS[1]`: the destination. `ARGV`: cells wanted; microseconds for which nobody may call it from now on; then of each limit
/// the microseconds between two cells, and the most cells ahead.
/// Answers cells taken, cells left, microseconds until there is one more.
const TAKE: &str = "\
local wanted, hold, limits = tonumber(ARGV[1]), tonumber(ARGV[2]), (#ARGV - 2) / 2
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local fields = {'held'}
for i = 1, limits do fields[i + 1] = tostring(i) end
local known = redis.call('HMGET', KEYS[1], unpack(fields))
local held = math.max(tonumber(known[1] or 0), now)
local last, taken, left = held, wanted, nil
if hold > 0 then held = math.max(held, now + hold) end
local arrivals = {}
for i = 1, limits do
  local interval, burst = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  arrivals[i] = math.max(tonumber(known[i + 1] or 0), now)
  local free = math.max(0, math.floor((burst * interval - (arrivals[i] - now)) / interval + 0.000001))
  taken = math.min(taken, free)
  left = math.min(left or free, free)
end
if held > now then taken, left = 0, 0 end
left = math.max(0, (left or wanted) - taken)
local next_in, write = held - now, {}
if hold > 0 then write = {'held', string.format('%.0f', held)} end
last = math.max(last, held)
for i = 1, limits do
  local interval, burst = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  if taken > 0 then
    arrivals[i] = arrivals[i] + taken * interval
    write[#write + 1] = tostring(i)
    write[#write + 1] = string.format('%.3f', arrivals[i])
  end
  last = math.max(last, arrivals[i])
  next_in = math.max(next_in, arrivals[i] - now - (burst - 1) * interval)
end
if #write > 0 then
  redis.call('HSET', KEYS[1], unpack(write))
  redis.call('PEXPIRE', KEYS[1], math.ceil((last - now) / 1000) + 1)
end
return {taken, left, math.ceil(math.max(0, next_in))}";

/// What a destination granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leave {
    /// Calls that may be made now.
    pub taken: u32,
    /// Calls that could have been made beyond those.
    pub left: u32,
    /// Time until there is leave for one more call: none if there is some left.
    pub next_in: Duration,
}

/// The paces of a deployment. Cheap to clone.
#[derive(Clone)]
pub struct Paces {
    link: Link,
    take: Script,
    prefix: Arc<str>,
}

impl std::fmt::Debug for Paces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Paces").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Paces {
    /// Connects in the background, and goes on trying for as long as it lives. Must be called on a tokio runtime.
    pub fn start(config: &BusConfig) -> Result<Self, BusError> {
        Ok(Self {
            link: Link::start(config)?,
            take: Script::from_lua(TAKE),
            prefix: format!("{}:v1:{{0}}:pace:", config.prefix).into(),
        })
    }

    /// Takes leave for up to `calls` calls of a destination, within all of its limits at the same moment for all processes.
    pub async fn take(&self, destination: &str, quotas: &[Quota], calls: u32) -> Result<Leave, BusError> {
        self.run(destination, quotas, calls, Duration::ZERO).await
    }

    /// Lets nobody call a destination for this long. What somebody else asked for longer stays.
    pub async fn hold(&self, destination: &str, pause: Duration) -> Result<(), BusError> {
        self.run(destination, &[], 0, pause).await.map(drop)
    }

    async fn run(&self, destination: &str, quotas: &[Quota], calls: u32, hold: Duration) -> Result<Leave, BusError> {
        let mut arguments = vec![calls.to_string(), hold.as_micros().to_string()];
        for quota in quotas {
            arguments.push((quota.interval.as_secs_f64() * 1e6).to_string());
            arguments.push(quota.burst.to_string());
        }
        let key = format!("{}{destination}", self.prefix);
        let (taken, left, next_in): (u32, u32, u64) =
            self.take.evalsha_with_reload(&self.link.client().await?, key, arguments).await?;
        Ok(Leave { taken, left, next_in: Duration::from_micros(next_in) })
    }

    /// Closes the connection, when all that was sent is answered.
    pub async fn close(self) {
        self.link.close().await;
    }
}
