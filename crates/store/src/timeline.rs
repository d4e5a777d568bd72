//! What happened to an incident.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::IncidentId;
use tocsin_shared::board::TimelineEntry;
use tocsin_shared::command::Actor;
use uuid::Uuid;

use crate::schema::timeline;
use crate::statement::Statement;
use crate::{Operation, Store, StoreError};

/// Most entries that one request shows.
pub(crate) const MAX_ENTRIES: i64 = 500;

/// A timeline entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, QueryableByName, Selectable)]
#[diesel(table_name = timeline, check_for_backend(diesel::pg::Pg))]
#[expect(missing_docs, reason = "the columns of the table")]
pub struct TimelineRecord {
    pub id: i64,
    pub at: DateTime<Utc>,
    pub kind: String,
    pub actor_type: String,
    pub actor_id: Option<String>,
    pub actor_name: Option<String>,
    pub content: String,
}

impl Store {
    /// The newest 500 entries of an incident's timeline, oldest first.
    pub async fn timeline_list(&self, incident: IncidentId) -> Result<Vec<TimelineRecord>, StoreError> {
        self.run(Operation::TimelineList, |connection| {
            async move {
                let mut entries = timeline::table
                    .filter(timeline::incident_id.eq(incident.as_uuid()))
                    .order(timeline::id.desc())
                    .limit(MAX_ENTRIES)
                    .select(TimelineRecord::as_select())
                    .load(connection)
                    .await?;
                entries.reverse();
                Ok(entries)
            }
            .scope_boxed()
        })
        .await
    }
}

const INSERT: &str = "\
INSERT INTO timeline (incident_id, at, kind, content, actor_type, actor_id, actor_name)
SELECT incident_id, at, kind, content, coalesce(actor_type, 'system'), actor_id, actor_name
FROM UNNEST($1, $2, $3, $4, $5, $6, $7)
    AS new (incident_id, at, kind, content, actor_type, actor_id, actor_name)";

pub(crate) async fn timeline_insert_in_txn(
    connection: &mut AsyncPgConnection,
    entries: &[TimelineEntry],
) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let actor = |part: fn(&Actor) -> &str| entries.iter().map(|e| e.actor.as_ref().map(part)).collect::<Vec<_>>();
    Statement::numbered(INSERT)
        .bind::<Array<SqlUuid>, _>(entries.iter().map(|entry| entry.incident_id.as_uuid()).collect::<Vec<Uuid>>())
        .bind::<Array<Timestamptz>, _>(entries.iter().map(|entry| entry.at).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(entries.iter().map(|entry| entry.kind.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(entries.iter().map(|entry| entry.content.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(actor(|actor| actor.kind.as_str()))
        .bind::<Array<Nullable<Text>>, _>(actor(|actor| &actor.id))
        .bind::<Array<Nullable<Text>>, _>(actor(|actor| &actor.name))
        .execute(connection)
        .await?;
    Ok(())
}
