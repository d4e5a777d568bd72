//! Which events were applied: the memory that makes redelivery harmless.

use std::collections::HashSet;
use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Double, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::{Envelope, EventId};
use uuid::Uuid;

use crate::statement::Statement;
use crate::{Operation, Store, StoreError};

const CLAIM: &str = "\
INSERT INTO event_ids (id)
SELECT * FROM UNNEST($1)
ON CONFLICT DO NOTHING
RETURNING id";

#[derive(QueryableByName)]
struct Claimed {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// Marks every delivery as applied by this transaction, and says which were not applied before. A delivery that another
/// transaction is applying is waited for.
pub(crate) async fn event_ids_claim_in_txn(
    connection: &mut AsyncPgConnection,
    deliveries: &[Envelope],
) -> Result<HashSet<EventId>, StoreError> {
    // In order, so that two workers with the same ids wait for each other in one direction only.
    let mut ids: Vec<Uuid> = deliveries.iter().map(|delivery| delivery.id.as_uuid()).collect();
    ids.sort_unstable();
    ids.dedup();
    let claimed: Vec<Claimed> = Statement::numbered(CLAIM).bind::<Array<SqlUuid>, _>(ids).load(connection).await?;
    Ok(claimed.into_iter().map(|row| EventId::from_uuid(row.id)).collect())
}

const PURGE: &str = "\
DELETE FROM event_ids
WHERE id = ANY(ARRAY(
    SELECT id FROM event_ids WHERE applied_at < now() - make_interval(secs => $1)
    ORDER BY applied_at LIMIT $2
    FOR UPDATE SKIP LOCKED))";

impl Store {
    /// Forgets at most `max` of the events that were applied longer than `older_than` ago, and says how many. One that comes
    /// again after that would be applied again. Several workers may do so at once: none waits for another.
    pub async fn event_ids_purge(&self, older_than: Duration, max: usize) -> Result<usize, StoreError> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        self.run(Operation::EventIdsPurge, |connection| {
            async move {
                let purge =
                    Statement::numbered(PURGE).bind::<Double, _>(older_than.as_secs_f64()).bind::<BigInt, _>(max);
                Ok(purge.execute(connection).await?)
            }
            .scope_boxed()
        })
        .await
    }
}
