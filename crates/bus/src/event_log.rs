//! Appending deliveries to the events stream, so that they are durable when it is said that they are.
//!
//! **Guarantee.** What [`EventLog::append`] returns `Ok` for is in the primary's append-only file, and acknowledged by as
//! many replicas as were asked for (`WAIT`); where none are, the file is synchronised before Redis answers
//! (`appendfsync always`, which [`EventLog::probe`] checks). It holds for a whole batch: one script appends its entries,
//! all or none.
//!
//! **Limit.** `WAIT 1` covers one failure. A primary that is lost together with the replica that acknowledged takes the
//! entry with it.
//!
//! **A Redis that is emptied.** The process keeps what it appended in the last half minute, and [`EventLog::restore`] appends it
//! again; when to do that, [`EventLog::origin`] tells.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fred::clients::Client;
use fred::interfaces::{
    ClientLike as _, ConfigInterface as _, KeysInterface as _, LuaInterface as _, ServerInterface as _,
    StreamsInterface as _,
};
use fred::types::scripts::Script;
use fred::types::{ClusterHash, CustomCommand, Expiration, SetOptions, Value};
use tocsin_shared::envelope::{FIELDS, Written};

use crate::client::Link;
use crate::kept::{Entry, Kept};
use crate::{BusConfig, BusError, Stream};

/// How long the probe's key lives, in milliseconds.
const PROBE_TTL_MS: i64 = 10_000;

/// Entries that are appended again at a time.
const RESTORED_AT_A_TIME: usize = 256;

/// Appends deliveries over one connection of its own. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct EventLog {
    link: Link,
    append: Script,
    events: Arc<str>,
    probe: Arc<str>,
    origin: Arc<str>,
    kept: Arc<Kept>,
    replicas: u32,
    timeout: Duration,
}

impl std::fmt::Debug for EventLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventLog")
            .field("events", &self.events)
            .field("replicas", &self.replicas)
            .finish_non_exhaustive()
    }
}

impl EventLog {
    /// Connects in the background, and goes on trying for as long as it lives: everything fails until Redis is there. Must
    /// be called on a tokio runtime. `replicas` must acknowledge each batch.
    pub fn start(config: &BusConfig, replicas: u32) -> Result<Self, BusError> {
        Ok(Self {
            link: Link::start(config)?,
            append: Script::from_lua(append_script()),
            events: Stream::Events.key(&config.prefix).into(),
            probe: format!("{}:v1:{{0}}:probe", config.prefix).into(),
            origin: format!("{}:v1:{{0}}:origin", config.prefix).into(),
            kept: Arc::default(),
            replicas,
            timeout: config.command_timeout,
        })
    }

    /// Keeps what it appends together with `other`, so that one of them can restore what both have appended.
    #[must_use]
    pub fn keeping_with(self, other: &Self) -> Self {
        Self { kept: Arc::clone(&other.kept), ..self }
    }

    /// Appends entries, all of them or none. After an error they may be there or not: send them again under their ids.
    ///
    /// Fails after a restart of Redis until somebody's [`EventLog::probe`] has succeeded.
    pub async fn append(&self, entries: Vec<Written>) -> Result<(), BusError> {
        let entries: Vec<Entry> = entries.into_iter().map(Entry::from).collect();
        // Before it is said that they are there: what is said to be there can be restored.
        self.kept.keep(entries.clone(), Instant::now());
        self.append_entries(&entries).await
    }

    /// What tells one Redis from the same Redis emptied: a mark that is lost together with the entries. Made where there is none.
    pub async fn origin(&self) -> Result<String, BusError> {
        let fresh = format!("{:032x}", rand::random::<u128>());
        let client = self.link.client().await?;
        let known: Option<String> = client.set(&*self.origin, &fresh, None, Some(SetOptions::NX), true).await?;
        Ok(known.unwrap_or(fresh))
    }

    /// Appends again what this process has appended in the last half minute, up to 4 MiB of it, and says how many entries that
    /// were. What was applied is known to the worker, and acts once.
    pub async fn restore(&self) -> Result<usize, BusError> {
        let kept = self.kept.all(Instant::now());
        for entries in kept.chunks(RESTORED_AT_A_TIME) {
            self.append_entries(entries).await?;
        }
        Ok(kept.len())
    }

