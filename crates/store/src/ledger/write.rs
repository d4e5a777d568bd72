//! What the worker writes: notices, planned on top of those that wait, and what is taken back.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::Duration;
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tocsin_shared::ledger::{self, Notice, Pair, Pending, Plan, Row, Standing};
use tocsin_shared::{IncidentId, NotificationId};
use uuid::Uuid;

use crate::StoreError;
use crate::alert::known;
use crate::statement::Statement;

/// The newest row of each receiver and incident that counts, and whether it is still unclaimed. Times are told relative to
/// Postgres' clock, which is the only one that decides when a row is due: the clock itself, because this transaction may have
/// begun before the one that wrote the row.
const STANDING: &str = "\
SELECT DISTINCT ON (incident_id, receiver) incident_id, receiver, id, kind, status, attempts,
    extract(epoch FROM next_attempt_at - clock_timestamp())::double precision AS due_in,
    extract(epoch FROM finished_at - clock_timestamp())::double precision AS finished_in
FROM notifications
WHERE incident_id = ANY($1) AND status <> 'superseded' AND instead_of = ''
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

/// What takes the place of a notice that its receiver was owed is owed since then.
const INSERT: &str = "\
INSERT INTO notifications (id, incident_id, receiver, revision, kind, created_at, trace, next_attempt_at, owed_since, status, \
reason, finished_at)
SELECT id, new.incident_id, new.receiver, revision, kind, created_at, trace, now() + make_interval(secs => due_in),
    least(now() + make_interval(secs => due_in), owed.since),
    CASE WHEN reason IS NULL THEN 'pending' ELSE 'superseded' END, reason, CASE WHEN reason IS NOT NULL THEN now() END
FROM UNNEST($1, $2, $3, $4, $5, $6, $7, $8, $9)
    AS new (id, incident_id, receiver, revision, kind, created_at, trace, due_in, reason)
LEFT JOIN (
    SELECT incident_id, receiver, min(coalesce(redriven_at, owed_since)) AS since
    FROM notifications WHERE id = ANY($10) GROUP BY incident_id, receiver) AS owed USING (incident_id, receiver)";

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
        let rows: Vec<StandingRow> = Statement::numbered(STANDING)
            .bind::<Array<SqlUuid>, _>(known.into_iter().collect::<Vec<_>>())
            .load(connection)
            .await?;
        standing = rows.into_iter().map(StandingRow::into_standing).collect::<Result<_, _>>()?;
    }
    let Plan { superseded, rows } = ledger::plan(notices, standing);
    if !superseded.is_empty() {
        Statement::numbered(SUPERSEDE)
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
    Statement::numbered(INSERT)
        .bind::<Array<SqlUuid>, _>(notices().map(|notice| notice.id.as_uuid()).collect::<Vec<Uuid>>())
        .bind::<Array<SqlUuid>, _>(notices().map(|notice| notice.incident_id.as_uuid()).collect::<Vec<Uuid>>())
        .bind::<Array<Text>, _>(notices().map(|notice| notice.receiver.as_str()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(notices().map(|notice| notice.revision).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(notices().map(|notice| notice.kind.as_str()).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(notices().map(|notice| notice.created_at).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(notices().map(|notice| notice.trace.as_str()).collect::<Vec<_>>())
        .bind::<Array<Double>, _>(rows.iter().map(due_in).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.superseded).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(superseded.iter().map(|(id, _)| id.as_uuid()).collect::<Vec<Uuid>>())
        .execute(connection)
        .await?;
    Ok(told)
}

const HUSH: &str = "\
UPDATE notifications SET status = 'superseded', reason = 'everything that fires is silenced or inhibited', finished_at = now()
WHERE fate = 'open' AND status = 'pending' AND attempts = 0 AND next_attempt_at > now()
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
    Ok(Statement::numbered(HUSH).bind::<Array<SqlUuid>, _>(incidents).execute(connection).await?)
}
