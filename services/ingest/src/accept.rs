//! Making a delivery durable.

use std::time::Instant;

use chrono::{DateTime, SubsecRound as _, Utc};
use tocsin_bus::{BusError, Publisher};
use tocsin_shared::{AlertEvent, Envelope, EventId, Fingerprint, TraceContext};

use crate::metrics;

/// The integration of webhooks that carry no key.
const KEYLESS_INTEGRATION: &str = "default";

/// Accepts deliveries. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Acceptor {
    publisher: Publisher,
}

/// A request that was understood, and not yet accepted.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "a delivery id is what the field's standards call it")]
pub(crate) struct Delivery {
    pub(crate) source: &'static str,
    /// The sender's own name of the delivery, which makes a repeat harmless.
    pub(crate) delivery_id: Option<String>,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) trace: TraceContext,
    pub(crate) alerts: Vec<AlertEvent>,
    pub(crate) acknowledged: Vec<Fingerprint>,
}

impl Acceptor {
    pub(crate) const fn new(publisher: Publisher) -> Self {
        Self { publisher }
    }

    /// Makes a delivery durable, and says under which id. After an error it may be durable or not; the sender sends it
    /// again, and under the same delivery id that does no harm.
    pub(crate) async fn accept(&self, delivery: Delivery) -> Result<EventId, BusError> {
        let Delivery { source, delivery_id, received_at, trace, alerts, acknowledged } = delivery;
        let id = match delivery_id {
            Some(delivery_id) => EventId::of_delivery(KEYLESS_INTEGRATION, &delivery_id),
            None => EventId::received_at(received_at),
        };
        let envelope = Envelope {
            id,
            // As precise as Postgres keeps it.
            received_at: received_at.trunc_subsecs(6),
            source: source.to_owned(),
            integration: KEYLESS_INTEGRATION.to_owned(),
            trace,
            alerts,
            acknowledged,
        };
        let started = Instant::now();
        self.publisher.publish(&envelope).await?;
        metrics::committed(started.elapsed());
        Ok(id)
    }
}
