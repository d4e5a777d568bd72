//! Connections of those who wait: one command at a time on each, for as long as it blocks.

use std::time::Duration;

use bb8::ManageConnection;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{
    AsyncCommands as _, AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo as _, Pipeline, RedisError, RedisFuture, Value,
};
use secrecy::ExposeSecret as _;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::sentinel::{Known, Nobody};
use crate::{BusConfig, BusError};

/// Shortest and longest wait between two attempts to connect.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_millis(200);

/// Bounds a command. One that is given up leaves a connection that is thrown away.
pub(crate) async fn within<T>(
    timeout: Duration,
    command: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, BusError> {
    match tokio::time::timeout(timeout, command).await {
        Ok(result) => Ok(result?),
        Err(_elapsed) => Err(BusError::Timeout),
    }
}

/// When a connection that has lain in the pool is asked whether it still works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Never: whoever takes it tries again by himself.
    Never,
    /// Each time that it is taken.
    Taken,
}

/// At most so many connections, which are opened when they are needed.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    inner: bb8::Pool<Connections>,
    /// Who leads, if Sentinels say so.
    primary: Option<watch::Receiver<Known>>,
}

impl Pool {
    /// Opens nothing yet.
    pub(crate) fn new(config: &BusConfig, size: u32, probe: Probe) -> Result<Self, BusError> {
        let connections = Connections::new(config, probe)?;
        let primary = connections.primary.clone();
        let inner = bb8::Pool::builder()
            .max_size(size)
            .connection_timeout(config.command_timeout)
            .test_on_check_out(true)
            // `connect` tries again by itself, sooner than the pool would.
            .retry_connection(false)
            .build_unchecked(connections);
        Ok(Self { inner, primary })
    }

    /// One that works, within the time of a command.
    pub(crate) async fn get(&self) -> Result<bb8::PooledConnection<'_, Connections>, BusError> {
        self.inner.get().await.map_err(|error| match error {
            bb8::RunError::User(error) => error.into(),
            bb8::RunError::TimedOut => self.nobody().map_or(BusError::Timeout, BusError::from),
        })
    }

    /// Why nobody is known to lead, if so.
    fn nobody(&self) -> Option<Nobody> {
        self.primary.as_ref()?.borrow().as_ref().err().copied()
    }
}

/// Makes connections for the pool.
#[derive(Debug)]
pub(crate) struct Connections {
    redis: ConnectionInfo,
    /// Who leads, if Sentinels say so.
    primary: Option<watch::Receiver<Known>>,
    timeout: Duration,
    probe: Probe,
}

impl Connections {
    /// Opens nothing yet.
    fn new(config: &BusConfig, probe: Probe) -> Result<Self, BusError> {
        let url = config.url.expose_secret();
        let redis = url.into_connection_info().map_err(|error| BusError::Address(error.into()))?;
        let primary = config.sentinels.as_ref().map(|sentinels| sentinels.primary(&config.url)).transpose()?;
        Ok(Self { redis, primary, timeout: config.command_timeout, probe })
    }

    async fn try_connect(&self) -> Result<Connection, RedisError> {
        let (redis, allegiance) = match &self.primary {
            None => (self.redis.clone(), None),
            Some(primary) => {
                let mut primary = primary.clone();
                let Ok(to) = primary.borrow_and_update().clone() else {
                    return Err((ErrorKind::Io, "nobody is known to lead").into());
                };
                let address = ConnectionAddr::Tcp(to.host.clone(), to.port);
                (self.redis.clone().set_addr(address), Some(Allegiance { primary }))
            }
        };
        // No response timeout: a blocking read takes as long as it was asked to. `within` bounds every command.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(Some(self.timeout));
        let client = Client::open(redis)?;
        let opening = client.get_multiplexed_async_connection_with_config(&config);
        let inner = Allegiance::guard(allegiance.clone(), opening).await?;
        Ok(Connection { inner, allegiance, broken: false, busy: false })
    }
}

impl ManageConnection for Connections {
    type Connection = Connection;
    type Error = RedisError;

    /// Tries until the pool's own time is over.
    async fn connect(&self) -> Result<Connection, RedisError> {
        let end = Instant::now() + self.timeout;
        let mut pause = RETRY_MIN;
        loop {
            match self.try_connect().await {
                Err(error) if Instant::now() + pause < end => {
                    tracing::debug!(%error, "connecting to Redis again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(RETRY_MAX);
                }
                result => return result,
            }
        }
    }

    async fn is_valid(&self, connection: &mut Connection) -> Result<(), RedisError> {
        if connection.allegiance.as_ref().is_some_and(Allegiance::is_over) {
            return Err(deposed());
        }
        if self.probe == Probe::Taken { connection.ping().await } else { Ok(()) }
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.broken || connection.busy || connection.allegiance.as_ref().is_some_and(Allegiance::is_over)
    }
}

/// To whom a connection leads: it is over when somebody else has become the primary.
#[derive(Debug, Clone)]
struct Allegiance {
    primary: watch::Receiver<Known>,
}

impl Allegiance {
    fn is_over(&self) -> bool {
        self.primary.has_changed().unwrap_or(false)
    }

    /// Gives a command up as soon as its Redis is the primary no more: it may hang, and may wait for what never comes.
    async fn guard<T>(
        allegiance: Option<Self>,
        command: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, RedisError> {
        let Some(Self { mut primary }) = allegiance else { return command.await };
        tokio::select! {
            biased;
            Ok(()) = primary.changed() => Err(deposed()),
            result = command => result,
        }
    }
}

fn deposed() -> RedisError {
    std::io::Error::new(std::io::ErrorKind::ConnectionAborted, "this Redis is the primary no more").into()
}

/// A connection that knows when it must not be used again: after an input/output error, when a command on it was given up
/// (its reply, or a blocking read that still waits, would meet the next user), or when its Redis is the primary no more.
#[derive(Debug)]
pub(crate) struct Connection {
    inner: MultiplexedConnection,
    allegiance: Option<Allegiance>,
    broken: bool,
    busy: bool,
}

impl Connection {
    fn finished<T>(&mut self, result: Result<T, RedisError>) -> Result<T, RedisError> {
        self.busy = false;
        if let Err(error) = &result {
            self.broken |= error.is_io_error() || error.is_connection_dropped() || error.kind() == ErrorKind::Parse;
        }
        result
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            self.busy = true;
            let command = self.inner.req_packed_command(cmd);
            let result = Allegiance::guard(self.allegiance.clone(), command).await;
            self.finished(result)
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            self.busy = true;
            let commands = self.inner.req_packed_commands(pipeline, offset, count);
            let result = Allegiance::guard(self.allegiance.clone(), commands).await;
            self.finished(result)
        })
    }

    fn get_db(&self) -> i64 {
        self.inner.get_db()
    }
}
