//! Connections of producers: shared, pipelining, reconnecting by themselves.

use std::time::Duration;

use fred::clients::Pool;
use fred::interfaces::ClientLike as _;
use fred::types::Builder;
use fred::types::config::{Config, ReconnectPolicy};
use secrecy::ExposeSecret as _;

use crate::{BusConfig, BusError};

/// Shortest and longest wait between two attempts to reconnect.
const RECONNECT_MIN: Duration = Duration::from_millis(50);
const RECONNECT_MAX: Duration = Duration::from_millis(500);

/// Connects in the background, and goes on trying for as long as the pool lives: commands fail until Redis is there. Must
/// be called on a tokio runtime.
pub(crate) fn connect(config: &BusConfig, connections: usize) -> Result<Pool, BusError> {
    let mut redis = Config::from_url(config.url.expose_secret()).map_err(|error| BusError::Address(error.into()))?;
    // The first connection is tried again like every later one: services may start before Redis does.
    redis.fail_fast = false;
    let timeout = config.command_timeout;
    let pool = Builder::from_config(redis)
        .with_performance_config(|performance| performance.default_command_timeout = timeout)
        .with_connection_config(|connection| {
            connection.connection_timeout = timeout;
            connection.internal_command_timeout = timeout;
            // One attempt: whoever asked has a deadline and a way of its own to go on.
            connection.max_command_attempts = 1;
        })
        .set_policy(ReconnectPolicy::new_exponential(0, millis(RECONNECT_MIN), millis(RECONNECT_MAX), 2))
        .build_pool(connections)?;
    pool.connect();
    Ok(pool)
}

/// Closes the connections, when all that was sent is answered.
pub(crate) async fn close(pool: &Pool) {
    if let Err(error) = pool.quit().await {
        tracing::debug!(%error, "closing the connections to Redis failed");
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
