//! Silences: made and ended by responders' commands, read by every batch.
//!
//! Whether an alert that begins to fire is silenced is decided with the batch that tells of it. Alerts that fire already
//! are told when a silence begins and ends: by the command, or by a duty of one worker (see `suppression.rs`).
//!
//! **Order.** A batch that reads silences holds [`SILENCES`] shared, whoever changes them holds it alone. So no alert slips
//! in between a silence and those that it silences.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::SilenceId;
use tocsin_shared::silence::Silence;
use uuid::Uuid;

use crate::statement::Statement;
use crate::{Operation, Store, StoreError, changed, columns};

/// The advisory lock of the silences: "hush" in ASCII.
const SILENCES: i64 = 0x6875_7368;
/// Most silences that one request shows.
const MAX_SHOWN: i64 = 1_000;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Jsonb)]
    matchers: serde_json::Value,
    #[diesel(sql_type = Timestamptz)]
    starts_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    ends_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    recurrence: Option<serde_json::Value>,
    #[diesel(sql_type = Text)]
    author: String,
    #[diesel(sql_type = Text)]
    comment: String,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Bool)]
    is_applied: bool,
}

/// A silence, and how far it is known.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) silence: Silence,
    /// Whether the alerts that fire have been told of it.
    pub(crate) is_applied: bool,
}

impl TryFrom<Row> for Known {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let json = |column| move |source| StoreError::Json { column, source };
        Ok(Self {
            silence: Silence {
                id: SilenceId::from_uuid(row.id),
                matchers: serde_json::from_value(row.matchers).map_err(json("silences.matchers"))?,
                starts_at: row.starts_at,
                ends_at: row.ends_at,
                recurrence: row
                    .recurrence
                    .map(serde_json::from_value)
                    .transpose()
                    .map_err(json("silences.recurrence"))?,
                author: row.author,
                comment: row.comment,
                created_at: row.created_at,
            },
            is_applied: row.is_applied,
        })
    }
}

/// Those that are in force, or will be.
const CURRENT: &str =
    concat!("SELECT ", columns::silences!(), " FROM silences WHERE deleted_at IS NULL AND ends_at > now() ORDER BY id");
const GET: &str = concat!("SELECT ", columns::silences!(), " FROM silences WHERE deleted_at IS NULL AND id = $1");
const LIST: &str = concat!(
    "SELECT ",
    columns::silences!(),
    " FROM silences WHERE deleted_at IS NULL AND ($1 OR ends_at > now()) ORDER BY created_at DESC, id LIMIT $2"
);

impl Store {
    /// The newest 1,000 silences, newest first; with those that have ended, if asked for.
    pub async fn silence_list(&self, include_expired: bool) -> Result<Vec<Silence>, StoreError> {
        self.run(Operation::SilenceList, |connection| {
            async move {
                let query = Statement::numbered(LIST).bind::<Bool, _>(include_expired).bind::<BigInt, _>(MAX_SHOWN);
                silences(query.load(connection).await?)
            }
            .scope_boxed()
        })
        .await
    }

    /// One silence, ended or not, unless it was deleted.
    pub async fn silence_get(&self, id: SilenceId) -> Result<Option<Silence>, StoreError> {
        self.run(Operation::SilenceGet, |connection| {
            async move {
                let rows = Statement::numbered(GET).bind::<SqlUuid, _>(id.as_uuid()).load(connection).await?;
                Ok(silences(rows)?.pop())
            }
            .scope_boxed()
        })
        .await
    }
}

fn silences(rows: Vec<Row>) -> Result<Vec<Silence>, StoreError> {
    rows.into_iter().map(|row| Known::try_from(row).map(|known| known.silence)).collect()
}

/// The silences that a batch must know. They do not change until the transaction ends.
pub(crate) async fn silences_read_in_txn(connection: &mut AsyncPgConnection) -> Result<Vec<Silence>, StoreError> {
    connection.batch_execute(&format!("SELECT pg_advisory_xact_lock_shared({SILENCES})")).await?;
    silences(Statement::numbered(CURRENT).load(connection).await?)
}

/// The same for who changes them: nobody else reads or changes them until the transaction ends. Before any other lock.
pub(crate) async fn silences_own_in_txn(connection: &mut AsyncPgConnection) -> Result<Vec<Known>, StoreError> {
    connection.batch_execute(&format!("SELECT pg_advisory_xact_lock({SILENCES})")).await?;
    let rows: Vec<Row> = Statement::numbered(CURRENT).load(connection).await?;
    rows.into_iter().map(Known::try_from).collect()
}

