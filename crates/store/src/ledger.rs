//! The notification ledger: written by the worker together with the state, moved on by notifiers.
//!
//! A notifier claims a row with a lease: a token that only it knows, and a time after which another may claim the row.
//! The outcome is written only under the token, so a notifier that lost its lease cannot overwrite what the next one did.

mod list;
mod redrive;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Duration, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::ledger::{self, Notice, NoticeKind, Pair, Pending, Plan, Row, Standing};
use tocsin_shared::{IncidentId, NotificationId};
use uuid::Uuid;

pub use self::list::{DeliveryRecord, NoticeFilter, NoticeRecord};
pub(crate) use self::redrive::notices_redrive_in_txn;
pub use self::redrive::{NoticesRedriven, RedrivenNotice};
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
    pub latency: std::time::Duration,
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
        after: std::time::Duration,
    },
    /// It will not be sent.
    Dead {
        /// Why.
        reason: String,
    },
}

/// The newest row of each receiver and incident that counts, and whether it is still unclaimed. Times are told relative to
/// Postgres' clock, which is the only one that decides when a row is due: the clock itself, because this transaction may have
/// begun before the one that wrote the row.
const STANDING: &str = "\
SELECT DISTINCT ON (incident_id, receiver) incident_id, receiver, id, kind, status, attempts,
    extract(epoch FROM next_attempt_at - clock_timestamp())::double precision AS due_in,
    extract(epoch FROM finished_at - clock_timestamp())::double precision AS finished_in
FROM notifications
WHERE incident_id = ANY($1) AND status <> 'superseded'
ORDER BY incident_id, receiver, revision DESC";

#[derive(QueryableByName)]
struct StandingRow {
    #[diesel(sql_type = SqlUuid)]
    incident_id: Uuid,
    #[diesel(sql_type = Text)]
    receiver: String,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = Double)]
    due_in: f64,
    #[diesel(sql_type = Nullable<Double>)]
    finished_in: Option<f64>,
}

impl StandingRow {
    fn into_standing(self) -> Result<(Pair, Standing), StoreError> {
        let pair = (IncidentId::from_uuid(self.incident_id), self.receiver);
        let due_in = seconds(self.due_in);
        let pending = (self.status == "pending")
            .then(|| {
                Ok::<_, StoreError>(Pending {
                    id: NotificationId::from_uuid(self.id),
                    kind: known("notifications.kind", &self.kind)?,
                    due_in,
                    was_tried: self.attempts > 0,
                })
            })
            .transpose()?;
        let last = if self.status == "pending" { due_in } else { self.finished_in.map_or(Duration::zero(), seconds) };
        Ok((pair, Standing { pending, last_due_in: Some(last) }))
    }
}

fn seconds(seconds: f64) -> Duration {
    #[expect(clippy::cast_possible_truncation, reason = "no time is that far away, and it is only a pause")]
    Duration::milliseconds((seconds * 1e3) as i64)
}

/// One that a notifier has claimed since we looked is on its way, and stays.
const SUPERSEDE: &str = "\
UPDATE notifications SET status = 'superseded', reason = old.reason, finished_at = now()
FROM UNNEST($1, $2) AS old (id, reason)
WHERE notifications.id = old.id AND notifications.status = 'pending'";

const INSERT: &str = "\
INSERT INTO notifications (id, incident_id, receiver, revision, kind, created_at, trace, next_attempt_at, status, reason, \
finished_at)
SELECT id, incident_id, receiver, revision, kind, created_at, trace, now() + make_interval(secs => due_in),
    CASE WHEN reason IS NULL THEN 'pending' ELSE 'superseded' END, reason, CASE WHEN reason IS NOT NULL THEN now() END
FROM UNNEST($1, $2, $3, $4, $5, $6, $7, $8, $9)
    AS new (id, incident_id, receiver, revision, kind, created_at, trace, due_in, reason)";

/// What became of the notices of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Told {
    /// Rows that were written and are to be sent.
    pub(crate) written: usize,
    /// Rows that are due at once.
    pub(crate) due: usize,
}

