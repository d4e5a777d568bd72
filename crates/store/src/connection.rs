//! One connection: how it is opened, and when it is given up.
//!
//! **A commit that no standby has is no commit.** With synchronous replication, Postgres makes a commit wait for a standby.
//! If that wait is cancelled, Postgres says so in a *warning* and reports the commit as done. A connection that hears this
//! warning is closed before the report arrives, so that whoever waits for it is told that the outcome is unknown.

use std::time::Duration;

use diesel::ConnectionError;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use futures_util::StreamExt as _;
use futures_util::stream::poll_fn;
use tocsin_shared::with_causes;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{AsyncMessage, Config, Connection, NoTls, Socket};

/// Time that a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Silence of the other end's machine after which it counts as gone.
const PEER_TIMEOUT: Duration = Duration::from_secs(5);
/// The function of Postgres that says so. The warning has no SQLSTATE of its own, and its text depends on the language.
const WAIT_FOR_STANDBY: &str = "SyncRepWaitForLSN";

/// Opens a connection and prepares it with the statements of `setup`.
pub(crate) async fn open(url: &str, setup: &str) -> Result<AsyncPgConnection, ConnectionError> {
    let opened = tokio::time::timeout(CONNECT_TIMEOUT, async {
        let mut config: Config = url.parse().map_err(bad)?;
        // A machine that vanishes says nothing: without these, its connections would be waited on for hours.
        config.keepalives_idle(PEER_TIMEOUT).tcp_user_timeout(PEER_TIMEOUT);
        let (client, connection) = config.connect(NoTls).await.map_err(bad)?;
        tokio::spawn(drive(connection));
        let mut connection = AsyncPgConnection::try_from(client).await?;
        connection.batch_execute(setup).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    });
    let late = |_elapsed| Err(ConnectionError::BadConnection("no connection in time".to_owned()));
    opened.await.unwrap_or_else(late)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn bad(error: tokio_postgres::Error) -> ConnectionError {
    ConnectionError::BadConnection(with_causes(&error))
}

/// Carries questions and answers until either end closes the connection. Ending early closes it.
async fn drive(mut connection: Connection<Socket, NoTlsStream>) {
    let mut messages = poll_fn(move |context| connection.poll_message(context));
    while let Some(message) = messages.next().await {
        match message {
            Ok(AsyncMessage::Notice(notice)) if notice.routine() == Some(WAIT_FOR_STANDBY) => {
                tracing::warn!(said = notice.message(), "a commit may not be on a standby; closing the connection");
                return;
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "a connection to Postgres was lost");
                return;
            }
        }
    }
}
