//! Which alerts others have to do with: those of one incident, and those that inhibit.

use std::collections::BTreeSet;

use diesel::QueryableByName;
use diesel::sql_types::{Array, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tocsin_shared::board::AlertKey;
use tocsin_shared::{AlertId, Fingerprint, IncidentId};
use uuid::Uuid;

use crate::StoreError;
use crate::statement::Statement;

const SIBLINGS: &str = "\
SELECT DISTINCT others.integration, others.fingerprint
FROM UNNEST($1, $2) AS named (integration, fingerprint)
JOIN alerts AS alert USING (integration, fingerprint)
JOIN incidents ON incidents.id = alert.incident_id AND incidents.resolve_policy = 'any'
JOIN alerts AS others ON others.incident_id = incidents.id AND others.status = 'firing'";

/// The key of a row.
#[derive(QueryableByName)]
pub(crate) struct Key {
    #[diesel(sql_type = Text)]
    integration: String,
    #[diesel(sql_type = Text)]
    fingerprint: String,
}

impl From<Key> for AlertKey {
    fn from(Key { integration, fingerprint }: Key) -> Self {
        Self { integration, fingerprint: Fingerprint::from_stored(fingerprint) }
    }
}

/// The firing alerts that end together with one of these. Not locked: there may be others by the time that they are.
pub(crate) async fn siblings_in_txn(
    connection: &mut AsyncPgConnection,
    keys: &BTreeSet<AlertKey>,
) -> Result<BTreeSet<AlertKey>, StoreError> {
    let siblings: Vec<Key> = Statement::numbered(SIBLINGS)
        .bind::<Array<Text>, _>(keys.iter().map(|key| key.integration.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(keys.iter().map(|key| key.fingerprint.as_str()).collect::<Vec<_>>())
        .load(connection)
        .await?;
    Ok(siblings.into_iter().map(AlertKey::from).collect())
}

const FIRING_OF: &str = "\
SELECT integration, fingerprint FROM alerts WHERE incident_id = ANY($1) AND status = 'firing'
ORDER BY integration, fingerprint";

/// The firing alerts of incidents, to be locked. There may be others by then.
pub(crate) async fn alerts_firing_in_txn(
    connection: &mut AsyncPgConnection,
    incidents: &[IncidentId],
) -> Result<Vec<AlertKey>, StoreError> {
    let ids: Vec<Uuid> = incidents.iter().map(|id| id.as_uuid()).collect();
    let keys: Vec<Key> = Statement::numbered(FIRING_OF).bind::<Array<SqlUuid>, _>(ids).load(connection).await?;
    Ok(keys.into_iter().map(AlertKey::from).collect())
}

const INHIBITORS: &str = "\
SELECT key, id FROM alerts CROSS JOIN LATERAL UNNEST(inhibits) AS key
WHERE status = 'firing' AND inhibits <> '{}' AND inhibits && $1 AND key = ANY($1)";

#[derive(QueryableByName)]
struct Inhibitor {
    #[diesel(sql_type = Text)]
    key: String,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// The firing alerts that are the source of one of these inhibitions.
pub(crate) async fn inhibitors_in_txn(
    connection: &mut AsyncPgConnection,
    keys: BTreeSet<String>,
) -> Result<Vec<(String, AlertId)>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<String> = keys.into_iter().collect();
    let found: Vec<Inhibitor> = Statement::numbered(INHIBITORS).bind::<Array<Text>, _>(keys).load(connection).await?;
    Ok(found.into_iter().map(|found| (found.key, AlertId::from_uuid(found.id))).collect())
}
