//! What keeps firing alerts quiet, brought up to date: silences that begin and end, and alerts that inhibit others or do so
//! no more. Whether an alert that *begins* to fire is quiet is decided with the batch that tells of it.
//!
//! One step looks for alerts whose state is not what it should be, at most so many, and reconsiders them with their rows
//! locked. So steps may be repeated, and done by anybody; nothing is left to do when one finds nothing.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Jsonb, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::board::{Alert, AlertKey, Board, Loaded};
use tocsin_shared::policy::Policy;
use tocsin_shared::silence::Silence;
use tocsin_shared::{AlertStatus, Fingerprint, IncidentId};
use uuid::Uuid;

use crate::alert::{alerts_lock_in_txn, inhibitors_in_txn, labels, labels_json};
use crate::apply::changes_write_in_txn;
use crate::duty::{Duty, DutyDone, duty_try_in_txn};
use crate::incident::incidents_lock_in_txn;
use crate::ledger::notices_hush_in_txn;
use crate::load::reopens_before;
use crate::silence::{Known, silence_set_applied_in_txn, silences_own_in_txn};
use crate::statement::Statement;
use crate::{Operation, Store, StoreError};

/// Most alerts of one kind that one step reconsiders.
const MAX_ALERTS: i64 = 500;

/// Firing alerts with the labels that a silence asks for, as far as SQL can tell, that nothing silences yet.
const UNSILENCED: &str = "\
SELECT integration, fingerprint, labels FROM alerts
WHERE status = 'firing' AND silenced_by IS NULL AND labels @> $1
ORDER BY integration, fingerprint";

const NO_LONGER_SILENCED: &str = "\
SELECT integration, fingerprint, labels FROM alerts
WHERE status = 'firing' AND silenced_by IS NOT NULL AND silenced_by <> ALL($1)
ORDER BY integration, fingerprint LIMIT $2";

const NO_LONGER_INHIBITED: &str = "\
SELECT integration, fingerprint, labels FROM alerts AS target
WHERE status = 'firing' AND inhibited_by IS NOT NULL AND NOT EXISTS (
    SELECT FROM alerts AS source
    WHERE source.id = target.inhibited_by AND source.status = 'firing' AND source.inhibits && target.inhibitable)
ORDER BY integration, fingerprint LIMIT $1";

const NOT_YET_INHIBITED: &str = "\
SELECT integration, fingerprint, labels FROM alerts AS target
WHERE status = 'firing' AND inhibitable <> '{}' AND inhibited_by IS NULL AND EXISTS (
    SELECT FROM alerts AS source
    WHERE source.status = 'firing' AND source.inhibits <> '{}' AND source.inhibits && target.inhibitable
    AND source.id <> target.id)
ORDER BY integration, fingerprint LIMIT $1";

#[derive(QueryableByName)]
struct Candidate {
    #[diesel(sql_type = Text)]
    integration: String,
    #[diesel(sql_type = Text)]
    fingerprint: String,
    #[diesel(sql_type = Jsonb)]
    labels: serde_json::Value,
}

impl Candidate {
    fn into_key(self) -> AlertKey {
        AlertKey { integration: self.integration, fingerprint: Fingerprint::from_stored(self.fingerprint) }
    }
}

impl Store {
    /// Brings what keeps alerts quiet up to date, a step. Does nothing while another worker does it.
    pub async fn suppression_step(&self, policy: &Policy, now: DateTime<Utc>) -> Result<DutyDone, StoreError> {
        self.run_applying(Operation::SuppressionStep, |connection| {
            async move {
                if !duty_try_in_txn(connection, Duty::Suppression).await? {
                    return Ok(DutyDone::default());
                }
                let known = silences_own_in_txn(connection).await?;
                suppression_step_in_txn(connection, &known, policy, now).await
            }
            .scope_boxed()
        })
        .await
    }
}

