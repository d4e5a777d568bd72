//! Entries that cannot be applied, kept with their reason, until somebody drives them again: then they go to the inbox,
//! under the same event id, and what of them was applied is not applied twice.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Jsonb, Text, Timestamptz};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;

use crate::changed;
use crate::inbox::{NewRow, rows_insert_in_txn};
use crate::{Operation, Page, Store, StoreError, Total, Window};

/// An entry that cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The stream that it came from.
    pub stream: &'static str,
    /// Its id there.
    pub entry_id: String,
    /// What it held.
    pub fields: BTreeMap<String, String>,
    /// Why it cannot be applied.
    pub reason: String,
}

const INSERT: &str = "\
INSERT INTO dead_letters (stream, entry_id, fields, reason)
SELECT * FROM UNNEST($1, $2, $3, $4)
ON CONFLICT (stream, entry_id) DO NOTHING";

pub(crate) async fn dead_letters_insert_in_txn(
    connection: &mut AsyncPgConnection,
    letters: &[DeadLetter],
) -> Result<(), StoreError> {
    if letters.is_empty() {
        return Ok(());
    }
    // Postgres cannot hold NUL, and a dead letter must always find its place.
    let clean = |text: &str| text.replace('\0', "\u{FFFD}");
    let fields = |letter: &DeadLetter| {
        letter.fields.iter().map(|(name, value)| (clean(name), clean(value).into())).collect::<serde_json::Map<_, _>>()
    };
    diesel::sql_query(INSERT)
        .bind::<Array<Text>, _>(letters.iter().map(|letter| letter.stream).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(letters.iter().map(|letter| letter.entry_id.as_str()).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(letters.iter().map(|letter| fields(letter).into()).collect::<Vec<serde_json::Value>>())
        .bind::<Array<Text>, _>(letters.iter().map(|letter| clean(&letter.reason)).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    changed::note(|noted| noted.dead_letters = true);
    Ok(())
}

/// Furthest that dead letters are counted.
const MAX_COUNT: i64 = 10_000;

/// A dead letter as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
#[expect(missing_docs, reason = "the columns of the table")]
pub struct DeadLetterRecord {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = Text)]
    pub stream: String,
    #[diesel(sql_type = Text)]
    pub entry_id: String,
    #[diesel(sql_type = Jsonb)]
    pub fields: serde_json::Value,
    #[diesel(sql_type = Text)]
    pub reason: String,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
}

const LIST: &str = "SELECT * FROM dead_letters WHERE id < $1 ORDER BY id DESC OFFSET $2 LIMIT $3";
const GET: &str = "SELECT * FROM dead_letters WHERE id = $1";
const COUNT: &str = "SELECT count(*) AS count FROM (SELECT FROM dead_letters LIMIT $1) AS counted";

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

impl Store {
    /// One window of the dead letters, newest first; the cursor is a dead letter's id.
    pub async fn dead_letter_list(&self, window: Window<i64>) -> Result<Page<DeadLetterRecord, i64>, StoreError> {
        self.run(Operation::DeadLetterList, |connection| {
            async move {
                let counted: Count =
                    diesel::sql_query(COUNT).bind::<BigInt, _>(MAX_COUNT + 1).get_result(connection).await?;
                let items = diesel::sql_query(LIST)
                    .bind::<BigInt, _>(window.before.unwrap_or(i64::MAX))
                    .bind::<BigInt, _>(window.offset)
                    .bind::<BigInt, _>(window.limit + 1)
                    .load(connection)
                    .await?;
                let total = Total::up_to(MAX_COUNT, counted.count);
                Ok(Page::from_one_more(items, window.limit, total, |letter: &DeadLetterRecord| letter.id))
            }
            .scope_boxed()
        })
        .await
    }

    /// The dead letter with this id.
    pub async fn dead_letter_get(&self, id: i64) -> Result<Option<DeadLetterRecord>, StoreError> {
        self.run(Operation::DeadLetterGet, |connection| {
            async move { Ok(diesel::sql_query(GET).bind::<BigInt, _>(id).get_result(connection).await.optional()?) }
                .scope_boxed()
        })
        .await
    }

    /// Drives dead letters again, all of these or none.
    pub async fn dead_letters_redrive(&self, ids: &[i64]) -> Result<Redriven, StoreError> {
        self.run(Operation::DeadLettersRedrive, |connection| {
            async move {
                connection.transaction(async |connection| dead_letters_redrive_in_txn(connection, ids).await).await
            }
            .scope_boxed()
        })
        .await
    }
}

/// What became of dead letters that were to be driven again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redriven {
    /// So many are in the inbox, and no dead letters any more.
    Done(usize),
    /// There is none of this id. Nothing was done.
    Unknown(i64),
    /// One lacks what the inbox must know. Nothing was done.
    Unreadable {
        /// Which.
        id: i64,
        /// What it lacks.
        field: &'static str,
    },
}

const TAKE: &str = "SELECT * FROM dead_letters WHERE id = ANY($1) ORDER BY id FOR UPDATE";
const FORGET: &str = "DELETE FROM dead_letters WHERE id = ANY($1)";

pub(crate) async fn dead_letters_redrive_in_txn(
    connection: &mut AsyncPgConnection,
    ids: &[i64],
) -> Result<Redriven, StoreError> {
    let letters: Vec<DeadLetterRecord> = diesel::sql_query(TAKE).bind::<Array<BigInt>, _>(ids).load(connection).await?;
    if let Some(unknown) = ids.iter().find(|id| letters.iter().all(|letter| letter.id != **id)) {
        return Ok(Redriven::Unknown(*unknown));
    }
    let mut rows = BTreeMap::new();
    for letter in &letters {
        match NewRow::of_fields(&letter.fields) {
            Ok((event_id, row)) => rows.insert(event_id, row),
            Err(field) => return Ok(Redriven::Unreadable { id: letter.id, field }),
        };
    }
    rows_insert_in_txn(connection, &rows).await?;
    changed::note(|noted| noted.dead_letters = true);
    let done = diesel::sql_query(FORGET).bind::<Array<BigInt>, _>(ids).execute(connection).await?;
    Ok(Redriven::Done(done))
}
