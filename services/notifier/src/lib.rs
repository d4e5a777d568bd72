//! The notifier delivers the ledger: it claims notices that are due, sends each to its receiver, and records the answer.
//! The notifications stream only wakes it; the ledger is the truth, and is swept every second.

mod breaker;
pub mod cli;
mod config;
mod deliver;
mod guard;
mod lanes;
mod message;
mod metrics;
mod outcomes;
mod pacing;
mod receivers;
mod retry;
mod story;
mod sweep;
mod texts;

pub use config::{Config, VARIABLES};
use tocsin_bus::{BusError, Consumer, Paces, Stream};
use tocsin_service::config::Reloading;
use tocsin_service::health::{Dependency, Need, Readiness};
use tocsin_service::http::{self, ServeError};
use tocsin_service::shutdown::Shutdown;
use tocsin_service::status::{Reporter, Status};
use tocsin_store::Store;

use crate::deliver::Notifier;
use crate::pacing::Pacing;
use crate::receivers::Receivers;
use crate::retry::Deadline;

/// The consumer group of all notifiers.
const GROUP: &str = "notifier";

/// Why the notifier ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Redis cannot be used.
    #[error("cannot use Redis")]
    Bus(#[from] BusError),
    /// HTTP cannot be served.
    #[error("cannot serve HTTP")]
    Serve(#[from] ServeError),
    /// The HTTP client cannot be made.
    #[error("cannot make an HTTP client")]
    Client(#[from] reqwest::Error),
    /// SIGHUP cannot be listened for.
    #[error("cannot listen for SIGHUP")]
    Reload(#[from] std::io::Error),
    /// The delivering task ended by itself.
    #[error("delivering ended unexpectedly")]
    Deliver(#[from] tokio::task::JoinError),
}

/// Delivers until `shutdown` begins, and finishes what is on its way.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), RunError> {
    let store = Store::new(&config.store);
    let wakes = Consumer::new(&config.bus, Stream::Notifications, GROUP, &config.service.instance)?;
    let pacing = Pacing::new(Paces::start(&config.bus)?);
    let http = receivers::Http::new(config.request_timeout)?;
    let receivers = Reloading::follow(config.config_path.clone(), config.receivers, Receivers::from_document)?;
    let (pinged_store, pinged_bus) = (store.clone(), wakes.clone());
    let readiness = Readiness::builder(&shutdown)
        .check(Dependency::Database, Need::Required, move || {
            let store = pinged_store.clone();
            async move { store.ping().await }
        })
        // Without Redis a notice is up to a second later; nothing else changes.
        .check(Dependency::Redis, Need::Optional, move || {
            let bus = pinged_bus.clone();
            async move { bus.ping().await }
        })
        .build();
    metrics::describe();
    let mut reporter =
        Reporter::new("notifier", &config.service, &readiness, metrics::RATES).map_err(ServeError::from)?;
    let (name, ended) = (reporter.name(), shutdown.clone().into_stopping());
    tokio::spawn(tocsin_bus::report(config.bus.clone(), name, move || reporter.say(), Status::is_stale, ended));

    let notifier = Notifier {
        store,
        wakes,
        http,
        pacing,
        receivers,
        public_url: config.public_url,
        deadline: Deadline(config.deadline),
        request_timeout: config.request_timeout,
        shutdown: shutdown.clone(),
    };
    let ended = shutdown.clone();
    let delivering = tokio::spawn(async move {
        notifier.deliver().await;
        // Nothing is in flight any more: there is no reason to wait for the proxy.
        ended.begin();
    });
    http::serve(&config.service, metrics::HTTP, readiness, shutdown, |_app| {}).await?;
    delivering.await?;
    Ok(())
}
