//! What the worker is given to apply: alerts that exist already, that fire, are told of again, and are resolved.
//!
//! In each cycle a thousand alerts go through it, whatever number of them exists: with a thousand, the same ones each time;
//! with a million, others each time, from all over the table. So the work is the same, and only where it is done differs.

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use tocsin_shared::{AlertEvent, AlertSeverity, AlertStatus, Envelope, EventId, Fingerprint, Labels, TraceContext};

/// The integration that sends it all.
pub(super) const INTEGRATION: &str = "bench";
/// The kind of sender.
pub(super) const SOURCE: &str = "prometheus";
/// Alerts of one cycle, and all that exist in the small database.
pub(super) const WORKING_SET: usize = 1_000;
/// Alerts in a delivery, as Alertmanager sends a group. Divides the rows of a batch.
pub(super) const ALERTS_PER_DELIVERY: usize = 5;
/// Deliveries that one transaction of the worker applies. With the above, it divides a cycle's steps, so that no batch tells of
/// an alert twice, which a bare upsert could not write.
pub(super) const DELIVERIES_PER_BATCH: usize = 100;
/// Services that alerts are about, each of which becomes an incident in each cycle.
pub(super) const SERVICES: usize = 50;
/// What is told of each alert in a cycle.
const STEPS: [AlertStatus; 4] = [AlertStatus::Firing, AlertStatus::Firing, AlertStatus::Firing, AlertStatus::Resolved];

/// Events of a cycle.
const CYCLE: usize = WORKING_SET * STEPS.len();

/// So many events, rounded up to whole cycles: in the end nothing fires, and the next run finds what this one found.
pub(super) const fn whole_cycles(events: usize) -> usize {
    events.div_ceil(CYCLE) * CYCLE
}

/// Gives one cycle after another.
#[derive(Debug)]
pub(super) struct Workload {
    existing: usize,
    cycles: usize,
}

impl Workload {
    pub(super) const fn new(existing: usize) -> Self {
        Self { existing, cycles: 0 }
    }

    pub(super) const fn existing(&self) -> usize {
        self.existing
    }

    /// The events of whole cycles, at least so many.
    pub(super) fn events(&mut self, events: usize) -> Vec<AlertEvent> {
        let begun = Utc::now() - TimeDelta::hours(1);
        let cycles = self.cycles..self.cycles + whole_cycles(events) / CYCLE;
        self.cycles = cycles.end;
        let stride = self.existing / WORKING_SET;
        let alerts = |cycle| (0..WORKING_SET).map(move |place| place * stride + cycle % stride);
        let told =
            cycles.flat_map(|cycle| STEPS.into_iter().flat_map(move |status| alerts(cycle).map(move |n| (n, status))));
        let time = |index: usize| begun + TimeDelta::microseconds(i64::try_from(index).unwrap_or(i64::MAX));
        // What is told again has the start of the first time, as senders say it.
        let first = |index: usize| index / CYCLE * CYCLE + index % WORKING_SET;
        let events = told.enumerate();
        events.map(|(index, (number, status))| event(number, status, time(first(index)), time(index))).collect()
    }
}

/// The deliveries that tell of these events.
pub(super) fn deliveries(events: &[AlertEvent], alerts_per_delivery: usize) -> Vec<Envelope> {
    let received_at = Utc::now();
    let delivery = |alerts: &[AlertEvent]| Envelope {
        id: EventId::generate(),
        received_at,
        source: SOURCE.to_owned(),
        integration: INTEGRATION.to_owned(),
        trace: TraceContext::random(),
        alerts: alerts.to_vec(),
        acknowledged: Vec::new(),
    };
    events.chunks(alerts_per_delivery).map(delivery).collect()
}

/// SQL for the rows of the alerts 0 to `existing` − 1, as a worker has left them: resolved a day ago.
pub(super) fn fill(existing: usize) -> String {
    format!(
        "INSERT INTO alerts (id, integration, fingerprint, source, status, severity, title, description, labels, \
             annotations, started_at, ended_at, event_at, event_id, received_at, last_seen_at, occurrences) \
         SELECT (lpad(to_hex(1700000000000 + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid, \
             '{INTEGRATION}', substr(encode(sha256(n::text::bytea), 'hex'), 1, 16), '{SOURCE}', 'resolved', 'critical', \
             'Service ' || n % {SERVICES} || ' answers slowly', '{DESCRIPTION}', \
             jsonb_build_object('alertname', 'HighRequestLatency', 'service', 'service-' || n % {SERVICES}, \
                 'pod', 'pod-' || n, 'namespace', 'shop', 'severity', 'critical', 'team', 'payments', 'job', 'shop', \
                 'instance', '10.1.2.3:9090'), \
             jsonb_build_object('description', '{DESCRIPTION}'), ended - interval '1 hour', ended, ended, \
             gen_random_uuid(), ended - interval '1 hour', ended, 4 \
         FROM generate_series(0, {existing} - 1) AS n, (SELECT now() - interval '1 day' AS ended) AS yesterday"
    )
}

const DESCRIPTION: &str = "The 99th percentile of its latency has been above 500 ms for ten minutes.";

fn event(number: usize, status: AlertStatus, started_at: DateTime<Utc>, at: DateTime<Utc>) -> AlertEvent {
    let service = number % SERVICES;
    let labels = [
        ("alertname", "HighRequestLatency".to_owned()),
        ("service", format!("service-{service}")),
        ("pod", format!("pod-{number}")),
        ("namespace", "shop".to_owned()),
        ("severity", "critical".to_owned()),
        ("team", "payments".to_owned()),
        ("job", "shop".to_owned()),
        ("instance", "10.1.2.3:9090".to_owned()),
    ];
    let fingerprint = hex::encode(&Sha256::digest(number.to_string())[..8]);
    AlertEvent {
        fingerprint: Fingerprint::from_stored(fingerprint),
        external_id: None,
        status,
        severity: AlertSeverity::Critical,
        title: format!("Service {service} answers slowly"),
        description: Some(DESCRIPTION.to_owned()),
        labels: labels.map(|(name, value)| (name.to_owned(), value)).into(),
        annotations: Labels::from([("description".to_owned(), DESCRIPTION.to_owned())]),
        source_url: None,
        started_at: Some(started_at),
        ended_at: (status == AlertStatus::Resolved).then_some(at),
        // As ingest has it: as old as the state that it tells of.
        event_at: if status == AlertStatus::Resolved { at } else { started_at },
        expires_at: None,
        expires: false,
        is_bare: false,
    }
    .bounded()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_batch_tells_of_an_alert_twice() {
        for existing in [WORKING_SET, 7 * WORKING_SET] {
            for rows in [DELIVERIES_PER_BATCH, DELIVERIES_PER_BATCH * ALERTS_PER_DELIVERY] {
                for batch in Workload::new(existing).events(3 * CYCLE).chunks(rows) {
                    let told: HashSet<_> = batch.iter().map(|event| &event.fingerprint).collect();
                    assert_eq!(told.len(), batch.len());
                }
            }
        }
    }

    #[test]
    fn in_the_end_nothing_fires_and_other_alerts_follow_where_there_are_more() {
        let mut workload = Workload::new(2 * WORKING_SET);
        let events = workload.events(1);
        assert_eq!(events.len(), CYCLE);
        assert!(events[CYCLE - WORKING_SET..].iter().all(|event| event.status == AlertStatus::Resolved));
        assert_ne!(workload.events(1)[0].fingerprint, events[0].fingerprint);
        assert_eq!(workload.events(1)[0].fingerprint, events[0].fingerprint, "and come back");
    }
}