const INSERT: &str = "\
INSERT INTO silences (id, matchers, starts_at, ends_at, recurrence, author, comment, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

pub(crate) async fn silence_insert_in_txn(
    connection: &mut AsyncPgConnection,
    silence: &Silence,
) -> Result<(), StoreError> {
    changed::note(|noted| noted.silences.extend([silence.id]));
    let json = |column| move |source| StoreError::Json { column, source };
    let matchers = serde_json::to_value(&silence.matchers).map_err(json("silences.matchers"))?;
    let recurrence = silence.recurrence.as_ref().map(serde_json::to_value).transpose();
    Statement::numbered(INSERT)
        .bind::<SqlUuid, _>(silence.id.as_uuid())
        .bind::<Jsonb, _>(matchers)
        .bind::<Timestamptz, _>(silence.starts_at)
        .bind::<Timestamptz, _>(silence.ends_at)
        .bind::<Nullable<Jsonb>, _>(recurrence.map_err(json("silences.recurrence"))?)
        .bind::<Text, _>(&silence.author)
        .bind::<Text, _>(&silence.comment)
        .bind::<Timestamptz, _>(silence.created_at)
        .execute(connection)
        .await?;
    Ok(())
}

/// `ends_at` may not be before `starts_at`: one that is ended before it began never is in force.
const END: &str = "\
UPDATE silences SET ends_at = greatest(starts_at, $2)
WHERE id = $1 AND deleted_at IS NULL AND ends_at > $2";

/// Ends a silence. Says whether there was something to end.
pub(crate) async fn silence_end_in_txn(
    connection: &mut AsyncPgConnection,
    id: SilenceId,
    at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    changed::note(|noted| noted.silences.extend([id]));
    let ended = Statement::numbered(END).bind::<SqlUuid, _>(id.as_uuid()).bind::<Timestamptz, _>(at);
    Ok(ended.execute(connection).await? > 0)
}

const EXTEND: &str = "UPDATE silences SET ends_at = $2 WHERE id = $1 AND deleted_at IS NULL AND ends_at < $2";

/// Lets a silence go on until `at`.
pub(crate) async fn silence_extend_in_txn(
    connection: &mut AsyncPgConnection,
    id: SilenceId,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    changed::note(|noted| noted.silences.extend([id]));
    let extended = Statement::numbered(EXTEND).bind::<SqlUuid, _>(id.as_uuid()).bind::<Timestamptz, _>(at);
    extended.execute(connection).await?;
    Ok(())
}

const DELETE: &str = "UPDATE silences SET deleted_at = now() WHERE id = $1 AND deleted_at IS NULL";

/// Takes a silence out of every list. Says whether there was one.
pub(crate) async fn silence_delete_in_txn(
    connection: &mut AsyncPgConnection,
    id: SilenceId,
) -> Result<bool, StoreError> {
    changed::note(|noted| noted.silences.extend([id]));
    Ok(Statement::numbered(DELETE).bind::<SqlUuid, _>(id.as_uuid()).execute(connection).await? > 0)
}

const SET_APPLIED: &str = "UPDATE silences SET is_applied = $2 WHERE id = $1";

pub(crate) async fn silence_set_applied_in_txn(
    connection: &mut AsyncPgConnection,
    id: SilenceId,
    is_applied: bool,
) -> Result<(), StoreError> {
    Statement::numbered(SET_APPLIED)
        .bind::<SqlUuid, _>(id.as_uuid())
        .bind::<Bool, _>(is_applied)
        .execute(connection)
        .await?;
    Ok(())
}

const EXISTS: &str = "SELECT EXISTS (SELECT FROM silences WHERE id = $1 AND deleted_at IS NULL) AS exists";

#[derive(QueryableByName)]
struct Exists {
    #[diesel(sql_type = Bool)]
    exists: bool,
}

pub(crate) async fn silence_exists_in_txn(
    connection: &mut AsyncPgConnection,
    id: SilenceId,
) -> Result<bool, StoreError> {
    let found: Exists = Statement::numbered(EXISTS).bind::<SqlUuid, _>(id.as_uuid()).get_result(connection).await?;
    Ok(found.exists)
}
