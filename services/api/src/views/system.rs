//! What each service, stream and receiver is doing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tocsin_bus::StreamFigures;
use tocsin_service::status::Status;
use tocsin_store::{Figures, ReceiverFigures};
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = System)]
pub(crate) struct SystemView {
    /// Processes that have said how they are within the last ten seconds.
    #[schema(value_type = Vec<ServiceStatus>)]
    services: Vec<Status>,
    streams: Vec<StreamView>,
    inbox: LengthView,
    receivers: Vec<ReceiverView>,
    incidents: IncidentsView,
    alerts: AlertsView,
    dead_letters: i64,
    dead_notifications: i64,
    /// What is not shown because it does not answer: `redis`.
    missing: Vec<&'static str>,
}

/// The schema of [`Status`], which its own crate does not describe.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only described")]
struct ServiceStatus {
    service: String,
    instance: String,
    version: String,
    started_at: DateTime<Utc>,
    seen_at: DateTime<Utc>,
    ready: bool,
    /// What it does, per second, over the last two seconds or so.
    rates: BTreeMap<String, f64>,
}

/// What only Redis knows.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) services: Vec<Status>,
    pub(crate) streams: Vec<StreamView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Stream)]
pub(crate) struct StreamView {
    name: &'static str,
    length: u64,
    /// Read and not acknowledged.
    pending: u64,
    /// Not read.
    lag: u64,
    /// Age of the oldest entry that is not acknowledged.
    oldest_s: f64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Length)]
struct LengthView {
    length: i64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenIncidents)]
struct IncidentsView {
    triggered: i64,
    acknowledged: i64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FiringAlerts)]
struct AlertsView {
    firing: i64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReceiverStatus)]
pub(crate) struct ReceiverView {
    name: String,
    /// As in the file; `unconfigured` for one that it does not name any more.
    kind: &'static str,
    pending: i64,
    oldest_pending_s: f64,
    delivered_1h: i64,
    dead_1h: i64,
    state: &'static str,
    last_error: Option<String>,
}

impl SystemView {
    pub(crate) fn new(figures: Figures, receivers: Vec<ReceiverView>, known: Option<Known>) -> Self {
        let missing = if known.is_none() { vec!["redis"] } else { Vec::new() };
        let Known { services, streams } = known.unwrap_or(Known { services: Vec::new(), streams: Vec::new() });
        Self {
            services,
            streams,
            inbox: LengthView { length: figures.inbox },
            receivers,
            incidents: IncidentsView { triggered: figures.triggered, acknowledged: figures.acknowledged },
            alerts: AlertsView { firing: figures.firing },
            dead_letters: figures.dead_letters,
            dead_notifications: figures.dead_notices,
            missing,
        }
    }
}

impl StreamView {
    pub(crate) fn new(name: &'static str, figures: StreamFigures, now: DateTime<Utc>) -> Self {
        let StreamFigures { length, pending, lag, oldest_at_ms } = figures;
        let now = u64::try_from(now.timestamp_millis()).unwrap_or_default();
        let oldest = oldest_at_ms.map_or(0, |at| now.saturating_sub(at));
        Self { name, length, pending, lag, oldest_s: seconds(oldest) }
    }
}

#[expect(clippy::cast_precision_loss, reason = "no age has 2^53 milliseconds")]
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1e3
}

impl ReceiverView {
    /// Those of the file, and those of which the ledger tells without them, by name.
    pub(crate) fn all(kinds: &[(String, &'static str)], figures: Vec<ReceiverFigures>) -> Vec<Self> {
        let quiet = |(name, kind): &(String, &'static str)| (name.clone(), Self::quiet(name, kind));
        let mut all: BTreeMap<String, Self> = kinds.iter().map(quiet).collect();
        for figures in figures {
            let kind =
                kinds.iter().find(|(name, _)| *name == figures.receiver).map_or("unconfigured", |(_, kind)| *kind);
            all.insert(figures.receiver.clone(), Self::of(figures, kind));
        }
        all.into_values().collect()
    }

    fn quiet(name: &str, kind: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            pending: 0,
            oldest_pending_s: 0.0,
            delivered_1h: 0,
            dead_1h: 0,
            state: "ok",
            last_error: None,
        }
    }

    fn of(figures: ReceiverFigures, kind: &'static str) -> Self {
        let state = if figures.gone {
            "gone"
        } else if figures.failing {
            "failing"
        } else {
            "ok"
        };
        Self {
            name: figures.receiver,
            kind,
            pending: figures.pending,
            oldest_pending_s: (figures.oldest_pending_s * 1e3).round() / 1e3,
            delivered_1h: figures.delivered_1h,
            dead_1h: figures.dead_1h,
            state,
            last_error: figures.last_error,
        }
    }
}
