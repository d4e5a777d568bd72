//! The notification ledger: written by the worker together with the state, moved on by notifiers.
//!
//! A notifier claims a row with a lease: a token that only it knows, and a time after which another may claim the row.
//! The outcome is written only under the token, so a notifier that lost its lease cannot overwrite what the next one did.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::ledger::{Notice, NoticeKind};
use tocsin_shared::{IncidentId, NotificationId};
use uuid::Uuid;

use crate::alert::known;
use crate::{Operation, Store, StoreError};

/// A notice that this process may send, until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedNotice {
    /// Names the ledger's row.
    pub id: NotificationId,
    /// What it is about.
    pub incident_id: IncidentId,
    /// Who is told.
    pub receiver: String,
    /// The incident's version that it tells of.
    pub revision: i64,
    /// Why.
    pub kind: NoticeKind,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// When the change happened.
    pub created_at: DateTime<Utc>,
    /// The trace of the event that caused it.
    pub trace: String,
    lease_token: Uuid,
}

/// One try at a delivery, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// How long the receiver took.
    pub latency: Duration,
    /// What it answered with, if it answered.
    pub http_status: Option<u16>,
    /// What it said, or why it said nothing; bounded and without secrets.
    pub answer: String,
}

/// What follows from an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver took it.
    Delivered,
    /// Another attempt follows, after this long.
    Retry {
        /// From now.
        after: Duration,
    },
    /// It will not be sent.
    Dead {
        /// Why.
        reason: String,
    },
}

const INSERT: &str = "\
INSERT INTO notifications (id, incident_id, receiver, revision, kind, created_at, trace)
SELECT * FROM UNNEST($1, $2, $3, $4, $5, $6, $7)";

pub(crate) async fn notices_insert_in_txn(
    connection: &mut AsyncPgConnection,
    notices: &[Notice],
) -> Result<(), StoreError> {
    if notices.is_empty() {
        return Ok(());
    }
    diesel::sql_query(INSERT)
        .bind::<Array<SqlUuid>, _>(notices.iter().map(|notice| notice.id.as_uuid()).collect::<Vec<Uuid>>())
        .bind::<Array<SqlUuid>, _>(notices.iter().map(|notice| notice.incident_id.as_uuid()).collect::<Vec<Uuid>>())
        .bind::<Array<Text>, _>(notices.iter().map(|notice| notice.receiver.as_str()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(notices.iter().map(|notice| notice.revision).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(notices.iter().map(|notice| notice.kind.as_str()).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(notices.iter().map(|notice| notice.created_at).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(notices.iter().map(|notice| notice.trace.as_str()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// A row is due when it waits for its time or its lease has run out, and no older row of the same incident and receiver
/// is unfinished: a receiver never sees the newer before the older.
const CLAIM: &str = "\
UPDATE notifications SET
    status = 'sending', attempts = attempts + 1, lease_token = gen_random_uuid(),
    lease_until = now() + make_interval(secs => $2)
WHERE id IN (
    SELECT id FROM notifications AS due
    WHERE ((status = 'pending' AND next_attempt_at <= now()) OR (status = 'sending' AND lease_until < now()))
    AND NOT EXISTS (
        SELECT FROM notifications AS older
        WHERE older.incident_id = due.incident_id AND older.receiver = due.receiver AND older.revision < due.revision
        AND older.status IN ('pending', 'sending'))
    ORDER BY next_attempt_at, id
    LIMIT $1
    FOR UPDATE SKIP LOCKED)
RETURNING id, incident_id, receiver, revision, kind, attempts, created_at, trace, lease_token";

#[derive(QueryableByName)]
struct ClaimedRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    incident_id: Uuid,
    #[diesel(sql_type = Text)]
    receiver: String,
    #[diesel(sql_type = BigInt)]
    revision: i64,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    trace: String,
    #[diesel(sql_type = SqlUuid)]
    lease_token: Uuid,
}

const FINISH: &str = "\
UPDATE notifications SET
    status = $3, reason = $4, lease_token = NULL, lease_until = NULL,
    next_attempt_at = now() + make_interval(secs => $5), finished_at = CASE WHEN $6 THEN now() END
WHERE id = $1 AND lease_token = $2";

const RECORD: &str = "\
INSERT INTO deliveries (notification_id, attempt, latency_ms, http_status, answer)
VALUES ($1, $2, $3, $4, $5)";

impl Store {
    /// Claims at most `limit` notices that are due, for the time of `lease`.
    pub async fn ledger_claim(&self, limit: i64, lease: Duration) -> Result<Vec<ClaimedNotice>, StoreError> {
        self.run(Operation::LedgerClaim, |connection| {
            async move {
                let rows: Vec<ClaimedRow> = diesel::sql_query(CLAIM)
                    .bind::<BigInt, _>(limit)
                    .bind::<Double, _>(lease.as_secs_f64())
                    .load(connection)
                    .await?;
                let mut notices = rows.into_iter().map(ClaimedNotice::try_from).collect::<Result<Vec<_>, _>>()?;
                notices.sort_unstable_by_key(|notice| (notice.created_at, notice.id));
                Ok(notices)
            }
            .scope_boxed()
        })
        .await
    }

    /// Records an attempt and what follows from it. `false` when the lease was lost: then nothing is written, because the
    /// row is another notifier's now.
    pub async fn ledger_finish(
        &self,
        notice: &ClaimedNotice,
        attempt: &Attempt,
        verdict: &Verdict,
    ) -> Result<bool, StoreError> {
        let (status, reason, wait) = match verdict {
            Verdict::Delivered => ("delivered", None, Duration::ZERO),
            Verdict::Retry { after } => ("pending", None, *after),
            Verdict::Dead { reason } => ("dead", Some(reason.as_str()), Duration::ZERO),
        };
        let finished = !matches!(verdict, Verdict::Retry { .. });
        self.run(Operation::LedgerFinish, |connection| {
            async move {
                connection
                    .transaction(async |connection| {
                        let held = diesel::sql_query(FINISH)
                            .bind::<SqlUuid, _>(notice.id.as_uuid())
                            .bind::<SqlUuid, _>(notice.lease_token)
                            .bind::<Text, _>(status)
                            .bind::<Nullable<Text>, _>(reason)
                            .bind::<Double, _>(wait.as_secs_f64())
                            .bind::<Bool, _>(finished)
                            .execute(connection)
                            .await?;
                        if held == 0 {
                            return Ok(false);
                        }
                        diesel::sql_query(RECORD)
                            .bind::<SqlUuid, _>(notice.id.as_uuid())
                            .bind::<Integer, _>(notice.attempt)
                            .bind::<Integer, _>(i32::try_from(attempt.latency.as_millis()).unwrap_or(i32::MAX))
                            .bind::<Nullable<Integer>, _>(attempt.http_status.map(i32::from))
                            .bind::<Text, _>(&attempt.answer)
                            .execute(connection)
                            .await?;
                        Ok::<_, StoreError>(true)
                    })
                    .await
            }
            .scope_boxed()
        })
        .await
    }
}

impl TryFrom<ClaimedRow> for ClaimedNotice {
    type Error = StoreError;

    fn try_from(row: ClaimedRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: NotificationId::from_uuid(row.id),
            incident_id: IncidentId::from_uuid(row.incident_id),
            receiver: row.receiver,
            revision: row.revision,
            kind: known("notifications.kind", &row.kind)?,
            attempt: row.attempts,
            created_at: row.created_at,
            trace: row.trace,
            lease_token: row.lease_token,
        })
    }
}