    async fn append_entries(&self, entries: &[Entry]) -> Result<(), BusError> {
        let mut arguments = Vec::with_capacity(3 + entries.len() * FIELDS.len());
        arguments.extend([self.append.sha1().clone().into(), 1.into(), Value::from(&*self.events)]);
        for entry in entries {
            // The client keeps parts of the one text: no value is copied before it is sent.
            let mut start = 0;
            let parts = entry.ends.map(|end| Value::Bytes(entry.text.slice(std::mem::replace(&mut start, end)..end)));
            arguments.extend(parts);
        }
        let append = CustomCommand::new_static("EVALSHA", ClusterHash::FirstKey, false);
        if self.replicas == 0 {
            return Ok(self.link.client().await?.custom(append, arguments).await?);
        }
        let pipeline = self.link.client().await?.pipeline();
        let () = pipeline.custom(append, arguments).await?;
        let () = pipeline.wait(self.replicas.into(), self.wait_timeout_ms()).await?;
        let mut answers = pipeline.try_all::<Value>().await.into_iter();
        answers.next().ok_or(BusError::Timeout)??;
        self.check_replicas(&answers.next().ok_or(BusError::Timeout)??)
    }

    /// Whether an append would be durable right now. Writes as an append does, where it does no harm, and makes appends
    /// possible after a restart.
    pub async fn probe(&self) -> Result<(), BusError> {
        let client = self.link.client().await?;
        self.check_configuration(&client).await?;
        let _digest: String = client.script_load(append_script()).await?;
        let _ok: Value = client.set(&*self.probe, 1, Some(Expiration::PX(PROBE_TTL_MS)), None, false).await?;
        if self.replicas == 0 {
            return Ok(());
        }
        let acknowledged: Value = client.wait(self.replicas.into(), self.wait_timeout_ms()).await?;
        self.check_replicas(&acknowledged)
    }

    /// How many entries are not yet applied and acknowledged.
    pub async fn backlog(&self) -> Result<u64, BusError> {
        Ok(self.link.client().await?.xlen(&*self.events).await?)
    }

    /// Closes the connection, when all that was sent is answered.
    pub async fn close(self) {
        self.link.close().await;
    }

    /// Refuses a Redis that would forget: without an append-only file, or with one that is written some time later while
    /// no replica has to acknowledge.
    async fn check_configuration(&self, client: &Client) -> Result<(), BusError> {
        let settings: HashMap<String, String> = client.config_get("append*").await?;
        let is = |name: &str, value: &str| settings.get(name).is_some_and(|found| found == value);
        if !is("appendonly", "yes") {
            return Err(BusError::NotDurable { remedy: "set `appendonly yes`" });
        }
        if self.replicas == 0 && !is("appendfsync", "always") {
            let remedy = "set `appendfsync always`, or have a replica and set TOCSIN_REDIS_REPLICAS=1";
            return Err(BusError::NotDurable { remedy });
        }
        Ok(())
    }

    fn wait_timeout_ms(&self) -> i64 {
        // Less than the command may take, so that it is Redis that says how many replicas there were.
        i64::try_from(self.timeout.as_millis() * 4 / 5).unwrap_or(i64::MAX)
    }

    fn check_replicas(&self, acknowledged: &Value) -> Result<(), BusError> {
        let acknowledged = acknowledged.as_u64().unwrap_or_default();
        if acknowledged >= u64::from(self.replicas) {
            return Ok(());
        }
        Err(BusError::NotReplicated { wanted: self.replicas, acknowledged })
    }
}

/// Appends entries whose values come one after another.
fn append_script() -> String {
    let mut fields = String::new();
    for (index, name) in FIELDS.iter().enumerate() {
        // Writing to a String does not fail.
        let _ = write!(fields, ", '{name}', ARGV[i + {index}]");
    }
    format!("for i = 1, #ARGV, {} do redis.call('XADD', KEYS[1], '*'{fields}) end return #ARGV", FIELDS.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_as_reviewed() {
        insta::assert_snapshot!(append_script());
    }
}
