//! The pool of connections.

use std::sync::Arc;
use std::time::Duration;

use diesel_async::pooled_connection::bb8::{Pool, PooledConnection};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolError, PoolableConnection as _, RecyclingMethod,
};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use futures_util::FutureExt as _;
use rand::Rng as _;
use scoped_futures::ScopedFutureExt as _;
use secrecy::ExposeSecret as _;
use tokio::sync::Notify;

use crate::changed::Observer;
use crate::{Operation, Patience, Store, StoreConfig, StoreError, connection, operation};

/// Longest wait until a connection that was refused is asked for again; half of it is random. The pool's own waits begin at
/// 400 ms and double: after a failover of three seconds it would look again three seconds later.
const RECONNECT_WAIT: Duration = Duration::from_millis(150);
/// How long a transaction may wait for us between two statements, which takes milliseconds.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(5);

impl Store {
    /// A store that connects when first used. Must be called on a tokio runtime.
    #[must_use]
    pub fn new(config: &StoreConfig) -> Self {
        Self::with_patience(config, Patience::UntilTimeout)
    }

    /// Like [`Store::new`], for who has something else to do when Postgres cannot be reached: that is told at once, instead of
    /// being tried again until the timeout.
    #[must_use]
    pub fn failing_fast(config: &StoreConfig) -> Self {
        Self::with_patience(config, Patience::None)
    }

    fn with_patience(config: &StoreConfig, patience: Patience) -> Self {
        operation::describe_metrics();
        // No statement_timeout: it could cancel a commit that waits for a standby, which Postgres then reports as done.
        // Our own timeout gives up on the answer without cancelling anything. Who is cut off in the middle of a transaction keeps
        // its locks, and others from applying anything, until Postgres ends it.
        let setup: Arc<str> = format!(
            "SET application_name = '{}'; SET lock_timeout = '{}ms'; SET idle_in_transaction_session_timeout = '{}s'; \
             SET plan_cache_mode = {}",
            config.application,
            config.timeout.as_millis(),
            IDLE_IN_TRANSACTION.as_secs(),
            config.plans.mode()
        )
        .into();
        let mut manager = ManagerConfig::default();
        manager.custom_setup = Box::new(move |url| {
            let setup = Arc::clone(&setup);
            async move { connection::open(url, &setup).await }.boxed()
        });
        // Asks the connection, not Postgres: one that was closed while it was idle is thrown away, and none costs a query.
        manager.recycling_method = RecyclingMethod::CustomFunction(Box::new(|connection: &mut AsyncPgConnection| {
            let broken = connection.is_broken();
            let closed = || diesel::result::Error::BrokenTransactionManager;
            async move { if broken { Err(closed()) } else { Ok(()) } }.boxed()
        }));
        let manager = AsyncDieselConnectionManager::new_with_config(config.url.expose_secret(), manager);
        let refusals = Refusals::default();
        let pool = Pool::builder()
            .max_size(config.connections)
            .connection_timeout(config.timeout)
            .retry_connection(false)
            .test_on_check_out(true)
            .error_sink(bb8::ErrorSink::boxed_clone(&refusals))
            .build_unchecked(manager);
        Self { pool, refusals, patience, timeout: config.timeout, observer: Observer::default(), replica: None }
    }

    /// A connection from the pool.
    pub(crate) async fn connection(&self) -> Result<PooledConnection<'_, AsyncPgConnection>, StoreError> {
        loop {
            match self.connection_or_refusal().await {
                // The operation's own time ends this.
                Err(StoreError::Connect(_)) if self.patience == Patience::UntilTimeout => {
                    let wait = rand::rng().random_range(RECONNECT_WAIT / 2..=RECONNECT_WAIT);
                    tokio::time::sleep(wait).await;
                }
                result => return result,
            }
        }
    }

    /// A connection from the pool, unless one could not be opened meanwhile.
    async fn connection_or_refusal(&self) -> Result<PooledConnection<'_, AsyncPgConnection>, StoreError> {
        // The pool itself tells nobody of a connection that could not be opened; who waits for one waits on.
        let refused = self.refusals.0.notified();
        tokio::pin!(refused);
        refused.as_mut().enable();
        tokio::select! {
            biased;
            connection = self.pool.get() => Ok(connection?),
            () = refused => Err(StoreError::Connect("a connection was refused".into())),
        }
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

/// Tells everybody who waits for a connection that one could not be opened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refusals(Arc<Notify>);

impl bb8::ErrorSink<PoolError> for Refusals {
    fn sink(&self, error: PoolError) {
        // The other kind is of connections that were closed while they were idle; another is opened in their place.
        if matches!(error, PoolError::ConnectionError(_)) {
            tracing::debug!(%error, "cannot open a connection to Postgres");
            self.0.notify_waiters();
        }
    }

    fn boxed_clone(&self) -> Box<dyn bb8::ErrorSink<PoolError>> {
        Box::new(self.clone())
    }
}
