//! What each process says of itself, for the people who look after Tocsin: one field of a hash for each, written every two
//! seconds. It says when it was written, so that whoever reads it can tell who is gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fred::interfaces::ClientLike as _;
use fred::types::{ClusterHash, CustomCommand, Value};
use redis::AsyncCommands as _;
use redis::streams::StreamInfoGroupsReply;

use crate::client::Link;
use crate::connection::{Pool, Probe, within};
use crate::{BusConfig, BusError, Stream, keys};

/// Time between two reports of a process.
const INTERVAL: Duration = Duration::from_secs(2);
/// Connections of who reads the reports.
const CONNECTIONS: u32 = 2;

/// Writes what a process says of itself, until `end`; then takes it back.
///
/// `next` makes the text, in JSON. `is_stale` says of another's text whether that one has been gone for long: those are removed
/// once, at the beginning. What cannot be said is not: it is about the last seconds.
pub async fn report(
    config: BusConfig,
    name: String,
    mut next: impl FnMut() -> String,
    is_stale: impl Fn(&str) -> bool,
    end: impl Future<Output = ()>,
) {
    let link = match Link::start(&config) {
        Ok(link) => link,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot say how this process is");
            return;
        }
    };
    let key: Arc<str> = keys::status(&config.prefix).into();
    let run = async |name: &'static str, arguments: Vec<Value>| {
        let command = CustomCommand::new_static(name, ClusterHash::FirstKey, false);
        Ok::<_, BusError>(link.client().await?.custom::<Value, _>(command, arguments).await?)
    };
    let key = || Value::from(&*key);
    let mut is_clean = false;
    tokio::pin!(end);
    loop {
        if !is_clean && let Ok(known) = run("HGETALL", vec![key()]).await {
            let known: HashMap<String, String> = known.convert().unwrap_or_default();
            let stale: Vec<String> =
                known.into_iter().filter(|(_, text)| is_stale(text)).map(|(name, _)| name).collect();
            for name in stale {
                let _ = run("HDEL", vec![key(), name.into()]).await;
            }
            is_clean = true;
        }
        if let Err(error) = run("HSET", vec![key(), name.as_str().into(), next().into()]).await {
            tracing::debug!(%error, "could not say how this process is");
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = &mut end => break,
        }
    }
    let _ = run("HDEL", vec![key(), name.into()]).await;
    link.close().await;
}

/// How it goes with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamFigures {
    /// Entries that are in it.
    pub length: u64,
    /// Entries that somebody has read and not acknowledged.
    pub pending: u64,
    /// Entries that nobody has read.
    pub lag: u64,
    /// When the oldest entry that was read and not acknowledged came, in milliseconds of Redis' clock since the epoch; for
    /// entries that nobody reads, when the last one was read.
    pub oldest_at_ms: Option<u64>,
}

/// Reads what processes say of themselves, and how it goes with the streams. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Overview {
    pool: Pool,
    timeout: Duration,
    prefix: String,
}

impl Overview {
    /// Connects when first used.
    pub fn new(config: &BusConfig) -> Result<Self, BusError> {
        let pool = Pool::new(config, CONNECTIONS, Probe::Taken)?;
        Ok(Self { pool, timeout: config.command_timeout, prefix: config.prefix.clone() })
    }

    /// What each process has said last, whenever that was.
    pub async fn statuses(&self) -> Result<Vec<String>, BusError> {
        let mut connection = self.pool.get().await?;
        within(self.timeout, connection.hvals(keys::status(&self.prefix))).await
    }

    /// How it goes with a stream; one that nobody has written to or read from is empty.
    pub async fn stream(&self, stream: Stream) -> Result<StreamFigures, BusError> {
        let key = stream.key(&self.prefix);
        let mut connection = self.pool.get().await?;
        let length: u64 = within(self.timeout, connection.xlen(&key)).await?;
        let groups: StreamInfoGroupsReply = match within(self.timeout, connection.xinfo_groups(&key)).await {
            Ok(groups) => groups,
            // Redis answers so where there is no stream.
            Err(BusError::Consume(error)) if error.code() == Some("ERR") => return Ok(StreamFigures::default()),
            Err(error) => return Err(error),
        };
        let mut figures = StreamFigures { length, ..StreamFigures::default() };
        for group in groups.groups {
            figures.pending += group.pending as u64;
            figures.lag = figures.lag.max(group.lag.unwrap_or_default() as u64);
            let oldest = if group.pending > 0 {
                let summary: (u64, Option<String>, Option<String>, redis::Value) = within(
                    self.timeout,
                    redis::cmd("XPENDING").arg(&key).arg(&group.name).query_async(&mut *connection),
                )
                .await?;
                summary.1
            } else {
                (figures.lag > 0).then_some(group.last_delivered_id)
            };
            let at = oldest.and_then(|id| id.split('-').next()?.parse::<u64>().ok()).filter(|at| *at > 0);
            figures.oldest_at_ms = figures.oldest_at_ms.into_iter().chain(at).min();
        }
        Ok(figures)
    }
}
