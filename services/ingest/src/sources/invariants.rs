//! What holds of every request that a parser accepts. The fuzz targets include this file, too, so it needs nothing of
//! this crate.

use std::collections::HashMap;

use chrono::{DateTime, SubsecRound as _, Utc};
use tocsin_shared::alert::ALERTNAME;
use tocsin_shared::envelope::FIELDS;
use tocsin_shared::{AlertEvent, Envelope, EventId, Fingerprint, TraceContext};

/// Fails unless the alerts are in normal form and come out of an envelope as they went in.
pub(crate) fn check(alerts: Vec<AlertEvent>, acknowledged: Vec<Fingerprint>, received_at: DateTime<Utc>) {
    for alert in &alerts {
        assert_eq!(&alert.clone().bounded(), alert, "bounded twice is not bounded once");
        assert!(alert.labels.contains_key(ALERTNAME), "an alert has no name: {alert:?}");
        assert!(alert.event_at <= received_at, "an alert is of the future: {alert:?}");
    }
    let envelope = Envelope {
        id: EventId::received_at(received_at),
        received_at: received_at.trunc_subsecs(6),
        source: "any".to_owned(),
        integration: "default".to_owned(),
        trace: TraceContext::random(),
        alerts,
        acknowledged,
    };
    let written = envelope.to_values().expect("an envelope can be written");
    let fields: HashMap<_, _> = FIELDS.map(str::to_owned).into_iter().zip(written).collect();
    assert_eq!(Envelope::from_fields(&fields).expect("what was written can be read"), envelope);
}
