//! Connections of those who wait: one command at a time on each, for as long as it blocks.

use std::time::Duration;

use bb8::ManageConnection;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{
    AsyncCommands as _, AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, Value,
};
use secrecy::ExposeSecret as _;

use crate::{BusConfig, BusError};

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

/// Makes connections for the pool.
#[derive(Debug)]
pub(crate) struct Connections {
    client: Client,
    timeout: Duration,
}

impl Connections {
    /// Opens nothing yet.
    pub(crate) fn new(config: &BusConfig) -> Result<Self, BusError> {
        let client = Client::open(config.url.expose_secret()).map_err(|error| BusError::Address(error.into()))?;
        Ok(Self { client, timeout: config.command_timeout })
    }
}

impl ManageConnection for Connections {
    type Connection = Connection;
    type Error = RedisError;

    async fn connect(&self) -> Result<Connection, RedisError> {
        // No response timeout: a blocking read takes as long as it was asked to. `within` bounds every command.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(Some(self.timeout));
        let inner = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(Connection { inner, broken: false, busy: false })
    }

    async fn is_valid(&self, connection: &mut Connection) -> Result<(), RedisError> {
        connection.ping().await
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.broken || connection.busy
    }
}

/// A connection that knows when it must not be used again: after an input/output error, or when a command on it was given
/// up (its reply, or a blocking read that still waits, would meet the next user).
#[derive(Debug)]
pub(crate) struct Connection {
    inner: MultiplexedConnection,
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
            let result = self.inner.req_packed_command(cmd).await;
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
            let result = self.inner.req_packed_commands(pipeline, offset, count).await;
            self.finished(result)
        })
    }

    fn get_db(&self) -> i64 {
        self.inner.get_db()
    }
}
