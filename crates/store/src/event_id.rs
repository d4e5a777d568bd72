//! Which events were applied: the memory that makes redelivery harmless.

use std::collections::HashSet;

use diesel::QueryableByName;
use diesel::sql_types::{Array, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tocsin_shared::{Envelope, EventId};
use uuid::Uuid;

use crate::StoreError;

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
    let claimed: Vec<Claimed> = diesel::sql_query(CLAIM).bind::<Array<SqlUuid>, _>(ids).load(connection).await?;
    Ok(claimed.into_iter().map(|row| EventId::from_uuid(row.id)).collect())
}
