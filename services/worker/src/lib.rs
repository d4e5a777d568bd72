//! The worker is the only writer of alerts and incidents. It reads deliveries from the events stream, applies each batch
//! in one transaction that also writes the notification ledger, wakes a notifier, and only then acknowledges. Beside that
//! it drains the inbox in Postgres, where deliveries wait that were accepted while Redis was away, and does what responders
//! ask for on the commands stream.

mod apply;
mod backoff;
mod changes;
mod commands;
mod config;
mod consume;
mod duties;
mod inbox;
mod intake;
mod metrics;
mod pace;
mod retention;

pub use config::{Config, VARIABLES};
use tocsin_bus::{BusError, Consumer, Publisher, Stream};
use tocsin_service::config::Reloading;
use tocsin_service::health::{Dependency, Need, Readiness};
use tocsin_service::http::{self, ServeError};
use tocsin_service::shutdown::Shutdown;
use tocsin_service::status::{Reporter, Status};
use tocsin_store::Store;

use crate::commands::Commands;
use crate::consume::Worker;
use crate::duties::Duties;
use crate::inbox::{Drain, Waker};
use crate::intake::Intake;
use crate::pace::Pace;

/// The consumer group of all workers.
const GROUP: &str = "worker";

/// Why the worker ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Redis cannot be used.
    #[error("cannot use Redis")]
    Bus(#[from] BusError),
    /// HTTP cannot be served.
    #[error("cannot serve HTTP")]
    Serve(#[from] ServeError),
    /// SIGHUP cannot be listened for.
    #[error("cannot listen for SIGHUP")]
    Reload(#[from] std::io::Error),
    /// The consuming task ended by itself.
    #[error("consuming ended unexpectedly")]
    Consume(#[from] tokio::task::JoinError),
}

/// Consumes until `shutdown` begins, and finishes the batch in hand.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), RunError> {
    let publisher = Publisher::start(&config.bus)?;
    let store = changes::tell(Store::new(&config.store), publisher.clone());
    let consumer = |stream| Consumer::new(&config.bus, stream, GROUP, &config.service.instance);
    let (events, asked) = (consumer(Stream::Events)?, consumer(Stream::Commands)?);
    let policy =
        Reloading::follow(
            config.config_path.clone(),
            config.document.policy(),
            |document, _env| Ok(document.policy()),
        )?;
    let (pinged_store, pinged_bus) = (store.clone(), publisher.clone());
    let readiness = Readiness::builder(&shutdown)
        .check(Dependency::Database, Need::Required, move || {
            let store = pinged_store.clone();
            async move { store.ping().await }
        })
        .check(Dependency::Redis, Need::Required, move || {
            let publisher = pinged_bus.clone();
            async move { publisher.ping().await }
        })
        .build();
    metrics::describe();
    let mut reporter =
        Reporter::new("worker", &config.service, &readiness, metrics::RATES).map_err(ServeError::from)?;
    let (name, ended) = (reporter.name(), shutdown.clone().into_stopping());
    tokio::spawn(tocsin_bus::report(config.bus.clone(), name, move || reporter.say(), Status::is_stale, ended));

    let tuning = config.tuning;
    let drain = Drain {
        store: store.clone(),
        policy: policy.clone(),
        batch_size: tuning.batch_size,
        waker: Waker::new(publisher.clone()),
        shutdown: shutdown.clone(),
    };
    let commands = Commands {
        intake: Intake::new(asked, tuning.reclaim_idle),
        publisher: publisher.clone(),
        store: store.clone(),
        policy: policy.clone(),
        shutdown: shutdown.clone(),
    };
    let duties = Duties {
        store: store.clone(),
        policy: policy.clone(),
        waker: Waker::new(publisher.clone()),
        shutdown: shutdown.clone(),
    };
    let (intake, pace) = (Intake::new(events, tuning.reclaim_idle), Pace::new(tuning.batch_size));
    let worker = Worker { intake, pace, publisher, store: store.clone(), policy, shutdown: shutdown.clone() };
    tokio::spawn(retention::run(store, config.keep, shutdown.clone()));
    let (consuming, draining) = (tokio::spawn(worker.consume()), tokio::spawn(drain.run()));
    let (obeying, attending) = (tokio::spawn(commands.run()), tokio::spawn(duties.run()));
    let ended = shutdown.clone();
    let working = tokio::spawn(async move {
        let done = tokio::try_join!(consuming, draining, obeying, attending);
        // Nothing is in flight any more: there is no reason to wait for the proxy.
        ended.begin();
        done
    });
    http::serve(&config.service, metrics::HTTP, readiness, shutdown, |_app| {}).await?;
    working.await??;
    Ok(())
}
