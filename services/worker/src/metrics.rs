//! What the worker measures.

use std::time::Duration;

use chrono::Utc;
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use tocsin_service::http::HttpMetrics;
use tocsin_shared::{Command, CommandOutcome};

use crate::apply::Outcome;

pub(crate) const HTTP: HttpMetrics = HttpMetrics {
    requests: "tocsin_worker_http_requests_total",
    duration: "tocsin_worker_http_request_duration_seconds",
};

const DELIVERIES: &str = "tocsin_worker_deliveries_total";
const INCIDENTS: &str = "tocsin_worker_incidents_opened_total";
const NOTICES: &str = "tocsin_worker_notices_total";
const BATCH: &str = "tocsin_worker_batch_duration_seconds";
const BATCH_SIZE: &str = "tocsin_worker_batch_deliveries";
const PURGED: &str = "tocsin_worker_event_ids_purged_total";
const FORGOTTEN: &str = "tocsin_worker_forgotten_total";
const DUTIES: &str = "tocsin_worker_duty_changes_total";
const DUTY: &str = "tocsin_worker_duty_duration_seconds";
const COMMANDS: &str = "tocsin_worker_commands_total";
const COMMAND: &str = "tocsin_worker_command_duration_seconds";

/// What the system page tells of a worker, each with the counter that it is computed from.
pub(crate) const RATES: &[(&str, &str)] =
    &[("deliveries_per_s", DELIVERIES), ("notices_per_s", NOTICES), ("commands_per_s", COMMANDS)];

/// The way by which a delivery came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    Stream,
    Inbox,
}

impl Path {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Inbox => "inbox",
        }
    }
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Done,
    Unchanged,
    Rejected,
    Dead,
}

impl Fate {
    pub(crate) const fn of(outcome: &CommandOutcome) -> Self {
        match outcome {
            CommandOutcome::Done { changed: true, .. } => Self::Done,
            CommandOutcome::Done { .. } => Self::Unchanged,
            CommandOutcome::Rejected { .. } => Self::Rejected,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unchanged => "unchanged",
            Self::Rejected => "rejected",
            Self::Dead => "dead",
        }
    }
}

pub(crate) fn describe() {
    describe_counter!(
        DELIVERIES,
        "Deliveries by path (stream or inbox) and outcome: applied, repeated (applied before) or dead (cannot be applied)"
    );
    describe_counter!(INCIDENTS, "Incidents opened");
    describe_counter!(NOTICES, "Rows written to the notification ledger");
    describe_histogram!(BATCH, Unit::Seconds, "Time from reading a batch to its commit, by path");
    describe_histogram!(BATCH_SIZE, Unit::Count, "Deliveries in a batch, by path");
    describe_counter!(
        COMMANDS,
        "Responders' commands by action and outcome: done, unchanged (there was nothing to do), rejected or dead (cannot be \
         applied)"
    );
    describe_histogram!(COMMAND, Unit::Seconds, "Time from asking for something to its outcome, by action");
    describe_counter!(DUTIES, "Alerts or incidents that a duty has changed, by duty");
    describe_histogram!(DUTY, Unit::Seconds, "Time of one step of a duty, by duty");
    describe_counter!(FORGOTTEN, "Incidents, alerts, silences and commands that were older than they are to be kept");
    describe_counter!(PURGED, "Ids of events applied long ago that were forgotten");
}

pub(crate) fn applied(path: Path, outcome: &Outcome, size: usize, took: Duration) {
    let Outcome { applied, dead } = outcome;
    let path = path.as_str();
    for (outcome, count) in [("applied", applied.fresh), ("repeated", applied.repeated), ("dead", *dead)] {
        counter!(DELIVERIES, "path" => path, "outcome" => outcome).increment(count as u64);
    }
    counter!(INCIDENTS).increment(applied.opened as u64);
    counter!(NOTICES).increment(applied.notices as u64);
    histogram!(BATCH, "path" => path).record(took);
    #[expect(clippy::cast_precision_loss, reason = "a batch has at most 1000 deliveries")]
    histogram!(BATCH_SIZE, "path" => path).record(size as f64);
}

pub(crate) fn purged(count: usize) {
    counter!(PURGED).increment(count as u64);
}

/// `command` is `None` if it could not be read.
pub(crate) fn commanded(command: Option<&Command>, fate: Fate) {
    let action = command.map_or("unreadable", |command| command.action.name());
    counter!(COMMANDS, "action" => action, "outcome" => fate.as_str()).increment(1);
    if let Some(command) = command {
        // The api's clock and ours may differ.
        let took = (Utc::now() - command.at).to_std().unwrap_or_default();
        histogram!(COMMAND, "action" => action).record(took);
    }
}

pub(crate) fn forgotten(count: usize) {
    counter!(FORGOTTEN).increment(count as u64);
}

pub(crate) fn duty_done(duty: &'static str, changes: usize, took: Duration) {
    counter!(DUTIES, "duty" => duty).increment(changes as u64);
    histogram!(DUTY, "duty" => duty).record(took);
}
