//! Dead notices, tried again: with all the attempts and all the time of a new one.
//!
//! Asked for by a command, and then done by the worker together with its timeline; or at a notifier's command line, by its
//! role, which cannot write a timeline.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::ledger::{DeadNotices, MAX_DEAD_NOTICES, NoticeStatus};
use tocsin_shared::{IncidentId, NotificationId};
use uuid::Uuid;

use crate::alert::known;
use crate::{Operation, Store, StoreError};

/// What became of notices that were to be driven again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticesRedriven {
    /// These are due now.
    Done(Vec<RedrivenNotice>),
    /// There is none of this id. Nothing was done.
    Unknown(NotificationId),
    /// This one is not dead. Nothing was done.
    NotDead {
        /// Which.
        id: NotificationId,
        /// What it is.
        status: NoticeStatus,
    },
}

/// A notice that is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedrivenNotice {
    /// Names it.
    pub id: NotificationId,
    /// What it is about.
    pub incident_id: IncidentId,
    /// Who is told.
    pub receiver: String,
}

/// In the order of their ids, so that two who drive the same ones again do not wait for each other in a circle.
const TAKE_THESE: &str =
    "SELECT id, incident_id, receiver, status FROM notifications WHERE id = ANY($1) ORDER BY id FOR UPDATE";

/// What the receiver has been told since says more than these would; only who asks for them by their ids gets them.
const TAKE_MATCHING: &str = "\
SELECT id, incident_id, receiver, status FROM notifications AS dead
WHERE fate = 'dead' AND ($1 IS NULL OR receiver = $1) AND ($2 IS NULL OR finished_at >= $2)
AND NOT EXISTS (
    SELECT FROM notifications AS newer
    WHERE newer.incident_id = dead.incident_id AND newer.receiver = dead.receiver AND newer.revision > dead.revision
    AND newer.status = 'delivered')
ORDER BY id LIMIT $3
FOR UPDATE SKIP LOCKED";

const REVIVE: &str = "\
UPDATE notifications SET
    status = 'pending', attempts = 0, reason = NULL, finished_at = NULL, next_attempt_at = now(), redriven_at = now()
WHERE id = ANY($1)";

/// Whoever has something tried again says that there is somebody.
const SWITCH_ON: &str = "DELETE FROM receivers_gone WHERE receiver = ANY($1)";

#[derive(QueryableByName)]
struct Taken {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    incident_id: Uuid,
    #[diesel(sql_type = Text)]
    receiver: String,
    #[diesel(sql_type = Text)]
    status: String,
}

impl Store {
    /// Drives dead notices again, and switches their receivers on. Their `created_at` stays; how long they may take is
    /// counted from now on.
    pub async fn notices_redrive(&self, which: &DeadNotices) -> Result<NoticesRedriven, StoreError> {
        self.run(Operation::NoticesRedrive, |connection| {
            async move {
                connection.transaction(async |connection| notices_redrive_in_txn(connection, which).await).await
            }
            .scope_boxed()
        })
        .await
    }
}

pub(crate) async fn notices_redrive_in_txn(
    connection: &mut AsyncPgConnection,
    which: &DeadNotices,
) -> Result<NoticesRedriven, StoreError> {
    let taken = match which {
        DeadNotices::These(ids) => {
            let taken = take_these_in_txn(connection, ids).await?;
            if let Some(unknown) = ids.iter().find(|id| taken.iter().all(|row| row.id != id.as_uuid())) {
                return Ok(NoticesRedriven::Unknown(*unknown));
            }
            for row in &taken {
                let status = known("notifications.status", &row.status)?;
                if status != NoticeStatus::Dead {
                    return Ok(NoticesRedriven::NotDead { id: NotificationId::from_uuid(row.id), status });
                }
            }
            taken
        }
        DeadNotices::Matching { receiver, since, limit } => {
            take_matching_in_txn(connection, receiver.as_deref(), *since, *limit).await?
        }
    };
    let ids: Vec<Uuid> = taken.iter().map(|row| row.id).collect();
    let mut receivers: Vec<&str> = taken.iter().map(|row| row.receiver.as_str()).collect();
    receivers.sort_unstable();
    receivers.dedup();
    diesel::sql_query(REVIVE).bind::<Array<SqlUuid>, _>(ids).execute(connection).await?;
    diesel::sql_query(SWITCH_ON).bind::<Array<Text>, _>(receivers).execute(connection).await?;
    let redriven = |row: Taken| RedrivenNotice {
        id: NotificationId::from_uuid(row.id),
        incident_id: IncidentId::from_uuid(row.incident_id),
        receiver: row.receiver,
    };
    Ok(NoticesRedriven::Done(taken.into_iter().map(redriven).collect()))
}

async fn take_these_in_txn(
    connection: &mut AsyncPgConnection,
    ids: &[NotificationId],
) -> Result<Vec<Taken>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    Ok(diesel::sql_query(TAKE_THESE).bind::<Array<SqlUuid>, _>(ids).load(connection).await?)
}

async fn take_matching_in_txn(
    connection: &mut AsyncPgConnection,
    receiver: Option<&str>,
    since: Option<DateTime<Utc>>,
    limit: u32,
) -> Result<Vec<Taken>, StoreError> {
    let query = diesel::sql_query(TAKE_MATCHING)
        .bind::<Nullable<Text>, _>(receiver)
        .bind::<Nullable<Timestamptz>, _>(since)
        .bind::<BigInt, _>(i64::from(limit.min(MAX_DEAD_NOTICES)));
    Ok(query.load(connection).await?)
}
