//! What there is to do and what was done lately, in numbers, for the people who look after Tocsin.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Double, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use scoped_futures::ScopedFutureExt as _;
use uuid::{NoContext, Timestamp, Uuid};

use crate::{Operation, Store, StoreError};

/// Receivers that are shown at most.
const MAX_RECEIVERS: i64 = 1_000;
/// How long ago a notice that was delivered in the last hour may have been written: two hours, in seconds. It is found by its
/// id, which begins with the time; an index on the time of delivery would cost every delivery.
const WRITTEN_WITHIN_S: u64 = 7_200;

/// The state, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, QueryableByName)]
#[expect(missing_docs, reason = "each is named after what it counts")]
pub struct Figures {
    #[diesel(sql_type = BigInt)]
    pub triggered: i64,
    #[diesel(sql_type = BigInt)]
    pub acknowledged: i64,
    #[diesel(sql_type = BigInt)]
    pub firing: i64,
    #[diesel(sql_type = BigInt)]
    pub dead_letters: i64,
    #[diesel(sql_type = BigInt)]
    pub dead_notices: i64,
    #[diesel(sql_type = BigInt)]
    pub inbox: i64,
}

/// How it goes with one receiver.
#[derive(Debug, Clone, PartialEq, QueryableByName)]
pub struct ReceiverFigures {
    /// What routes call it.
    #[diesel(sql_type = Text)]
    pub receiver: String,
    /// Notices that are to be sent, at once or later.
    #[diesel(sql_type = BigInt)]
    pub pending: i64,
    /// Age of the oldest of them that is due, in seconds.
    #[diesel(sql_type = Double)]
    pub oldest_pending_s: f64,
    /// Notices delivered in the last hour; without those that had waited for more than another.
    #[diesel(sql_type = BigInt)]
    pub delivered_1h: i64,
    /// Notices that have died in the last hour.
    #[diesel(sql_type = BigInt)]
    pub dead_1h: i64,
    /// Whether its last notice died, or one is being tried again.
    #[diesel(sql_type = Bool)]
    pub failing: bool,
    /// Whether its provider says that there is nobody any more.
    #[diesel(sql_type = Bool)]
    pub gone: bool,
    /// What went wrong last, if something does.
    #[diesel(sql_type = Nullable<Text>)]
    pub last_error: Option<String>,
}

const FIGURES: &str = "\
SELECT
    (SELECT count(*) FROM incidents WHERE status = 'triggered') AS triggered,
    (SELECT count(*) FROM incidents WHERE status = 'acknowledged') AS acknowledged,
    (SELECT count(*) FROM alerts WHERE status = 'firing') AS firing,
    (SELECT count(*) FROM dead_letters) AS dead_letters,
    (SELECT count(*) FROM notifications WHERE fate = 'dead') AS dead_notices,
    (SELECT coalesce(max(seq) - min(seq) + 1, 0) FROM inbox) AS inbox";

const RECEIVERS: &str = "\
WITH unfinished AS (
    SELECT id, receiver, created_at, attempts, attempts > 0 OR next_attempt_at <= now() AS due
    FROM notifications WHERE fate = 'open'),
waiting AS (
    SELECT receiver, count(*) AS pending, min(created_at) FILTER (WHERE due) AS oldest, bool_or(attempts > 1) AS retrying
    FROM unfinished GROUP BY receiver),
delivered AS (
    SELECT receiver, count(*) AS delivered, max(finished_at) AS last FROM notifications
    WHERE id >= $1 AND fate = 'delivered' AND finished_at > now() - interval '1 hour' GROUP BY receiver),
dead AS (
    SELECT receiver, count(*) AS dead, max(finished_at) AS last FROM notifications
    WHERE fate = 'dead' AND finished_at > now() - interval '1 hour' GROUP BY receiver),
errors AS (
    SELECT DISTINCT ON (receiver) receiver, text FROM (
        SELECT receiver, answer AS text, at FROM unfinished
        CROSS JOIN LATERAL (
            SELECT answer, at FROM deliveries WHERE notification_id = unfinished.id ORDER BY deliveries.id DESC LIMIT 1) AS tried
        WHERE attempts > 0
        UNION ALL
        SELECT receiver, reason, finished_at FROM notifications
        WHERE fate = 'dead' AND finished_at > now() - interval '1 hour') AS found
    ORDER BY receiver, at DESC)
SELECT receiver, coalesce(pending, 0) AS pending,
    coalesce(extract(epoch FROM now() - oldest), 0)::double precision AS oldest_pending_s,
    coalesce(delivered, 0) AS delivered_1h, coalesce(dead, 0) AS dead_1h,
    coalesce(retrying, false) OR coalesce(dead.last > coalesce(delivered.last, '-infinity'), false) AS failing,
    receivers_gone.receiver IS NOT NULL AS gone, coalesce(receivers_gone.reason, errors.text) AS last_error
FROM waiting
FULL JOIN delivered USING (receiver)
FULL JOIN dead USING (receiver)
FULL JOIN receivers_gone USING (receiver)
LEFT JOIN errors USING (receiver)
ORDER BY receiver LIMIT $2";

impl Store {
    /// What there is. Each number comes from an index, and costs as much as it counts.
    pub async fn figures(&self) -> Result<Figures, StoreError> {
        self.run(Operation::Figures, |connection| {
            async move { Ok(diesel::sql_query(FIGURES).get_result(connection).await?) }.scope_boxed()
        })
        .await
    }

    /// How it goes with the receivers that have something to do, or had in the last hour; at most 1,000, by name.
    pub async fn receiver_figures(&self) -> Result<Vec<ReceiverFigures>, StoreError> {
        let now = Timestamp::now(NoContext);
        let (seconds, _) = now.to_unix();
        let from = first_id_of(seconds.saturating_sub(WRITTEN_WITHIN_S));
        self.run(Operation::ReceiverFigures, |connection| {
            async move {
                let query = diesel::sql_query(RECEIVERS).bind::<SqlUuid, _>(from).bind::<BigInt, _>(MAX_RECEIVERS);
                Ok(query.load(connection).await?)
            }
            .scope_boxed()
        })
        .await
    }
}

/// The lowest id (`UUIDv7`, RFC 9562) of a second.
fn first_id_of(seconds: u64) -> Uuid {
    Uuid::from_u128(u128::from(seconds.saturating_mul(1_000)) << 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_behind_the_first_of_their_second() {
        let id = Uuid::new_v7(Timestamp::from_unix(NoContext, 1_800_000_000, 0));
        assert!(first_id_of(1_800_000_000) <= id && id < first_id_of(1_800_000_001));
    }
}
