//! The worker is the only writer of alerts and incidents. It reads deliveries from the events stream, applies each batch
//! in one transaction that also writes the notification ledger, wakes a notifier, and only then acknowledges. Beside that
//! it drains the inbox in Postgres, where deliveries wait that were accepted while Redis was away, and does what responders
//! ask for on the commands stream.

mod apply;
mod backoff;
mod commands;
mod config;
mod consume;
mod inbox;
mod intake;
mod metrics;
mod purge;

pub use config::{Config, VARIABLES};
use tocsin_bus::{BusError, Consumer, Publisher, Stream};
use tocsin_service::config::{Document, Reloading};
use tocsin_service::health::{Dependency, Need, Readiness};
use tocsin_service::http::{self, ServeError};
use tocsin_service::shutdown::Shutdown;
use tocsin_store::Store;

use crate::commands::Commands;
use crate::consume::Worker;
use crate::inbox::{Drain, Waker};
use crate::intake::Intake;

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
    let store = Store::new(&config.store);
    let publisher = Publisher::start(&config.bus)?;
    let consumer = |stream| Consumer::new(&config.bus, stream, GROUP, &config.service.instance);
    let (events, asked) = (consumer(Stream::Events)?, consumer(Stream::Commands)?);
    let root = |document: &Document| document.policy().routing.root().clone();
    let route = Reloading::follow(config.config_path.clone(), root(&config.document), move |document, _env| {
        Ok(root(document))
    })?;
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

    let tuning = config.tuning;
    let drain = Drain {
        store: store.clone(),
        route: route.clone(),
        batch_size: tuning.batch_size,
        waker: Waker::new(publisher.clone()),
        shutdown: shutdown.clone(),
    };
    let commands = Commands {
        intake: Intake::new(asked, commands::BATCH_SIZE, tuning.reclaim_idle),
        publisher: publisher.clone(),
        store: store.clone(),
        policy,
        shutdown: shutdown.clone(),
    };
    let intake = Intake::new(events, tuning.batch_size, tuning.reclaim_idle);
    let worker = Worker { intake, publisher, store: store.clone(), route, shutdown: shutdown.clone() };
    tokio::spawn(purge::event_ids(store, config.event_id_retention, shutdown.clone()));
    let (consuming, draining) = (tokio::spawn(worker.consume()), tokio::spawn(drain.run()));
    let obeying = tokio::spawn(commands.run());
    let ended = shutdown.clone();
    let working = tokio::spawn(async move {
        let done = tokio::try_join!(consuming, draining, obeying);
        // Nothing is in flight any more: there is no reason to wait for the proxy.
        ended.begin();
        done
    });
    http::serve(&config.service, metrics::HTTP, readiness, shutdown, |_app| {}).await?;
    working.await??;
    Ok(())
}
