//! Producers: many requests over few shared connections.

use std::sync::Arc;
use std::time::Duration;

use fred::clients::Pool;
use fred::interfaces::{ClientLike as _, StreamsInterface as _};
use fred::types::Builder;
use fred::types::config::{Config, ReconnectPolicy};
use fred::types::streams::XCap;
use secrecy::ExposeSecret as _;
use tocsin_shared::Envelope;

use crate::{BusConfig, BusError, Stream};

/// Connections that a publisher shares among all its callers.
const CONNECTIONS: usize = 2;
/// Shortest and longest wait between two attempts to reconnect.
const RECONNECT_MIN: Duration = Duration::from_millis(50);
const RECONNECT_MAX: Duration = Duration::from_secs(1);
/// Most wake-ups that are kept. They only say "look at the ledger", so old ones may go: the ledger forgets nothing.
const MAX_WAKE_UPS: i64 = 10_000;

/// Appends to streams. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    pool: Pool,
    events: Arc<str>,
    notifications: Arc<str>,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("events", &self.events).finish_non_exhaustive()
    }
}

impl Publisher {
    /// Connects in the background, and goes on trying for as long as it lives: commands fail until Redis is there. Must
    /// be called on a tokio runtime.
    pub fn start(config: &BusConfig) -> Result<Self, BusError> {
        let mut redis =
            Config::from_url(config.url.expose_secret()).map_err(|error| BusError::Address(error.into()))?;
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
            .build_pool(CONNECTIONS)?;
        pool.connect();
        Ok(Self {
            pool,
            events: Stream::Events.key(&config.prefix).into(),
            notifications: Stream::Notifications.key(&config.prefix).into(),
        })
    }

    /// Appends a delivery to the events stream.
    ///
    /// `Ok` means that Redis has it in its append-only file, and with `appendfsync always` on disk. After an error it may
    /// or may not be there: send it again under the same id.
    pub async fn publish(&self, envelope: &Envelope) -> Result<(), BusError> {
        let fields = envelope.to_fields()?;
        let _id: String = self.pool.xadd(&*self.events, false, None::<()>, "*", Vec::from(fields)).await?;
        Ok(())
    }

    /// Wakes a notifier. Losing it costs up to a second: notifiers also look by themselves.
    pub async fn wake_notifier(&self) -> Result<(), BusError> {
        let cap: XCap = ("MAXLEN", "~", MAX_WAKE_UPS).try_into()?;
        let _id: String = self.pool.xadd(&*self.notifications, false, cap, "*", vec![("v", "1")]).await?;
        Ok(())
    }

    /// Whether Redis answers.
    pub async fn ping(&self) -> bool {
        self.pool.ping::<()>(None).await.is_ok()
    }

    /// Closes the connections, when all that was sent is answered.
    pub async fn close(self) {
        if let Err(error) = self.pool.quit().await {
            tracing::debug!(%error, "closing the connections to Redis failed");
        }
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