/// The step, for who owns the silences.
pub(crate) async fn suppression_step_in_txn(
    connection: &mut AsyncPgConnection,
    known: &[Known],
    policy: &Policy,
    now: DateTime<Utc>,
) -> Result<DutyDone, StoreError> {
    let (mut keys, mut more) = (BTreeSet::new(), false);
    for Known { silence, is_applied } in known {
        if keys.len() >= limit() {
            more = true;
            break;
        }
        let is_active = silence.is_active(now);
        if is_active && !is_applied {
            let found = unsilenced_in_txn(connection, silence, now).await?;
            if found.len() < limit() {
                silence_set_applied_in_txn(connection, silence.id, true).await?;
            } else {
                more = true;
            }
            keys.extend(found);
        } else if !is_active && *is_applied {
            silence_set_applied_in_txn(connection, silence.id, false).await?;
        }
    }
    let active: Vec<Uuid> =
        known.iter().filter(|known| known.silence.is_active(now)).map(|known| known.silence.id.as_uuid()).collect();
    let released: Vec<Candidate> = Statement::numbered(NO_LONGER_SILENCED)
        .bind::<Array<SqlUuid>, _>(active)
        .bind::<BigInt, _>(MAX_ALERTS)
        .load(connection)
        .await?;
    more |= released.len() >= limit();
    keys.extend(released.into_iter().map(Candidate::into_key));
    for query in [NO_LONGER_INHIBITED, NOT_YET_INHIBITED] {
        let found: Vec<Candidate> = Statement::numbered(query).bind::<BigInt, _>(MAX_ALERTS).load(connection).await?;
        more |= found.len() >= limit();
        keys.extend(found.into_iter().map(Candidate::into_key));
    }
    let silences: Vec<Silence> = known.iter().map(|known| known.silence.clone()).collect();
    let done = reconsider_in_txn(connection, &silences, policy, keys, now).await?;
    Ok(DutyDone { more, ..done })
}

async fn unsilenced_in_txn(
    connection: &mut AsyncPgConnection,
    silence: &Silence,
    now: DateTime<Utc>,
) -> Result<Vec<AlertKey>, StoreError> {
    let equal = labels_json(&silence.matchers.equalities());
    let candidates: Vec<Candidate> = Statement::numbered(UNSILENCED).bind::<Jsonb, _>(equal).load(connection).await?;
    let mut keys = Vec::new();
    for mut candidate in candidates {
        let its = labels("alerts.labels", std::mem::take(&mut candidate.labels))?;
        if silence.mutes(&its, now) {
            keys.push(candidate.into_key());
        }
        if keys.len() == limit() {
            break;
        }
    }
    Ok(keys)
}

async fn reconsider_in_txn(
    connection: &mut AsyncPgConnection,
    silences: &[Silence],
    policy: &Policy,
    keys: BTreeSet<AlertKey>,
    now: DateTime<Utc>,
) -> Result<DutyDone, StoreError> {
    if keys.is_empty() {
        return Ok(DutyDone::default());
    }
    let keys: Vec<AlertKey> = keys.into_iter().collect();
    let alerts = alerts_lock_in_txn(connection, &keys).await?;
    let inhibitions = alerts.iter().flat_map(|alert| policy.inhibition.target_keys(&alert.newest.labels)).collect();
    let inhibitors = inhibitors_in_txn(connection, inhibitions).await?;
    let ids: BTreeSet<Uuid> = alerts.iter().filter_map(|alert| alert.incident_id).map(IncidentId::as_uuid).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let groups = groups_of(&alerts, policy);
    let incidents = incidents_lock_in_txn(connection, ids.clone(), groups, reopens_before(now, policy)).await?;
    let mut board = Board::new(policy, silences, Loaded { alerts, incidents, inhibitors });
    let changed = board.reconsider(now);
    let written = changes_write_in_txn(connection, board.into_changes(), false).await?;
    notices_hush_in_txn(connection, &ids).await?;
    Ok(DutyDone { done: changed, notices: written.notices, more: false })
}

/// The groups that these alerts, as far as they fire, belong to by now.
fn groups_of(alerts: &[Alert], policy: &Policy) -> Vec<String> {
    let firing = alerts.iter().filter(|alert| alert.status == AlertStatus::Firing).map(|alert| &alert.newest.labels);
    let groups: BTreeSet<String> = firing.map(|labels| policy.routing.owner(labels).group_key(labels)).collect();
    groups.into_iter().collect()
}

fn limit() -> usize {
    usize::try_from(MAX_ALERTS).unwrap_or(usize::MAX)
}
