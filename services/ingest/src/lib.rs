//! Ingest takes what monitoring systems send, brings it into normal form, and answers 2xx only once it is durable: on the
//! events stream, or in the inbox of Postgres while Redis is away. It knows nothing of incidents.
//!
//! Clicks on Slack's buttons come in here as well, and go on as commands: [`interactions`].
//!
//! A webhook's way: [`routes`] asks [`trust`] whose it is and [`limits`] whether that one may send now, [`body`] reads it, a
//! parser in [`sources`] makes [`AlertEvent`](tocsin_shared::AlertEvent)s of it, and [`accept`] makes them durable.

mod accept;
mod body;
mod config;
mod interactions;
mod limits;
mod metrics;
mod routes;
pub mod sources;
pub mod trust;

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
pub use config::{Config, VARIABLES};
use tocsin_bus::{BusError, EventLog, RateLimits};
use tocsin_service::config::Reloading;
use tocsin_service::health::{Dependency, Need, Readiness};
use tocsin_service::http::{self, ServeError};
use tocsin_service::shutdown::Shutdown;
use tocsin_service::status::{Reporter, Status};

use tocsin_store::Store;

use crate::accept::{Acceptor, Gate, Inbox};
use crate::interactions::{Interactions, Settings};
use crate::limits::Limiter;
use crate::routes::Ingest;
use crate::trust::{Integrations, Sns};

/// Why ingest ended.
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
}

/// Time that closing the connections may take, once nothing is in flight.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves until `shutdown` ends it.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), RunError> {
    let Config { service, bus, replicas, high_water, store, proxies, config_path, integrations, slack } = config;
    metrics::describe();
    let gate = Arc::new(Gate::new(high_water));
    let log = EventLog::start(&bus, replicas)?;
    let store = Store::failing_fast(&store);
    let limits = RateLimits::start(&bus)?;
    let integrations = Reloading::follow(config_path.clone(), integrations, Integrations::from_document)?;
    let slack = Reloading::follow(config_path, slack, Settings::from_document)?;
    let interactions = Interactions::start(&bus, slack)?;
    let (watched, pinged) = (Arc::clone(&gate), store.clone());
    let readiness = Readiness::builder(&shutdown)
        .check(Dependency::Database, Need::Alternative, move || {
            let store = pinged.clone();
            async move { store.ping().await }
        })
        .check(Dependency::Redis, Need::Alternative, move || std::future::ready(watched.redis_is_usable()))
        .build();
    let mut reporter = Reporter::new("ingest", &service, &readiness, metrics::RATES).map_err(ServeError::from)?;
    let (name, ended) = (reporter.name(), shutdown.clone().into_stopping());
    tokio::spawn(tocsin_bus::report(bus.clone(), name, move || reporter.say(), Status::is_stale, ended));
    let watching = tokio::spawn({
        let (gate, log, store) = (Arc::clone(&gate), log.clone(), store.clone());
        async move { accept::watch(&gate, &log, &store).await }
    });
    let inbox = Inbox::start(store);
    let limiter = Limiter::new(limits.clone(), Arc::clone(&gate));
    let (proxies, sns) = (Arc::new(proxies), Arc::new(Sns::new()?));

    http::serve(&service, metrics::HTTP, readiness, shutdown, move |app| {
        app.app_data(web::Data::new(interactions.clone()));
        interactions::add(app);
        // A connection per thread: what a thread accepts goes to Redis without a detour over another.
        match EventLog::start(&bus, replicas) {
            Ok(log) => {
                let acceptor = Acceptor::start(log, inbox.clone(), Arc::clone(&gate), bus.command_timeout);
                app.app_data(web::Data::new(Ingest {
                    acceptor,
                    limiter: limiter.clone(),
                    integrations: integrations.clone(),
                    proxies: Arc::clone(&proxies),
                    sns: Arc::clone(&sns),
                }));
                routes::add(app);
            }
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "a thread cannot serve"),
        }
    })
    .await?;
    watching.abort();
    if tokio::time::timeout(CLOSE_TIMEOUT, futures_util::future::join(log.close(), limits.close())).await.is_err() {
        tracing::debug!("Redis did not say goodbye in time");
    }
    Ok(())
}
