//! Bringing the schema up to date.
//!
//! Migrations are embedded, run in order, one process at a time, and only expand or contract: the version before must be
//! able to work with the schema of this one, because both run during a rolling deploy.

use diesel_async::{AsyncConnection as _, AsyncMigrationHarness, AsyncPgConnection, SimpleAsyncConnection as _};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};
use secrecy::{ExposeSecret as _, SecretString};

use crate::StoreError;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");
/// The advisory lock under which one process migrates while others wait: "tocsin" in ASCII.
const LOCK: i64 = 0x0000_746f_6373_696e;

/// Applies every migration that is not applied yet, and says which. Must be called on a multi-threaded tokio runtime.
pub async fn migrate(url: &SecretString) -> Result<Vec<String>, StoreError> {
    let connection = connect_alone(url).await?;
    let mut harness = AsyncMigrationHarness::new(connection);
    let applied = harness.run_pending_migrations(MIGRATIONS).map_err(StoreError::Migrate)?;
    Ok(applied.iter().map(ToString::to_string).collect())
}

/// A connection that is the only one of its kind to this database, once others like it have ended.
pub(crate) async fn connect_alone(url: &SecretString) -> Result<AsyncPgConnection, StoreError> {
    let mut connection = AsyncPgConnection::establish(url.expose_secret())
        .await
        .map_err(|error| StoreError::Connect(Box::new(error)))?;
    // A lock of the session: it goes with the connection, whatever becomes of this process.
    connection.batch_execute(&format!("SET lock_timeout = '60s'; SELECT pg_advisory_lock({LOCK})")).await?;
    Ok(connection)
}
