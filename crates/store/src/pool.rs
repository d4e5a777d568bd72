//! Connections.

use std::time::Duration;

use diesel::ConnectionError;
use diesel_async::pooled_connection::bb8::Pool;
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolableConnection as _, RecyclingMethod,
};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};
use futures_util::FutureExt as _;
use scoped_futures::ScopedFutureExt as _;
use secrecy::ExposeSecret as _;

use crate::{Operation, Store, StoreConfig, operation};

/// Time that a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

impl Store {
    /// A store that connects when first used. Must be called on a tokio runtime.
    #[must_use]
    pub fn new(config: &StoreConfig) -> Self {
        operation::describe_metrics();
        // No statement_timeout: it could cancel a commit that waits for a standby, which Postgres then reports as done.
        // Our own timeout gives up on the answer without cancelling anything.
        let setup = format!(
            "SET application_name = '{}'; SET lock_timeout = '{}ms'; SET idle_in_transaction_session_timeout = '30s'",
            config.application,
            config.timeout.as_millis()
        );
        let mut manager = ManagerConfig::default();
        manager.custom_setup = Box::new(move |url| {
            let setup = setup.clone();
            async move {
                let connect = async {
                    let mut connection = AsyncPgConnection::establish(url).await?;
                    connection.batch_execute(&setup).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
                    Ok(connection)
                };
                let late = |_elapsed| Err(ConnectionError::BadConnection("no connection in time".to_owned()));
                tokio::time::timeout(CONNECT_TIMEOUT, connect).await.unwrap_or_else(late)
            }
            .boxed()
        });
        // Asks the connection, not Postgres: one that was closed while it was idle is thrown away, and none costs a query.
        manager.recycling_method = RecyclingMethod::CustomFunction(Box::new(|connection: &mut AsyncPgConnection| {
            let broken = connection.is_broken();
            let closed = || diesel::result::Error::BrokenTransactionManager;
            async move { if broken { Err(closed()) } else { Ok(()) } }.boxed()
        }));
        let manager = AsyncDieselConnectionManager::new_with_config(config.url.expose_secret(), manager);
        let pool = Pool::builder()
            .max_size(config.connections)
            .connection_timeout(config.timeout)
            .test_on_check_out(true)
            .build_unchecked(manager);
        Self { pool, timeout: config.timeout }
    }

    /// Whether Postgres answers.
    pub async fn ping(&self) -> bool {
        let pinged = self.run(Operation::Ping, |connection| {
            async move {
                connection.batch_execute("SELECT 1").await?;
                Ok(())
            }
            .scope_boxed()
        });
        pinged.await.is_ok()
    }
}
