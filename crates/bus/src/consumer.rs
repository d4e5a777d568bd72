//! Consumers: one group per service, one consumer name per process.
//!
//! What a crash leads to: before the group has delivered an entry, nothing; after, the entry stays pending under the dead
//! consumer's name until another takes it over by [`Consumer::take_over`], or one of that name asks by
//! [`Consumer::read_again`]; after [`Batch::ack`], nothing.

use std::collections::HashMap;
use std::time::Duration;

use redis::streams::{StreamAutoClaimOptions, StreamAutoClaimReply, StreamId, StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands as _, Pipeline, Value};

use crate::connection::{Pool, Probe, within};
use crate::{BusConfig, BusError, Stream};

/// One connection that waits for entries, and two for acknowledging and taking over meanwhile.
const CONNECTIONS: u32 = 3;
/// Attempts at acknowledging a batch: one more than there are connections that may have died.
const ACK_ATTEMPTS: u32 = CONNECTIONS + 1;
/// Wait between two of them.
const ACK_RETRY_WAIT: Duration = Duration::from_millis(50);

/// Where a read begins: with what nobody was given yet, or with what this consumer was given (Redis' `XREADGROUP`).
const NEW: &str = ">";
const GIVEN: &str = "0";

/// A member of a stream's consumer group. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Consumer {
    pool: Pool,
    command_timeout: Duration,
    key: String,
    group: &'static str,
    name: String,
}

/// One entry as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id in the stream.
    pub id: String,
    /// Its fields.
    pub fields: HashMap<String, String>,
}

/// Entries that this consumer holds until it acknowledges them.
#[derive(Debug)]
#[must_use = "entries that are not acknowledged are delivered again"]
pub struct Batch {
    consumer: Consumer,
    entries: Vec<Entry>,
}

impl Batch {
    /// The entries, in the order of the stream.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Acknowledges and deletes every entry of the batch. Call it when what they ask for is durable elsewhere.
    ///
    /// Tried a few times, because a connection that died while it was idle is only found out by using it. After an error
    /// some entries may be delivered again.
    pub async fn ack(self) -> Result<(), BusError> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = self.entries.iter().map(|entry| entry.id.as_str()).collect();
        let Consumer { key, group, .. } = &self.consumer;
        let mut pipeline = redis::pipe();
        pipeline.xack(key, group, &ids).ignore().xdel(key, &ids).ignore();
        let mut attempt = 1;
        loop {
            match self.consumer.run(&pipeline).await {
                Err(error) if attempt < ACK_ATTEMPTS => {
                    tracing::debug!(%error, attempt, "acknowledging again");
                    attempt += 1;
                    tokio::time::sleep(ACK_RETRY_WAIT).await;
                }
                result => return result,
            }
        }
    }
}

impl Consumer {
    /// Makes this process `name` a member of `group`. Connects when first used.
    pub fn new(config: &BusConfig, stream: Stream, group: &'static str, name: &str) -> Result<Self, BusError> {
        let pool = Pool::new(config, CONNECTIONS, Probe::Never)?;
        let key = stream.key(&config.prefix);
        Ok(Self { pool, command_timeout: config.command_timeout, key, group, name: name.to_owned() })
    }

    /// Waits up to `block` for new entries, and takes at most `max`. Makes the group if it is not there, reading the
    /// stream from its beginning: after a failover that lost the group, everything comes again rather than nothing.
    pub async fn read(&self, max: usize, block: Duration) -> Result<Batch, BusError> {
        self.read_with(StreamReadOptions::default(), NEW, max, block).await
    }

    /// What this consumer was given and has not acknowledged, the oldest first: by a read whose answer was lost, or in an
    /// earlier life under this name. Not to be asked for while a batch is held, which would be given once more.
    pub async fn read_again(&self, max: usize) -> Result<Batch, BusError> {
        // Redis does not wait where it is asked for what it has given before.
        self.read_with(StreamReadOptions::default(), GIVEN, max, Duration::ZERO).await
    }

