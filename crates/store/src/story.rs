//! What messages tell: incidents with some of their alerts, and what providers call the message that tells of them already. For
//! a whole batch of notices at once, in one round trip.

use std::collections::HashMap;

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Jsonb, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::IncidentId;
use tocsin_shared::board::Alert;
use uuid::Uuid;

use crate::alert::Row as AlertRow;
use crate::incident::Row as IncidentRow;
use crate::statement::Statement;
use crate::{ClaimedNotice, IncidentRecord, Operation, Store, StoreError, columns};

/// Most alerts of an incident that a message may tell of.
pub const MAX_ALERTS_OF_STORY: usize = 50;

/// What there is to tell of an incident to a receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct StoryRecord {
    /// The incident as it is now.
    pub incident: IncidentRecord,
    /// At most 50 of its alerts: those that fire first, and the newest of the others.
    pub alerts: Vec<Alert>,
    /// The destination at which the receiver has a message of the incident, and what the provider calls that.
    pub message: Option<(String, serde_json::Value)>,
}

const INCIDENTS: &str = concat!("SELECT ", columns::incidents!(), " FROM incidents WHERE id = ANY($1)");

/// Firing alerts by the incident that they are in, and the newest by membership: each by its index, whatever else there is.
const ALERTS: &str = concat!(
    "SELECT story.id AS story_id, ",
    columns::alerts!(),
    "
FROM UNNEST($1) AS story (id)
CROSS JOIN LATERAL (
    (SELECT id FROM alerts WHERE alerts.incident_id = story.id AND alerts.status = 'firing' LIMIT $2)
    UNION
    (SELECT alert_id FROM incident_alerts WHERE incident_alerts.incident_id = story.id ORDER BY alert_id DESC LIMIT $2)
) AS chosen (id)
JOIN alerts ON alerts.id = chosen.id
ORDER BY story.id, alerts.status = 'firing' AND alerts.incident_id IS NOT DISTINCT FROM story.id DESC, alerts.id DESC"
);

const MESSAGES: &str = "\
SELECT incident_id, receiver, destination, reference
FROM messages JOIN UNNEST($1, $2) AS told (incident_id, receiver) USING (incident_id, receiver)";

#[derive(QueryableByName)]
struct OfStory {
    #[diesel(sql_type = SqlUuid)]
    story_id: Uuid,
    #[diesel(embed)]
    alert: AlertRow,
}

#[derive(QueryableByName)]
struct Message {
    #[diesel(sql_type = SqlUuid)]
    incident_id: Uuid,
    #[diesel(sql_type = Text)]
    receiver: String,
    #[diesel(sql_type = Text)]
    destination: String,
    #[diesel(sql_type = Jsonb)]
    reference: serde_json::Value,
}

impl Store {
    /// What there is to tell of each of these notices, in their order; nothing of an incident that no longer exists.
    pub async fn stories(&self, notices: &[ClaimedNotice]) -> Result<Vec<Option<StoryRecord>>, StoreError> {
        if notices.is_empty() {
            return Ok(Vec::new());
        }
        let told: Vec<_> = notices.iter().map(|notice| (notice.incident_id, notice.receiver.as_str())).collect();
        self.stories_of(&told).await
    }

    /// What there is to tell a receiver of an incident; nothing if there is no such incident.
    pub async fn story(&self, incident: IncidentId, receiver: &str) -> Result<Option<StoryRecord>, StoreError> {
        Ok(self.stories_of(&[(incident, receiver)]).await?.pop().flatten())
    }

    async fn stories_of(&self, told: &[(IncidentId, &str)]) -> Result<Vec<Option<StoryRecord>>, StoreError> {
        self.run(Operation::Stories, |connection| async move { stories_read(connection, told).await }.scope_boxed())
            .await
    }
}

async fn stories_read(
    connection: &AsyncPgConnection,
    told: &[(IncidentId, &str)],
) -> Result<Vec<Option<StoryRecord>>, StoreError> {
    let pairs: Vec<Uuid> = told.iter().map(|(incident, _)| incident.as_uuid()).collect();
    let receivers: Vec<&str> = told.iter().map(|&(_, receiver)| receiver).collect();
    let mut ids = pairs.clone();
    ids.sort_unstable();
    ids.dedup();
    // Sent together, answered together.
    let (mut first, mut second, mut third) = (connection, connection, connection);
    let limit = i64::try_from(MAX_ALERTS_OF_STORY).unwrap_or(i64::MAX);
    let (incidents, alerts, messages): (Vec<IncidentRow>, Vec<OfStory>, Vec<Message>) = tokio::try_join!(
        Statement::numbered(INCIDENTS).bind::<Array<SqlUuid>, _>(&ids).load(&mut first),
        Statement::numbered(ALERTS).bind::<Array<SqlUuid>, _>(&ids).bind::<BigInt, _>(limit).load(&mut second),
        Statement::numbered(MESSAGES)
            .bind::<Array<SqlUuid>, _>(&pairs)
            .bind::<Array<Text>, _>(receivers)
            .load(&mut third),
    )?;
    let mut by_incident: HashMap<IncidentId, Vec<Alert>> = HashMap::new();
    for row in alerts {
        let alerts = by_incident.entry(IncidentId::from_uuid(row.story_id)).or_default();
        if alerts.len() < MAX_ALERTS_OF_STORY {
            alerts.push(row.alert.try_into()?);
        }
    }
    let mut records: HashMap<IncidentId, IncidentRecord> = HashMap::new();
    for row in incidents {
        let record = IncidentRecord::try_from(row)?;
        records.insert(record.incident.id, record);
    }
    let messages: HashMap<(IncidentId, String), (String, serde_json::Value)> = messages
        .into_iter()
        .map(|m| ((IncidentId::from_uuid(m.incident_id), m.receiver), (m.destination, m.reference)))
        .collect();
    let story = |&(id, receiver): &(IncidentId, &str)| {
        let incident = records.get(&id)?.clone();
        let alerts = by_incident.get(&id).cloned().unwrap_or_default();
        let message = messages.get(&(id, receiver.to_owned())).cloned();
        Some(StoryRecord { incident, alerts, message })
    };
    Ok(told.iter().map(story).collect())
}
