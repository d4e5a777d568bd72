//! Ingest takes what monitoring systems send, brings it into normal form, and answers 2xx only once it is durable on the
//! events stream. It knows nothing of incidents.
//!
//! A webhook's way: [`routes`] reads the request, a parser in [`sources`] makes [`AlertEvent`](tocsin_shared::AlertEvent)s of it, [`accept`] puts
//! them into an envelope and appends it to the stream.

mod accept;
mod config;
mod metrics;
mod routes;
pub mod sources;
pub mod trust;

use std::time::Duration;

use actix_web::web;
pub use config::{Config, VARIABLES};
use tocsin_bus::{BusError, Publisher};
use tocsin_service::config::Reloading;
use tocsin_service::health::{Dependency, Readiness};
use tocsin_service::http::{self, ServeError};
use tocsin_service::shutdown::Shutdown;

use tocsin_store::Store;

use crate::accept::Acceptor;
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
    let publisher = Publisher::start(&config.bus)?;
    let integrations = Reloading::follow(config.config_path.clone(), config.integrations, Integrations::from_document)?;
    let integrations = web::Data::new(integrations);
    let trusted_proxies = web::Data::new(config.trusted_proxies);
    let sns = web::Data::new(Sns::new()?);
    let pinged = publisher.clone();
    let store = Store::new(&config.store);
    let readiness = Readiness::builder(&shutdown)
        .check(Dependency::Database, false, move || {
            let store = store.clone();
            async move { store.ping().await }
        })
        .check(Dependency::Redis, true, move || {
            let publisher = pinged.clone();
            async move { publisher.ping().await }
        })
        .build();
    metrics::describe();
    let acceptor = web::Data::new(Acceptor::new(publisher.clone()));
    http::serve(&config.service, metrics::HTTP, readiness, shutdown, move |app| {
        app.app_data(acceptor.clone());
        app.app_data(integrations.clone()).app_data(trusted_proxies.clone()).app_data(sns.clone());
        routes::add(app);
    })
    .await?;
    if tokio::time::timeout(CLOSE_TIMEOUT, publisher.close()).await.is_err() {
        tracing::debug!("Redis did not say goodbye in time");
    }
    Ok(())
}
