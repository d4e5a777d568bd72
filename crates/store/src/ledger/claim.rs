//! Taking notices on: as many per receiver as there is room for, in the ledger's order, folded where one stands for several.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::ledger::{NoticeKind, fold};
use tocsin_shared::{IncidentId, NotificationId};
use uuid::Uuid;

use super::ClaimedNotice;
use crate::alert::known;
use crate::statement::Statement;
use crate::{Operation, Store, StoreError};

/// Most notices that follow one another and are told as one.
const MAX_FOLDED: i64 = 100;

/// How much a receiver can be sent at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its name.
    pub receiver: String,
    /// Where it leads: while it stands in the ledger as switched off there, nothing is claimed for it.
    pub destination: String,
    /// Most notices.
    pub notices: u32,
}

/// What was claimed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claim {
    /// To be sent, oldest change first.
    pub notices: Vec<ClaimedNotice>,
    /// How many others are not told, because one of these tells what they would have.
    pub folded: usize,
}

/// A row is due when it waits for its time or its lease has run out, and comes first among the unfinished rows of the same
/// incident and receiver: what is on its way before what waits, the older before the newer. So a receiver never sees the newer
/// before the older. The join is lateral, so that a receiver costs as much as it has room for, whatever waits for others;
/// and what is found is an array, because Postgres cannot know how little it is, and would read the whole table to join it.
const CLAIM: &str = "\
UPDATE notifications AS notice SET
    status = 'sending', attempts = attempts + 1, lease_token = gen_random_uuid(),
    lease_until = now() + make_interval(secs => $4)
WHERE id = ANY(ARRAY(
    SELECT due.id FROM UNNEST($1, $2, $3) AS room (receiver, destination, notices)
    CROSS JOIN LATERAL (
        SELECT id FROM notifications AS due
        WHERE due.receiver = room.receiver AND due.next_attempt_at <= now()
        AND due.fate = 'open' AND (due.status = 'pending' OR due.lease_until < now())
        AND NOT EXISTS (
            SELECT FROM notifications AS first
            WHERE first.incident_id = due.incident_id AND first.receiver = due.receiver
            AND first.fate = 'open'
            AND (first.status = 'pending', first.revision, first.instead_of)
                < (due.status = 'pending', due.revision, due.instead_of))
        ORDER BY due.next_attempt_at, due.id
        LIMIT room.notices
        FOR UPDATE SKIP LOCKED) AS due
    WHERE NOT EXISTS (
        SELECT FROM receivers_gone AS gone WHERE (gone.receiver, gone.destination) = (room.receiver, room.destination))))
RETURNING notice.id, incident_id, notice.receiver, revision, kind, instead_of, because, attempts, created_at,
    coalesce(redriven_at, owed_since) AS owed_since, trace, lease_token,
    EXISTS (
        SELECT FROM notifications AS newer
        WHERE newer.incident_id = notice.incident_id AND newer.receiver = notice.receiver
        AND newer.instead_of = notice.instead_of AND newer.revision > notice.revision
        AND newer.fate = 'open' AND newer.status = 'pending' AND newer.next_attempt_at <= now()) AS is_followed";

#[derive(QueryableByName)]
struct Row {
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
    #[diesel(sql_type = Text)]
    instead_of: String,
    #[diesel(sql_type = Nullable<Text>)]
    because: Option<String>,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    owed_since: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    trace: String,
    #[diesel(sql_type = SqlUuid)]
    lease_token: Uuid,
    #[diesel(sql_type = Bool)]
    is_followed: bool,
}

impl TryFrom<Row> for ClaimedNotice {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let instead_of = (!row.instead_of.is_empty()).then(|| (row.instead_of, row.because.unwrap_or_default()));
        Ok(Self {
            id: NotificationId::from_uuid(row.id),
            incident_id: IncidentId::from_uuid(row.incident_id),
            receiver: row.receiver,
            revision: row.revision,
            kind: known("notifications.kind", &row.kind)?,
            instead_of,
            attempt: row.attempts,
            created_at: row.created_at,
            owed_since: row.owed_since,
            trace: row.trace,
            lease_token: row.lease_token,
        })
    }
}

/// What follows the claimed rows, is due, and nobody holds. Whoever holds one of them is a worker that puts a newer one in its
/// place, and so nothing that follows it can be seen yet.
const FOLLOWING: &str = "\
SELECT following.*, first.id AS first
FROM UNNEST($1) AS first (id)
JOIN notifications AS head USING (id)
CROSS JOIN LATERAL (
    SELECT newer.id, newer.kind, newer.revision, newer.created_at FROM notifications AS newer
    WHERE newer.incident_id = head.incident_id AND newer.receiver = head.receiver AND newer.instead_of = head.instead_of
    AND newer.revision > head.revision AND newer.fate = 'open' AND newer.status = 'pending' AND newer.next_attempt_at <= now()
    ORDER BY newer.revision
    LIMIT $2
    FOR UPDATE SKIP LOCKED) AS following
ORDER BY first.id, following.revision";

#[derive(QueryableByName)]
struct Following {
    #[diesel(sql_type = SqlUuid)]
    first: Uuid,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = BigInt)]
    revision: i64,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
}

