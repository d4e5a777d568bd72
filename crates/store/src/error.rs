//! What can go wrong between us and Postgres.

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_async::pooled_connection::bb8::RunError;

/// An operation that did not succeed. A transaction took effect whole or not at all; which of the two is unknown when the
/// connection was lost while it committed, so whatever is repeated must be idempotent.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection could be had.
    #[error("cannot connect to Postgres")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The operation, or the wait for a connection, took too long.
    #[error("Postgres did not answer in time")]
    Timeout,
    /// Postgres refused or lost a statement.
    #[error("Postgres refused or lost a statement")]
    Database(#[from] DieselError),
    /// Another worker makes alerts or incidents at the same moment, perhaps the same. Nothing was done; the repeat waits for
    /// its turn and finds theirs.
    #[error("another worker was faster")]
    Raced,
    /// A column holds what this version does not know.
    #[error("column `{column}` holds a value that this version does not know")]
    UnknownValue {
        /// The column.
        column: &'static str,
        /// What the parser said.
        source: tocsin_shared::UnknownName,
    },
    /// A JSON column does not hold what it should.
    #[error("column `{column}` does not hold the JSON that it should")]
    Json {
        /// The column.
        column: &'static str,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The schema could not be brought up to date.
    #[error("migration failed")]
    Migrate(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What the system says to a Postgres whose disk is full. Diesel gives no SQLSTATE (53100); a Postgres that speaks another language
/// than English is not understood, and what it refuses then becomes a dead letter.
const NO_SPACE: &str = "No space left on device";

impl StoreError {
    /// Whether what was to be written may be the reason, so that something else might succeed.
    #[must_use]
    pub fn may_be_the_data(&self) -> bool {
        match self {
            Self::UnknownValue { .. } | Self::Json { .. } => true,
            // One that is read-only is no primary, or none yet: it would refuse anything.
            Self::Database(DieselError::DatabaseError(kind, said)) => {
                let would_be_refused = matches!(
                    kind,
                    DatabaseErrorKind::ClosedConnection
                        | DatabaseErrorKind::UnableToSendCommand
                        | DatabaseErrorKind::ReadOnlyTransaction
                        | DatabaseErrorKind::SerializationFailure
                );
                !would_be_refused && !said.message().ends_with(NO_SPACE)
            }
            Self::Database(error) => {
                matches!(error, DieselError::SerializationError(_) | DieselError::DeserializationError(_))
            }
            _ => false,
        }
    }

    /// Whether it is Postgres that is away, so that another one may be asked.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Timeout => true,
            Self::Database(DieselError::DatabaseError(kind, _)) => {
                matches!(kind, DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand)
            }
            _ => false,
        }
    }

    /// Whether the same operation may succeed if it is simply repeated.
    ///
    /// Diesel gives no SQLSTATE. Deadlocks (40P01) and a server that shuts down (57P01) are `Unknown` to it, among others
    /// that do not pass; repeating those too costs a few short waits, because whatever is run is idempotent.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Raced => true,
            Self::Database(DieselError::DatabaseError(kind, _)) => matches!(
                kind,
                DatabaseErrorKind::SerializationFailure
                    | DatabaseErrorKind::ClosedConnection
                    | DatabaseErrorKind::UnableToSendCommand
                    | DatabaseErrorKind::ReadOnlyTransaction
                    | DatabaseErrorKind::Unknown
            ),
            _ => false,
        }
    }
}

impl From<RunError> for StoreError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::TimedOut => Self::Timeout,
            RunError::User(error) => Self::Connect(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: DatabaseErrorKind) -> StoreError {
        StoreError::Database(DieselError::DatabaseError(kind, Box::new("said".to_owned())))
    }

    #[test]
    fn what_a_server_refuses_that_would_refuse_anything_is_not_the_datas_fault() {
        for kind in [DatabaseErrorKind::ReadOnlyTransaction, DatabaseErrorKind::ClosedConnection] {
            let error = refused(kind);
            assert!(!error.may_be_the_data() && error.is_transient(), "{error:?}");
        }
        let full = "could not extend file \"base/16385/16543\": No space left on device".to_owned();
        let full = StoreError::Database(DieselError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(full)));
        assert!(!full.may_be_the_data() && full.is_transient(), "{full:?}");
        assert!(refused(DatabaseErrorKind::CheckViolation).may_be_the_data());
        assert!(!refused(DatabaseErrorKind::CheckViolation).is_transient());
    }
}
