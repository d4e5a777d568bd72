//! Recording what became of notices, many in one statement, and handing back those that are not sent now.

use std::collections::HashSet;
use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::{Array, Bool, Double, Integer, Jsonb, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::NotificationId;
use uuid::Uuid;

use super::bury::tell_fallbacks;
use super::{ClaimedNotice, Outcome, Verdict};
use crate::statement::Statement;
use crate::{Operation, Store, StoreError};

/// Everything hangs on the lease: who has lost it writes nothing. The answer names what is recorded, by this statement or by an
/// earlier try at it whose own answer was lost.
const FINISH: &str = concat!(
    "\
WITH outcome AS (
    SELECT * FROM UNNEST($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        AS o (id, token, attempt, status, why, wait, latency_ms, http_status, answer, destination, is_gone, message, fallback)),
held AS (
    UPDATE notifications AS n SET
        status = o.status, reason = o.why, lease_token = NULL, lease_until = NULL,
        next_attempt_at = now() + make_interval(secs => o.wait),
        finished_at = CASE WHEN o.status <> 'pending' THEN now() END
    FROM outcome AS o
    WHERE n.id = o.id AND n.lease_token = o.token
    RETURNING n.id, n.incident_id, n.receiver, n.revision, n.created_at, n.trace, n.status, n.reason, n.instead_of,
        o.attempt, o.latency_ms, o.http_status, o.answer, o.destination, o.is_gone, o.message, o.fallback),
recorded AS (
    INSERT INTO deliveries (notification_id, attempt, latency_ms, http_status, answer)
    SELECT id, attempt, latency_ms, http_status, answer FROM held),
named AS (
    INSERT INTO messages (incident_id, receiver, destination, reference)
    SELECT incident_id, receiver, destination, message FROM held WHERE message IS NOT NULL
    ON CONFLICT (incident_id, receiver) DO UPDATE
    SET destination = excluded.destination, reference = excluded.reference, updated_at = now()),
gone AS (
    INSERT INTO receivers_gone (receiver, destination, reason)
    SELECT DISTINCT ON (receiver) receiver, destination, reason FROM held WHERE is_gone ORDER BY receiver, id
    ON CONFLICT (receiver) DO UPDATE
    SET destination = excluded.destination, reason = excluded.reason, gone_at = now()
    WHERE receivers_gone.destination <> excluded.destination),
dead AS (SELECT * FROM held WHERE status = 'dead'),
",
    tell_fallbacks!(),
    "
SELECT id FROM held
UNION
SELECT o.id FROM outcome AS o JOIN deliveries AS d ON (d.notification_id, d.attempt) = (o.id, o.attempt)
WHERE NOT EXISTS (SELECT FROM notifications AS n WHERE n.id = o.id AND n.lease_token IS NOT NULL)"
);

/// What is due after what waits already stays due, so that it is told first or folded into that.
const PUT_BACK: &str = "\
UPDATE notifications AS n SET
    status = 'pending', attempts = attempts - 1, lease_token = NULL, lease_until = NULL,
    next_attempt_at = CASE
        WHEN EXISTS (
            SELECT FROM notifications AS newer
            WHERE newer.incident_id = n.incident_id AND newer.receiver = n.receiver AND newer.instead_of = n.instead_of
            AND newer.revision > n.revision AND newer.fate = 'open' AND newer.status = 'pending') THEN now()
        ELSE now() + make_interval(secs => o.wait) END
FROM UNNEST($1, $2, $3) AS o (id, token, wait)
WHERE n.id = o.id AND n.lease_token = o.token";

#[derive(QueryableByName)]
struct Held {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

impl Store {
    /// Records attempts and what follows from them, all or none: the answers, what providers call our messages, receivers that
    /// are gone, and that fallbacks are told of what is dead. Gives the notices of which the outcome is in the ledger; the
    /// others were another notifier's by then, and nothing was written of them.
    pub async fn ledger_finish(&self, outcomes: &[Outcome]) -> Result<HashSet<NotificationId>, StoreError> {
        if outcomes.is_empty() {
            return Ok(HashSet::new());
        }
        self.run(Operation::LedgerFinish, |connection| {
            async move {
                let held: Vec<Held> = Statement::numbered(FINISH)
                    .bind::<Array<SqlUuid>, _>(each(outcomes, |o| o.notice.id.as_uuid()))
                    .bind::<Array<SqlUuid>, _>(each(outcomes, |o| o.notice.lease_token))
                    .bind::<Array<Integer>, _>(each(outcomes, |o| o.notice.attempt))
                    .bind::<Array<Text>, _>(each(outcomes, |o| o.verdict.status()))
                    .bind::<Array<Nullable<Text>>, _>(each(outcomes, |o| o.verdict.reason()))
                    .bind::<Array<Double>, _>(each(outcomes, |o| o.verdict.wait().as_secs_f64()))
                    .bind::<Array<Integer>, _>(each(outcomes, |o| {
                        i32::try_from(o.attempt.latency.as_millis()).unwrap_or(i32::MAX)
                    }))
                    .bind::<Array<Nullable<Integer>>, _>(each(outcomes, |o| o.attempt.http_status.map(i32::from)))
                    .bind::<Array<Text>, _>(each(outcomes, |o| o.attempt.answer.as_str()))
                    .bind::<Array<Text>, _>(each(outcomes, |o| o.destination.as_str()))
                    .bind::<Array<Bool>, _>(each(outcomes, |o| matches!(o.verdict, Verdict::Gone { .. })))
                    .bind::<Array<Nullable<Jsonb>>, _>(each(outcomes, |o| o.message.as_ref()))
                    .bind::<Array<Nullable<Text>>, _>(each(outcomes, |o| o.fallback.as_deref()))
                    .load(connection)
                    .await?;
                Ok(held.into_iter().map(|held| NotificationId::from_uuid(held.id)).collect())
            }
            .scope_boxed()
        })
        .await
    }

    /// Hands back notices that were claimed and are not sent now, each to be due again after its wait. It counts as no attempt.
    /// What is another notifier's by now is left alone.
    pub async fn ledger_put_back(&self, notices: &[(ClaimedNotice, Duration)]) -> Result<(), StoreError> {
        if notices.is_empty() {
            return Ok(());
        }
        self.run(Operation::LedgerPutBack, |connection| {
            async move {
                Statement::numbered(PUT_BACK)
                    .bind::<Array<SqlUuid>, _>(each(notices, |(notice, _)| notice.id.as_uuid()))
                    .bind::<Array<SqlUuid>, _>(each(notices, |(notice, _)| notice.lease_token))
                    .bind::<Array<Double>, _>(each(notices, |(_, wait)| wait.as_secs_f64()))
                    .execute(connection)
                    .await?;
                Ok(())
            }
            .scope_boxed()
        })
        .await
    }
}

fn each<'a, T, V>(items: &'a [T], value: impl FnMut(&'a T) -> V) -> Vec<V> {
    items.iter().map(value).collect()
}

impl Verdict {
    const fn status(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry { .. } => "pending",
            Self::Dead { .. } | Self::Gone { .. } => "dead",
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Dead { reason } | Self::Gone { reason } => Some(reason),
            Self::Delivered | Self::Retry { .. } => None,
        }
    }

    const fn wait(&self) -> Duration {
        match self {
            Self::Retry { after } => *after,
            _ => Duration::ZERO,
        }
    }
}
