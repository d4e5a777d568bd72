//! The API: incidents, alerts and silences, from Postgres, to whoever has a token; and the way by which responders act on
//! them, as commands to the worker. Reading works while Redis is away.

mod answers;
mod auth;
mod body;
mod caller;
mod commands;
mod config;
mod dashboard;
mod events;
mod metrics;
mod openapi;
mod params;
mod routes;
mod system;
mod views;

use actix_web::web;
pub use config::{Config, VARIABLES};
use tocsin_bus::{BusError, Changes, Overview};
use tocsin_service::config::{Document, Reloading};
use tocsin_service::health::{Dependency, Need, Readiness};
use tocsin_service::http::{self, Problem, ServeError};
use tocsin_service::shutdown::Shutdown;
use tocsin_service::status::{Reporter, Status};
use tocsin_shared::ErrorCode;
use tocsin_store::{Store, StoreError};

use crate::auth::{Door, Tokens};
use crate::commands::Commands;
use crate::events::Events;
use crate::system::{Kinds, System};

/// When to try again what a store did not answer, in seconds.
const RETRY_AFTER_SECS: u32 = 1;

/// Why the api ended.
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
}

/// Serves until `shutdown` ends it.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), RunError> {
    let store = match &config.replica {
        Some(replica) => Store::with_replica(&config.store, replica),
        None => Store::new(&config.store),
    };
    let (seal, proxies, public_url) = (config.seal, config.proxies, config.public_url);
    let tokens = Reloading::follow(config.config_path.clone(), config.tokens, move |document, env| {
        Tokens::from_document(document, env, &seal, public_url.as_ref())
    })?;
    let way = tocsin_bus::Commands::start(&config.bus)?;
    let commands = Commands::new(way.clone(), store.clone());
    let pinged = store.clone();
    let readiness = Readiness::builder(&shutdown)
        .check(Dependency::Database, Need::Required, move || {
            let store = pinged.clone();
            async move { store.ping().await }
        })
        // Reading needs no Redis.
        .check(Dependency::Redis, Need::Optional, move || {
            let way = way.clone();
            async move { way.ping().await }
        })
        .build();
    metrics::describe();
    let mut reporter = Reporter::new("api", &config.service, &readiness, metrics::RATES).map_err(ServeError::from)?;
    let (name, ended) = (reporter.name(), shutdown.clone().into_stopping());
    tokio::spawn(tocsin_bus::report(config.bus.clone(), name, move || reporter.say(), Status::is_stale, ended));
    let kinds = Reloading::follow(config.config_path, config.kinds, |document, _env| Ok(kinds_of(document)))?;
    let system = web::Data::new(System::new(store.clone(), Overview::new(&config.bus)?, kinds));
    let events = web::Data::from(Events::start(Changes::new(&config.bus)?, store.clone(), shutdown.clone()));
    let (store, commands) = (web::Data::new(store), web::Data::new(commands));
    let door = web::Data::new(Door::new(tokens, proxies));
    let document = web::Data::new(openapi::Document::of(routes::table()));
    http::serve(&config.service, metrics::HTTP, readiness, shutdown, move |app| {
        app.app_data(system.clone()).app_data(events.clone()).app_data(document.clone());
        app.app_data(store.clone()).app_data(door.clone()).app_data(commands.clone());
        routes::add(app);
    })
    .await?;
    Ok(())
}

/// The receivers of the file, each with its kind.
fn kinds_of(document: &Document) -> Kinds {
    document.receivers.iter().map(|receiver| (receiver.name.clone(), receiver.kind_name())).collect()
}

/// What a client is told of a failure of the store; the rest is logged here.
#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn unavailable(error: StoreError) -> Problem {
    tracing::error!(error = &error as &dyn std::error::Error, "the database failed a request");
    match error {
        StoreError::UnknownValue { .. } | StoreError::Json { .. } => Problem::new(ErrorCode::Internal),
        _ => Problem::new(ErrorCode::DatabaseUnavailable).retry_after(RETRY_AFTER_SECS),
    }
}
