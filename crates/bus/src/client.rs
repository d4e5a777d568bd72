//! Connections of producers: shared, pipelining, reconnecting by themselves.
//!
//! Where Sentinels say who leads, a new primary gets a new connection, and the one to the old primary is cut at once: what was
//! under way there fails, and is not waited for.

use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::ClientLike as _;
use fred::types::config::{Config, ReconnectPolicy, Server, ServerConfig};
use fred::types::{Builder, ConnectHandle};
use secrecy::ExposeSecret as _;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::sentinel::{Known, Primary};
use crate::{BusConfig, BusError};

/// Shortest and longest wait between two attempts to reconnect.
const RECONNECT_MIN: Duration = Duration::from_millis(50);
const RECONNECT_MAX: Duration = Duration::from_millis(200);
/// Time for closing a connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// One connection to whichever Redis leads. Clones share it; it is closed when the last is dropped.
#[derive(Clone)]
pub(crate) struct Link {
    client: watch::Receiver<Option<Client>>,
    /// Who leads, where Sentinels say so.
    primary: Option<watch::Receiver<Known>>,
    timeout: Duration,
    _driver: Arc<Driver>,
}

/// What keeps the connection up.
enum Driver {
    /// To one address.
    Fixed(#[expect(dead_code, reason = "held for its drop")] Connected),
    /// To whoever leads.
    Following(#[expect(dead_code, reason = "held for its drop")] JoinSet<()>),
}

/// A client that reconnects by itself, until this is dropped.
struct Connected(ConnectHandle);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Link {
    /// Connects in the background, and goes on trying for as long as it lives: commands fail until Redis is there. Must be
    /// called on a tokio runtime.
    pub(crate) fn start(config: &BusConfig) -> Result<Self, BusError> {
        let mut redis =
            Config::from_url(config.url.expose_secret()).map_err(|error| BusError::Address(error.into()))?;
        // The first connection is tried again like every later one: services may start before Redis does.
        redis.fail_fast = false;
        let timeout = config.command_timeout;
        let (sender, client) = watch::channel(None);
        let primary = config.sentinels.as_ref().map(|sentinels| sentinels.primary(&config.url)).transpose()?;
        let driver = if let Some(primary) = &primary {
            let mut following = JoinSet::new();
            following.spawn(follow(redis, timeout, primary.clone(), sender));
            Driver::Following(following)
        } else {
            let (client, connected) = connect(redis, timeout)?;
            sender.send_replace(Some(client));
            Driver::Fixed(connected)
        };
        Ok(Self { client, primary, timeout, _driver: Arc::new(driver) })
    }

    /// The client to use now. Waits for as long as a command may take while nobody is known to lead.
    pub(crate) async fn client(&self) -> Result<Client, BusError> {
        if let Some(client) = &*self.client.borrow() {
            return Ok(client.clone());
        }
        let mut clients = self.client.clone();
        let known = tokio::time::timeout(self.timeout, clients.wait_for(Option::is_some)).await;
        known.ok().and_then(|client| client.ok()?.clone()).ok_or_else(|| self.nobody())
    }

    /// Why there is no client.
    fn nobody(&self) -> BusError {
        let known = self.primary.as_ref().map(|primary| primary.borrow().clone());
        known.and_then(Result::err).map_or(BusError::NoPrimary, BusError::from)
    }

    /// Closes the connection, when all that was sent is answered.
    pub(crate) async fn close(&self) {
        let client = self.client.borrow().clone();
        let Some(client) = client else { return };
        match tokio::time::timeout(CLOSE_TIMEOUT, client.quit()).await {
            Ok(Err(error)) => tracing::debug!(%error, "closing the connection to Redis failed"),
            Err(_elapsed) => tracing::debug!("closing the connection to Redis took too long"),
            Ok(Ok(())) => {}
        }
    }
}

/// Keeps a client of whoever leads.
async fn follow(
    redis: Config,
    timeout: Duration,
    mut primaries: watch::Receiver<Known>,
    clients: watch::Sender<Option<Client>>,
) {
    let mut _connected = None;
    loop {
        let primary = primaries.borrow_and_update().clone();
        if let Ok(Primary { host, port }) = primary {
            let server = ServerConfig::Centralized { server: Server::new(host, port) };
            match connect(Config { server, ..redis.clone() }, timeout) {
                Ok((client, connected)) => {
                    clients.send_replace(Some(client));
                    _connected = Some(connected);
                }
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "cannot connect to the primary");
                }
            }
        }
        if primaries.changed().await.is_err() {
            return;
        }
    }
}

fn connect(redis: Config, timeout: Duration) -> Result<(Client, Connected), BusError> {
    let client = Builder::from_config(redis)
        .with_performance_config(|performance| performance.default_command_timeout = timeout)
        .with_connection_config(|connection| {
            connection.connection_timeout = timeout;
            connection.internal_command_timeout = timeout;
            // One attempt: whoever asked has a deadline and a way of its own to go on.
            connection.max_command_attempts = 1;
        })
        .set_policy(ReconnectPolicy::new_exponential(0, millis(RECONNECT_MIN), millis(RECONNECT_MAX), 2))
        .build()?;
    let connected = Connected(client.connect());
    Ok((client, connected))
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
