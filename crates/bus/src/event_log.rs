//! Appending deliveries to the events stream, so that they are durable when it is said that they are.
//!
//! **Guarantee.** What [`EventLog::append`] returns `Ok` for is in the primary's append-only file, and acknowledged by as
//! many replicas as were asked for (`WAIT`); where none are, the file is synchronised before Redis answers
//! (`appendfsync always`, which [`EventLog::probe`] checks). It holds for a whole batch: one script appends its entries,
//! all or none.
//!
//! A Redis that is emptied, or replaced by an empty one, is given again what this process has appended and nobody has applied
//! yet, as far as `recent.rs` remembers it.
//!
//! **Limit.** `WAIT 1` covers one failure. A primary that is lost together with the replica that acknowledged takes the
//! entry with it, unless what takes its place is empty.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use fred::bytes::Bytes;
use fred::clients::Client;
use fred::interfaces::{
    ClientLike as _, ConfigInterface as _, KeysInterface as _, LuaInterface as _, ServerInterface as _,
    StreamsInterface as _,
};
use fred::types::scripts::Script;
use fred::types::{ClusterHash, CustomCommand, Expiration, Value};
use tocsin_shared::envelope::{FIELDS, Written};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::client::Link;
use crate::recent::{Entry, Recent};
use crate::{BusConfig, BusError, Stream, keys};

/// How long the probe's key lives, in milliseconds.
const PROBE_TTL_MS: i64 = 10_000;
/// Most entries that are appended at once after Redis was emptied.
const MAX_AGAIN: usize = 256;

/// Appends deliveries over one connection of its own. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct EventLog {
    link: Link,
    append: Script,
    events: Arc<str>,
    epoch: Arc<str>,
    probe: Arc<str>,
    recent: Arc<Recent>,
    /// Held by who appends again what was lost.
    again: Arc<Mutex<()>>,
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
            epoch: keys::epoch(&config.prefix).into(),
            probe: format!("{}:v1:{{0}}:probe", config.prefix).into(),
            recent: Arc::default(),
            again: Arc::default(),
            replicas,
            timeout: config.command_timeout,
        })
    }

    /// Appends entries, all of them or none. After an error they may be there or not: send them again under their ids.
    ///
    /// Fails after a restart of Redis until somebody's [`EventLog::probe`] has succeeded.
    pub async fn append(&self, entries: Vec<Written>) -> Result<(), BusError> {
        let entries: Vec<Entry> = entries.into_iter().map(Entry::from).collect();
        let sending = Sending { recent: &self.recent, number: self.recent.send(&entries) };
        let epoch = self.append_entries(&entries).await?;
        sending.done();
        self.append_again(Some(&epoch)).await
    }

    /// Gives the epoch of the Redis that has taken them.
    async fn append_entries(&self, entries: &[Entry]) -> Result<Bytes, BusError> {
        let mut arguments = Vec::with_capacity(5 + entries.len() * FIELDS.len());
        arguments.extend([self.append.sha1().clone().into(), 2.into()]);
        arguments.extend([&self.events, &self.epoch].map(|key| Value::from(&**key)));
        arguments.push(Uuid::now_v7().to_string().into());
        // The client keeps parts of the one text: no value is copied before it is sent.
        arguments.extend(entries.iter().flat_map(Entry::values).map(Value::Bytes));
        let append = CustomCommand::new_static("EVALSHA", ClusterHash::FirstKey, false);
        if self.replicas == 0 {
            return Ok(self.link.client().await?.custom(append, arguments).await?);
        }
        let pipeline = self.link.client().await?.pipeline();
        let () = pipeline.custom(append, arguments).await?;
        let () = pipeline.wait(self.replicas.into(), self.wait_timeout_ms()).await?;
        let mut answers = pipeline.try_all::<Value>().await.into_iter();
        let epoch = answers.next().ok_or(BusError::Timeout)??.convert()?;
        self.check_replicas(&answers.next().ok_or(BusError::Timeout)??)?;
        Ok(epoch)
    }

    /// Appends again what may be lost, if this is not the epoch of the Redis that has had it.
    async fn append_again(&self, epoch: Option<&Bytes>) -> Result<(), BusError> {
        // Whoever comes while another does it need not wait: what it has appended is where it belongs.
        let Ok(_turn) = self.again.try_lock() else { return Ok(()) };
        let Some(lost) = self.recent.lost(epoch) else { return Ok(()) };
        if lost.is_empty() && epoch.is_none() {
            return Ok(());
        }
        tracing::warn!(entries = lost.len(), "Redis was emptied; what may not be applied yet is appended again");
        let mut epoch = epoch.cloned();
        for entries in lost.chunks(MAX_AGAIN) {
            epoch = Some(self.append_entries(entries).await?);
        }
        if let Some(epoch) = epoch {
            self.recent.is_in(epoch);
        }
        Ok(())
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
        let client = self.link.client().await?;
        self.recent.ask();
        let backlog = client.xlen(&*self.events).await?;
        // After the length: one that is zero because Redis was emptied comes with another epoch.
        let epoch: Option<Bytes> = client.get(&*self.epoch).await?;
        if backlog == 0 {
            self.recent.is_applied(epoch.as_ref());
        }
        self.append_again(epoch.as_ref()).await?;
        Ok(backlog)
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

/// A batch on its way, which nobody answers for if it is given up.
struct Sending<'a> {
    recent: &'a Recent,
    number: u64,
}

impl Sending<'_> {
    fn done(self) {
        self.recent.taken(self.number);
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.recent.given_up(self.number);
    }
}

/// Appends entries whose values come one after another, behind an epoch for a Redis that has none; gives the epoch.
fn append_script() -> String {
    let mut fields = String::new();
    for (index, name) in FIELDS.iter().enumerate() {
        // Writing to a String does not fail.
        let _ = write!(fields, ", '{name}', ARGV[i + {index}]");
    }
    format!(
        "local epoch = redis.call('GET', KEYS[2]) \
         if not epoch then epoch = ARGV[1] redis.call('SET', KEYS[2], epoch) end \
         for i = 2, #ARGV, {} do redis.call('XADD', KEYS[1], '*'{fields}) end \
         return epoch",
        FIELDS.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_as_reviewed() {
        insta::assert_snapshot!(append_script());
    }
}