    /// Like [`Consumer::read`], but at most once: what is returned counts as acknowledged. For wake-ups, whose loss costs
    /// little and whose redelivery is worth nothing. Says how many there were.
    pub async fn take(&self, max: usize, block: Duration) -> Result<usize, BusError> {
        let batch = self.read_with(StreamReadOptions::default().noack(), NEW, max, block).await?;
        let ids: Vec<&str> = batch.entries.iter().map(|entry| entry.id.as_str()).collect();
        if !ids.is_empty() {
            let mut connection = self.pool.get().await?;
            within(self.command_timeout, connection.xdel::<_, _, ()>(&self.key, &ids)).await?;
        }
        Ok(ids.len())
    }

    async fn read_with(
        &self,
        options: StreamReadOptions,
        after: &str,
        max: usize,
        block: Duration,
    ) -> Result<Batch, BusError> {
        let block_ms = usize::try_from(block.as_millis()).unwrap_or(usize::MAX).max(1);
        let options = options.group(self.group, &self.name).count(max).block(block_ms);
        let mut connection = self.pool.get().await?;
        let (keys, ids) = ([&self.key], [after]);
        let read = connection.xread_options::<_, _, Option<StreamReadReply>>(&keys, &ids, &options);
        let reply = within(block + self.command_timeout, read).await;
        drop(connection);
        match reply {
            Ok(reply) => {
                let ids = reply.unwrap_or_default().keys.into_iter().flat_map(|stream| stream.ids);
                Ok(self.batch(ids))
            }
            Err(BusError::Consume(error)) if error.code() == Some("NOGROUP") => {
                self.create_group().await?;
                Ok(self.batch(std::iter::empty()))
            }
            Err(error) => Err(error),
        }
    }

    /// Takes over at most `max` entries that any consumer of the group has held for longer than `idle`. `idle` must exceed
    /// the time that handling may take, or an entry would be in two hands.
    pub async fn take_over(&self, max: usize, idle: Duration) -> Result<Batch, BusError> {
        let idle_ms = usize::try_from(idle.as_millis()).unwrap_or(usize::MAX);
        let options = StreamAutoClaimOptions::default().count(max);
        let mut connection = self.pool.get().await?;
        let claim = connection.xautoclaim_options::<_, _, _, _, _, StreamAutoClaimReply>(
            &self.key, self.group, &self.name, idle_ms, "0-0", options,
        );
        match within(self.command_timeout, claim).await {
            Ok(reply) => Ok(self.batch(reply.claimed)),
            Err(BusError::Consume(error)) if error.code() == Some("NOGROUP") => Ok(self.batch(std::iter::empty())),
            Err(error) => Err(error),
        }
    }

    async fn run(&self, pipeline: &Pipeline) -> Result<(), BusError> {
        let mut connection = self.pool.get().await?;
        within(self.command_timeout, pipeline.query_async::<()>(&mut *connection)).await
    }

    /// Whether Redis answers.
    pub async fn ping(&self) -> bool {
        let Ok(mut connection) = self.pool.get().await else {
            return false;
        };
        within(self.command_timeout, connection.ping::<()>()).await.is_ok()
    }

    async fn create_group(&self) -> Result<(), BusError> {
        let mut connection = self.pool.get().await?;
        let created = connection.xgroup_create_mkstream::<_, _, _, ()>(&self.key, self.group, "0");
        match within(self.command_timeout, created).await {
            Err(BusError::Consume(error)) if error.code() == Some("BUSYGROUP") => Ok(()),
            Ok(()) => {
                tracing::info!(stream = self.key, group = self.group, "made the consumer group");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn batch(&self, ids: impl IntoIterator<Item = StreamId>) -> Batch {
        let entries = ids.into_iter().map(Entry::from).collect();
        Batch { consumer: self.clone(), entries }
    }
}

impl From<StreamId> for Entry {
    fn from(entry: StreamId) -> Self {
        let text = |value: Value| match value {
            Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Value::SimpleString(text) => text,
            // A stream holds nothing else; what cannot be read is found out by whoever reads the entry.
            _ => String::new(),
        };
        Self { id: entry.id, fields: entry.map.into_iter().map(|(name, value)| (name, text(value))).collect() }
    }
}