/// The survivor takes over the lease; what it says was owed since the first was.
const FOLD: &str = "\
WITH folded AS (
    UPDATE notifications SET
        status = 'superseded', reason = 'a newer notice says it', finished_at = now(), lease_token = NULL, lease_until = NULL,
        attempts = attempts - CASE WHEN status = 'sending' THEN 1 ELSE 0 END
    WHERE id = ANY($1))
UPDATE notifications SET
    status = 'sending', attempts = attempts + 1, kind = told.kind, owed_since = told.owed_since, redriven_at = NULL,
    lease_token = told.lease_token, lease_until = now() + make_interval(secs => $6)
FROM UNNEST($2, $3, $4, $5) AS told (id, kind, owed_since, lease_token)
WHERE notifications.id = told.id
RETURNING notifications.id, attempts";

#[derive(QueryableByName)]
struct Told {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Integer)]
    attempts: i32,
}

impl Store {
    /// Claims notices that are due, at most as many as there is room for at each receiver, for the time of `lease`. Of one
    /// incident and receiver it is one at a time.
    pub async fn ledger_claim(&self, rooms: &[Room], lease: Duration) -> Result<Claim, StoreError> {
        if rooms.is_empty() {
            return Ok(Claim::default());
        }
        self.run(Operation::LedgerClaim, |connection| {
            async move { connection.transaction(async |connection| claim_in_txn(connection, rooms, lease).await).await }
                .scope_boxed()
        })
        .await
    }
}

async fn claim_in_txn(
    connection: &mut AsyncPgConnection,
    rooms: &[Room],
    lease: Duration,
) -> Result<Claim, StoreError> {
    let rows: Vec<Row> = Statement::numbered(CLAIM)
        .bind::<Array<Text>, _>(rooms.iter().map(|room| room.receiver.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(rooms.iter().map(|room| room.destination.as_str()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(rooms.iter().map(|room| i64::from(room.notices)).collect::<Vec<_>>())
        .bind::<Double, _>(lease.as_secs_f64())
        .load(connection)
        .await?;
    let followed: Vec<Uuid> = rows.iter().filter(|row| row.is_followed).map(|row| row.id).collect();
    let mut claim =
        Claim { notices: rows.into_iter().map(ClaimedNotice::try_from).collect::<Result<_, _>>()?, folded: 0 };
    if !followed.is_empty() {
        fold_in_txn(connection, &mut claim, followed, lease).await?;
    }
    claim.notices.sort_unstable_by_key(|notice| (notice.created_at, notice.id));
    Ok(claim)
}

/// Lets the newest of those that are due tell what the claimed ones would have, where it can.
async fn fold_in_txn(
    connection: &mut AsyncPgConnection,
    claim: &mut Claim,
    followed: Vec<Uuid>,
    lease: Duration,
) -> Result<(), StoreError> {
    let rows: Vec<Following> = Statement::numbered(FOLLOWING)
        .bind::<Array<SqlUuid>, _>(followed)
        .bind::<BigInt, _>(MAX_FOLDED)
        .load(connection)
        .await?;
    let mut following: HashMap<Uuid, Vec<(Following, NoticeKind)>> = HashMap::new();
    for row in rows {
        let kind = known("notifications.kind", &row.kind)?;
        following.entry(row.first).or_default().push((row, kind));
    }
    let (mut superseded, mut told) = (Vec::new(), Vec::new());
    for notice in &mut claim.notices {
        let Some(newer) = following.get(&notice.id.as_uuid()) else { continue };
        let kinds: Vec<NoticeKind> = newer.iter().map(|(_, kind)| *kind).collect();
        let folded = fold(notice.kind, &kinds);
        let Some((survivor, _)) = folded.told.checked_sub(1).and_then(|last| newer.get(last)) else { continue };
        superseded.push(notice.id.as_uuid());
        superseded.extend(newer[..folded.told - 1].iter().map(|(row, _)| row.id));
        notice.id = NotificationId::from_uuid(survivor.id);
        notice.revision = survivor.revision;
        notice.created_at = survivor.created_at;
        notice.kind = folded.kind;
        told.push(survivor.id);
    }
    if told.is_empty() {
        return Ok(());
    }
    claim.folded = superseded.len();
    let survivors: Vec<&ClaimedNotice> = {
        let by_id: HashMap<Uuid, &ClaimedNotice> =
            claim.notices.iter().map(|notice| (notice.id.as_uuid(), notice)).collect();
        told.iter().filter_map(|id| by_id.get(id).copied()).collect()
    };
    let rows: Vec<Told> = Statement::numbered(FOLD)
        .bind::<Array<SqlUuid>, _>(superseded)
        .bind::<Array<SqlUuid>, _>(&told)
        .bind::<Array<Text>, _>(survivors.iter().map(|notice| notice.kind.as_str()).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(survivors.iter().map(|notice| notice.owed_since).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(survivors.iter().map(|notice| notice.lease_token).collect::<Vec<_>>())
        .bind::<Double, _>(lease.as_secs_f64())
        .load(connection)
        .await?;
    let attempts: HashMap<Uuid, i32> = rows.into_iter().map(|row| (row.id, row.attempts)).collect();
    for notice in &mut claim.notices {
        if let Some(attempt) = attempts.get(&notice.id.as_uuid()) {
            notice.attempt = *attempt;
        }
    }
    Ok(())
}