/// Writes what receivers are to be told, when they are, and what is not told any more because of it. `opened` are incidents
/// that this transaction made: of those the ledger holds nothing.
pub(crate) async fn notices_insert_in_txn(
    connection: &mut AsyncPgConnection,
    notices: Vec<Notice>,
    opened: &HashSet<IncidentId>,
) -> Result<Told, StoreError> {
    if notices.is_empty() {
        return Ok(Told::default());
    }
    let known: BTreeSet<Uuid> =
        notices.iter().map(|n| n.incident_id).filter(|id| !opened.contains(id)).map(IncidentId::as_uuid).collect();
    let mut standing = BTreeMap::new();
    if !known.is_empty() {
        let rows: Vec<StandingRow> = diesel::sql_query(STANDING)
            .bind::<Array<SqlUuid>, _>(known.into_iter().collect::<Vec<_>>())
            .load(connection)
            .await?;
        standing = rows.into_iter().map(StandingRow::into_standing).collect::<Result<_, _>>()?;
    }
    let Plan { superseded, rows } = ledger::plan(notices, standing);
    if !superseded.is_empty() {
        diesel::sql_query(SUPERSEDE)
            .bind::<Array<SqlUuid>, _>(superseded.iter().map(|(id, _)| id.as_uuid()).collect::<Vec<Uuid>>())
            .bind::<Array<Text>, _>(superseded.iter().map(|(_, reason)| *reason).collect::<Vec<_>>())
            .execute(connection)
            .await?;
    }
    let told = rows.iter().filter(|row| row.superseded.is_none());
    let due = told.clone().filter(|row| row.due_in.is_zero()).count();
    let told = Told { written: told.count(), due };
    let notices = || rows.iter().map(|row| &row.notice);
    #[expect(clippy::cast_precision_loss, reason = "a pause of 2^52 ms is as good as any other")]
    let due_in = |row: &Row| row.due_in.num_milliseconds() as f64 / 1e3;
    diesel::sql_query(INSERT)
        .bind::<Array<SqlUuid>, _>(notices().map(|notice| notice.id.as_uuid()).collect::<Vec<Uuid>>())
        .bind::<Array<SqlUuid>, _>(notices().map(|notice| notice.incident_id.as_uuid()).collect::<Vec<Uuid>>())
        .bind::<Array<Text>, _>(notices().map(|notice| notice.receiver.as_str()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(notices().map(|notice| notice.revision).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(notices().map(|notice| notice.kind.as_str()).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(notices().map(|notice| notice.created_at).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(notices().map(|notice| notice.trace.as_str()).collect::<Vec<_>>())
        .bind::<Array<Double>, _>(rows.iter().map(due_in).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.superseded).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(told)
}

const HUSH: &str = "\
UPDATE notifications SET status = 'superseded', reason = 'everything that fires is silenced or inhibited', finished_at = now()
WHERE status = 'pending' AND attempts = 0 AND next_attempt_at > now()
AND kind IN ('triggered', 'updated', 'reopened', 'reminder')
AND incident_id = ANY($1)
AND NOT EXISTS (
    SELECT FROM alerts
    WHERE alerts.incident_id = notifications.incident_id AND status = 'firing'
    AND silenced_by IS NULL AND inhibited_by IS NULL)";

/// Takes back what waits to be told of these incidents, where everything that fires in them is kept quiet by now.
pub(crate) async fn notices_hush_in_txn(
    connection: &mut AsyncPgConnection,
    incidents: &[Uuid],
) -> Result<usize, StoreError> {
    if incidents.is_empty() {
        return Ok(0);
    }
    Ok(diesel::sql_query(HUSH).bind::<Array<SqlUuid>, _>(incidents).execute(connection).await?)
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
    pub async fn ledger_claim(&self, limit: i64, lease: std::time::Duration) -> Result<Vec<ClaimedNotice>, StoreError> {
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
            Verdict::Delivered => ("delivered", None, std::time::Duration::ZERO),
            Verdict::Retry { after } => ("pending", None, *after),
            Verdict::Dead { reason } => ("dead", Some(reason.as_str()), std::time::Duration::ZERO),
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
