//! The inbox: where accepted deliveries wait while Redis is away.
//!
//! Ingest inserts them, a worker applies and deletes them in one transaction, by the same code as a batch of the stream.
//!
//! **No deadlock.** A worker locks the rows first, before event ids, and never waits for one: rows that another worker holds
//! are skipped. It deletes them last: a delivery that is told again meanwhile finds its row, and ingest need not wait for the
//! worker. For the moment between deleting and committing it does wait, in the order of the ids, and holds nothing that a worker
//! waits for.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::policy::Policy;
use tocsin_shared::{Envelope, with_causes};
use uuid::Uuid;

use crate::apply::apply_in_txn;
use crate::dead_letter::dead_letters_insert_in_txn;
use crate::statement::Statement;
use crate::{Applied, DeadLetter, Operation, Parts, Store, StoreError, columns};

/// The name under which dead letters of the inbox are kept; their entry id is `seq`.
const STREAM: &str = "inbox";

/// What became of rows of the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InboxApplied {
    /// Rows that were found. As many as were asked for: there may be more.
    pub taken: usize,
    /// What their deliveries did.
    pub applied: Applied,
    /// Rows that went to dead letters.
    pub dead: usize,
}

/// A row that is there stays, and is not waited for while a worker holds it: whether that one commits or not, the delivery is safe.
/// A record in Postgres' log is written in any case: a transaction that writes nothing would not wait for the standby, and the row
/// that it met may have come from one that gave up waiting.
const INSERT: &str = "\
WITH inserted AS (
    INSERT INTO inbox (v, id, received_at, source, integration, traceparent, body)
    SELECT * FROM UNNEST($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (id) DO NOTHING)
SELECT pg_logical_emit_message(true, 'tocsin', '')";

/// A row as it is written, without its id.
pub(crate) struct NewRow {
    v: String,
    received_at: DateTime<Utc>,
    source: String,
    integration: String,
    traceparent: String,
    body: String,
}

impl NewRow {
    fn of(envelope: &Envelope) -> Result<Self, StoreError> {
        let values = envelope.to_values().map_err(|source| StoreError::Json { column: "inbox.body", source })?;
        let [v, _id, _received_at, source, integration, traceparent, body] = values;
        Ok(Self { v, received_at: envelope.received_at, source, integration, traceparent, body })
    }

    /// The row of an entry that was not understood, with its id; or the field without which there can be none.
    pub(crate) fn of_fields(fields: &serde_json::Value) -> Result<(Uuid, Self), &'static str> {
        let text = |name: &'static str| fields.get(name).and_then(serde_json::Value::as_str).ok_or(name);
        let received_at = DateTime::parse_from_rfc3339(text("received_at")?).map_err(|_| "received_at")?;
        let row = Self {
            v: text("v")?.to_owned(),
            received_at: received_at.to_utc(),
            source: text("source")?.to_owned(),
            integration: text("integration")?.to_owned(),
            traceparent: text("traceparent").unwrap_or_default().to_owned(),
            body: text("body")?.to_owned(),
        };
        Ok((text("id")?.parse().map_err(|_| "id")?, row))
    }
}

