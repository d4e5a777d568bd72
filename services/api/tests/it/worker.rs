//! The other end of the commands stream, as a test wants it: it answers by the bus, as a worker does, and changes nothing
//! by itself.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tocsin_bus::{BusConfig, Consumer, Publisher, Stream};
use tocsin_shared::{Command, CommandOutcome, ErrorCode, IncidentId};
use tokio::task::JoinHandle;

use crate::api::{Api, DEADLINE};

/// Answers every command until it is dropped.
pub(crate) struct Worker {
    seen: Arc<Mutex<Vec<Command>>>,
    answering: JoinHandle<()>,
}

impl Worker {
    /// One that answers what `answer` says.
    pub(crate) fn start(api: &Api, answer: impl Fn(&Command) -> CommandOutcome + Send + 'static) -> Self {
        Self::start_after(api, "SELECT", answer)
    }

    /// One that before it answers does to the database what a worker would.
    pub(crate) fn start_after(
        api: &Api,
        sql: &'static str,
        answer: impl Fn(&Command) -> CommandOutcome + Send + 'static,
    ) -> Self {
        let (config, database) = (bus(api), api.topology.tenant().database().clone());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        let answering = tokio::spawn(async move {
            let consumer = Consumer::new(&config, Stream::Commands, "worker", "test").unwrap();
            let publisher = Publisher::start(&config).unwrap();
            loop {
                let batch = consumer.read(10, Duration::from_millis(100)).await.unwrap();
                for entry in batch.entries() {
                    let command = Command::from_fields(&entry.fields).unwrap();
                    let outcome = serde_json::to_string(&answer(&command)).unwrap();
                    database.sql(sql).await.unwrap();
                    record.lock().unwrap().push(command.clone());
                    publisher.outcome(command.id, &outcome).await.unwrap();
                }
                batch.ack().await.unwrap();
            }
        });
        Self { seen, answering }
    }

    /// One that says of everything that it is done, to this incident.
    pub(crate) fn doing(api: &Api, incident: Option<IncidentId>) -> Self {
        Self::start(api, move |_| CommandOutcome::Done { incident, silence: None, changed: true, count: None })
    }

    /// One that says of everything that it cannot be done.
    pub(crate) fn rejecting(api: &Api, code: ErrorCode, detail: &'static str) -> Self {
        Self::start(api, move |_| CommandOutcome::Rejected { code, detail: detail.to_owned() })
    }

    /// The commands since the last time.
    pub(crate) fn take_seen(&self) -> Vec<Command> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

/// How a test reaches the Redis of an api.
pub(crate) fn bus(api: &Api) -> BusConfig {
    let tenant = api.topology.tenant();
    BusConfig {
        url: tenant.redis_url().into(),
        sentinels: None,
        prefix: tenant.redis_prefix().to_owned(),
        command_timeout: DEADLINE,
    }
}
