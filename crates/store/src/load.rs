//! Loading and locking the state that a batch works on: no more of it than the batch may change, because whatever is locked
//! is kept from all other workers.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use tocsin_shared::board::{Alert, AlertKey, Loaded};
use tocsin_shared::policy::Policy;
use tocsin_shared::routing::ResolvePolicy;
use tocsin_shared::{AlertEvent, AlertStatus, Envelope, Fingerprint, IncidentId};

use crate::StoreError;
use crate::alert::{alerts_lock_in_txn, inhibitors_in_txn, siblings_in_txn};
use crate::incident::incidents_lock_in_txn;

/// What deliveries name.
#[derive(Default)]
struct Named<'a> {
    told_of: BTreeMap<AlertKey, Vec<&'a AlertEvent>>,
    acknowledged: BTreeSet<AlertKey>,
}

impl<'a> Named<'a> {
    fn by(fresh: &[&'a Envelope]) -> Self {
        let mut named = Self::default();
        for delivery in fresh {
            let key = |fingerprint: &Fingerprint| AlertKey {
                integration: delivery.integration.clone(),
                fingerprint: fingerprint.clone(),
            };
            for event in &delivery.alerts {
                named.told_of.entry(key(&event.fingerprint)).or_default().push(event);
            }
            named.acknowledged.extend(delivery.acknowledged.iter().map(key));
        }
        named
    }

    fn keys(&self) -> BTreeSet<AlertKey> {
        self.told_of.keys().chain(&self.acknowledged).cloned().collect()
    }

    fn resolves(&self) -> bool {
        self.told_of.values().flatten().any(|event| event.status == AlertStatus::Resolved)
    }
}

/// Which incidents may change, and which inhibitions matter.
#[derive(Default)]
struct Touched {
    incidents: BTreeSet<IncidentId>,
    groups: BTreeSet<String>,
    inhibitions: BTreeSet<String>,
}

impl Touched {
    /// An alert that goes on as it was, the bulk of a storm, changes no incident.
    fn by(named: &Named<'_>, alerts: &[Alert], policy: &Policy) -> Self {
        let known: BTreeMap<&AlertKey, &Alert> = alerts.iter().map(|alert| (&alert.key, alert)).collect();
        let mut touched = Self::default();
        for (key, events) in &named.told_of {
            let alert = known.get(key).copied();
            if !alert.is_some_and(|alert| events.iter().all(|event| goes_on(alert, event))) {
                touched.add(alert, events, policy);
            }
        }
        // Named, but not told of: acknowledged, or ended together with one that is.
        let others = alerts.iter().filter(|alert| !named.told_of.contains_key(&alert.key));
        let acknowledged = alerts.iter().filter(|alert| named.acknowledged.contains(&alert.key));
        touched.incidents.extend(others.chain(acknowledged).filter_map(|alert| alert.incident_id));
        touched
    }

    fn add(&mut self, alert: Option<&Alert>, events: &[&AlertEvent], policy: &Policy) {
        self.incidents.extend(alert.and_then(|alert| alert.incident_id));
        // What is known of an alert may say more than an event that only tells that it fires.
        let told = events.iter().filter(|event| event.status == AlertStatus::Firing).map(|event| &event.labels);
        for labels in told.chain(alert.map(|alert| &alert.newest.labels)) {
            self.groups.insert(policy.routing.owner(labels).group_key(labels));
            self.inhibitions.extend(policy.inhibition.target_keys(labels));
        }
    }
}

fn goes_on(alert: &Alert, event: &AlertEvent) -> bool {
    alert.status == event.status && (event.status == AlertStatus::Resolved || alert.newest.severity == event.severity)
}

/// Loads and locks the alerts that the deliveries tell of or acknowledge, and the incidents that these may change. Says
/// whether some of those told of do not exist yet.
pub(crate) async fn load_in_txn(
    connection: &mut AsyncPgConnection,
    fresh: &[&Envelope],
    policy: &Policy,
) -> Result<(Loaded, bool), StoreError> {
    let named = Named::by(fresh);
    let mut keys = named.keys();
    if policy.routing.uses(ResolvePolicy::Any) && named.resolves() {
        // One that resolves may end its incident, and with it all others of it that fire.
        keys.append(&mut siblings_in_txn(connection, &keys).await?);
    }
    let alerts = alerts_lock_in_txn(connection, &keys.into_iter().collect::<Vec<_>>()).await?;
    let known = alerts.iter().filter(|alert| named.told_of.contains_key(&alert.key)).count();
    let makes_alerts = known < named.told_of.len();
    let Touched { incidents, groups, inhibitions } = Touched::by(&named, &alerts, policy);
    let inhibitors = inhibitors_in_txn(connection, inhibitions).await?;
    let ids: Vec<_> = incidents.into_iter().map(IncidentId::as_uuid).collect();
    let oldest = fresh.iter().map(|delivery| delivery.received_at).min().unwrap_or(DateTime::<Utc>::MAX_UTC);
    let groups = groups.into_iter().collect();
    let incidents = incidents_lock_in_txn(connection, ids, groups, reopens_before(oldest, policy)).await?;
    Ok((Loaded { alerts, incidents, inhibitors }, makes_alerts))
}

/// Incidents that were resolved before this time are over for good at `at`.
pub(crate) fn reopens_before(at: DateTime<Utc>, policy: &Policy) -> DateTime<Utc> {
    let longest = chrono::Duration::from_std(policy.routing.longest_reopening()).unwrap_or(chrono::Duration::MAX);
    at.checked_sub_signed(longest).unwrap_or(DateTime::<Utc>::MIN_UTC)
}