/// Inserts rows in the order of their ids, so that two who insert the same wait for each other in one direction only.
pub(crate) async fn rows_insert_in_txn(
    connection: &mut AsyncPgConnection,
    rows: &BTreeMap<Uuid, NewRow>,
) -> Result<(), StoreError> {
    let texts = |text: fn(&NewRow) -> &str| rows.values().map(text).collect::<Vec<_>>();
    Statement::numbered(INSERT)
        .bind::<Array<Text>, _>(texts(|row| &row.v))
        .bind::<Array<SqlUuid>, _>(rows.keys().copied().collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(rows.values().map(|row| row.received_at).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(texts(|row| &row.source))
        .bind::<Array<Text>, _>(texts(|row| &row.integration))
        .bind::<Array<Text>, _>(texts(|row| &row.traceparent))
        .bind::<Array<Text>, _>(texts(|row| &row.body))
        .execute(connection)
        .await?;
    Ok(())
}

const BACKLOG: &str = "SELECT max(seq) - min(seq) + 1 AS rows FROM inbox";

#[derive(QueryableByName)]
struct Backlog {
    #[diesel(sql_type = Nullable<BigInt>)]
    rows: Option<i64>,
}

const TAKE_OLDEST: &str =
    concat!("SELECT ", columns::inbox!(), " FROM inbox ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED");

const TAKE_THESE: &str =
    concat!("SELECT ", columns::inbox!(), " FROM inbox WHERE seq = ANY($1) ORDER BY seq FOR UPDATE SKIP LOCKED");

const DELETE: &str = "DELETE FROM inbox WHERE seq = ANY($1)";

/// A row as it is taken out.
#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = Text)]
    v: String,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    received_at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    source: String,
    #[diesel(sql_type = Text)]
    integration: String,
    #[diesel(sql_type = Text)]
    traceparent: String,
    #[diesel(sql_type = Text)]
    body: String,
}

impl Row {
    /// The fields of the envelope, as an entry of the stream would have them.
    fn into_fields(self) -> HashMap<String, String> {
        let fields = [
            ("v", self.v),
            ("id", self.id.to_string()),
            ("received_at", self.received_at.to_rfc3339_opts(SecondsFormat::Micros, true)),
            ("source", self.source),
            ("integration", self.integration),
            ("traceparent", self.traceparent),
            ("body", self.body),
        ];
        fields.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

/// Which rows to take out.
#[derive(Clone, Copy)]
enum Which<'a> {
    Oldest(usize),
    These(&'a [i64]),
}

impl Store {
    /// Keeps deliveries for a worker, all or none. When it returns `Ok`, they are durable. One that is there already, by
    /// its id, stays as it is.
    pub async fn inbox_insert(&self, envelopes: &[Envelope]) -> Result<(), StoreError> {
        let rows = envelopes.iter().map(|envelope| Ok((envelope.id.as_uuid(), NewRow::of(envelope)?)));
        let rows: BTreeMap<Uuid, NewRow> = rows.collect::<Result<_, StoreError>>()?;
        let rows = &rows;
        if rows.is_empty() {
            return Ok(());
        }
        self.run(Operation::InboxInsert, |connection| {
            async move { rows_insert_in_txn(connection, rows).await }.scope_boxed()
        })
        .await
    }

    /// About how many deliveries wait: the distance between the oldest and the newest, so that it costs the same for any
    /// number. Rather too many than too few, since numbers are left out when a transaction is given up.
    pub async fn inbox_backlog(&self) -> Result<u64, StoreError> {
        self.run(Operation::InboxBacklog, |connection| {
            async move {
                let backlog: Backlog = Statement::numbered(BACKLOG).get_result(connection).await?;
                Ok(backlog.rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or_default())
            }
            .scope_boxed()
        })
        .await
    }

    /// Applies and deletes the oldest deliveries, at most `max`, in one transaction if it can be; what cannot be applied
    /// becomes a dead letter. Any number of workers may do so at once: each delivery is with one of them.
    ///
    /// # Errors
    /// When the store fails for reasons of its own. What was not applied by then is still there.
    pub async fn inbox_apply(&self, max: usize, policy: &Policy) -> Result<InboxApplied, StoreError> {
        let (seqs, result) = self.inbox_take(Which::Oldest(max), policy).await;
        let mut first_error = match result {
            Ok(outcome) => return Ok(outcome),
            Err(error) => Some(error),
        };
        // Rolled back: the rows are free again, and those that another worker takes from now on are its own.
        let mut outcome = InboxApplied { taken: seqs.len(), ..InboxApplied::default() };
        let mut parts = Parts::of(seqs.len());
        while let Some(part) = parts.next() {
            let result = match first_error.take() {
                Some(error) => Err(error),
                None => self.inbox_take(Which::These(&seqs[part.clone()]), policy).await.1,
            };
            match result {
                Ok(InboxApplied { taken: _, applied, dead }) => {
                    outcome.applied += applied;
                    outcome.dead += dead;
                }
                Err(error) => {
                    if let Some((index, error)) = parts.failed(part, error)? {
                        outcome.dead += self.inbox_bury(seqs[index], &with_causes(&error)).await?;
                    }
                }
            }
        }
        Ok(outcome)
    }

    /// Takes rows out and applies them in one transaction. Says which it took, even if it had to put them back.
    async fn inbox_take(&self, which: Which<'_>, policy: &Policy) -> (Vec<i64>, Result<InboxApplied, StoreError>) {
        let taken = Mutex::new(Vec::new());
        let seqs = &taken;
        let result = self.run_applying(Operation::InboxApply, |connection| {
            async move {
                seqs.lock().unwrap_or_else(PoisonError::into_inner).clear();
                let rows = rows_take_in_txn(connection, which).await?;
                // The usual case, several times a second: it must cost next to nothing.
                if rows.is_empty() {
                    return Ok(InboxApplied::default());
                }
                let taken: Vec<i64> = rows.iter().map(|row| row.seq).collect();
                seqs.lock().unwrap_or_else(PoisonError::into_inner).extend(&taken);
                let (deliveries, dead) = read(rows);
                let applied = apply_in_txn(connection, &deliveries, &dead, policy).await?;
                rows_delete_in_txn(connection, &taken).await?;
                Ok(InboxApplied { taken: deliveries.len() + dead.len(), applied, dead: dead.len() })
            }
            .scope_boxed()
        });
        let result = result.await;
        (taken.into_inner().unwrap_or_else(PoisonError::into_inner), result)
    }

    /// Makes a row a dead letter. Says how many: none if another worker has taken it.
    async fn inbox_bury(&self, seq: i64, reason: &str) -> Result<usize, StoreError> {
        self.run_applying(Operation::InboxApply, |connection| {
            async move {
                let rows = rows_take_in_txn(connection, Which::These(&[seq])).await?;
                let letter = |row: Row| dead_letter(row.seq, row.into_fields(), reason.to_owned());
                let letters: Vec<_> = rows.into_iter().map(letter).collect();
                dead_letters_insert_in_txn(connection, &letters).await?;
                if !letters.is_empty() {
                    rows_delete_in_txn(connection, &[seq]).await?;
                }
                Ok(letters.len())
            }
            .scope_boxed()
        })
        .await
    }
}

/// Locks rows to take them out, those that another worker holds left out, in the order in which they came in: rows that were
/// inserted together have their numbers in another.
async fn rows_take_in_txn(connection: &mut AsyncPgConnection, which: Which<'_>) -> Result<Vec<Row>, StoreError> {
    let mut rows: Vec<Row> = match which {
        Which::Oldest(max) => {
            let max = i64::try_from(max).unwrap_or(i64::MAX);
            Statement::numbered(TAKE_OLDEST).bind::<BigInt, _>(max).load(connection).await?
        }
        Which::These(seqs) => Statement::numbered(TAKE_THESE).bind::<Array<BigInt>, _>(seqs).load(connection).await?,
    };
    rows.sort_unstable_by_key(|row| (row.received_at, row.seq));
    Ok(rows)
}

/// Deletes rows that this transaction has locked.
async fn rows_delete_in_txn(connection: &mut AsyncPgConnection, seqs: &[i64]) -> Result<(), StoreError> {
    Statement::numbered(DELETE).bind::<Array<BigInt>, _>(seqs).execute(connection).await?;
    Ok(())
}

/// Tells envelopes from what cannot be read as one.
fn read(rows: Vec<Row>) -> (Vec<Envelope>, Vec<DeadLetter>) {
    let (mut deliveries, mut dead) = (Vec::new(), Vec::new());
    for row in rows {
        let seq = row.seq;
        let fields = row.into_fields();
        match Envelope::from_fields(&fields) {
            Ok(envelope) => deliveries.push(envelope),
            Err(error) => dead.push(dead_letter(seq, fields, with_causes(&error))),
        }
    }
    (deliveries, dead)
}

fn dead_letter(seq: i64, fields: HashMap<String, String>, reason: String) -> DeadLetter {
    tracing::warn!(inbox.seq = seq, reason, "a row of the inbox goes to dead letters");
    DeadLetter { stream: STREAM, entry_id: seq.to_string(), fields: fields.into_iter().collect(), reason }
}
