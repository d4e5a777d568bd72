//! The API: incidents, alerts and silences, from Postgres, to whoever has a token; and the way by which responders act on
//! them, as commands to the worker. Reading works while Redis is away.

mod auth;
mod body;
mod caller;
mod commands;
mod config;
mod metrics;
mod params;
mod routes;
mod views;

use actix_web::web;
pub use config::{Config, VARIABLES};
use tocsin_bus::BusError;
use tocsin_service::config::Reloading;
use tocsin_service::health::{Dependency, Need, Readiness};
use tocsin_service::http::{self, Problem, ServeError};
use tocsin_service::shutdown::Shutdown;
use tocsin_shared::ErrorCode;
use tocsin_store::{Store, StoreError};

use crate::auth::Tokens;
use crate::commands::Commands;

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
    let tokens = Reloading::follow(config.config_path.clone(), config.tokens, Tokens::from_document)?;
    let commands = Commands(tocsin_bus::Commands::start(&config.bus)?);
    let way = commands.clone();
    let pinged = store.clone();
    let readiness = Readiness::builder(&shutdown)
        .check(Dependency::Database, Need::Required, move || {
            let store = pinged.clone();
            async move { store.ping().await }
        })
        // Reading needs no Redis.
        .check(Dependency::Redis, Need::Optional, move || {
            let way = way.clone();
            async move { way.0.ping().await }
        })
        .build();
    let (store, tokens, commands) = (web::Data::new(store), web::Data::new(tokens), web::Data::new(commands));
    http::serve(&config.service, metrics::HTTP, readiness, shutdown, move |app| {
        app.app_data(store.clone()).app_data(tokens.clone()).app_data(commands.clone());
        routes::add(app);
    })
    .await?;
    Ok(())
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
