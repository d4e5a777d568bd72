//! The one way to Postgres: measured, bounded in time, repeated when that helps.

use std::time::{Duration, Instant};

use diesel_async::AsyncPgConnection;
use rand::Rng as _;
use scoped_futures::ScopedBoxFuture;

use crate::{Patience, Store, StoreError};

/// Most attempts at one operation.
const MAX_ATTEMPTS: u32 = 6;
/// The same for who does not want to wait: a second, for a connection that turns out to be closed.
const MAX_ATTEMPTS_FAST: u32 = 2;
/// Longest wait before the second attempt; it doubles with each further one, and half of it is random.
const BACKOFF: Duration = Duration::from_millis(10);

/// Histogram of all operations: seconds, by operation and outcome.
const DURATION: &str = "tocsin_store_operation_duration_seconds";

/// What is asked of Postgres: the label under which it is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after the function that uses it")]
pub enum Operation {
    AlertGet,
    AlertList,
    AlertsTimeOut,
    BatchApply,
    CommandApply,
    DeadLetterGet,
    DeadLetterList,
    DeadLettersRedrive,
    EventIdsPurge,
    EventsKeep,
    Explain,
    Figures,
    InboxApply,
    InboxBacklog,
    InboxInsert,
    IncidentAlerts,
    IncidentDetail,
    IncidentGet,
    IncidentList,
    IncidentsChanged,
    IncidentsGet,
    IncidentsCalmDown,
    IncidentsEscalate,
    IncidentsRemind,
    LedgerBury,
    LedgerClaim,
    LedgerFinish,
    LedgerPutBack,
    LedgerWaiting,
    NoticeDeliveries,
    NoticeGet,
    NoticeList,
    NoticesRedrive,
    Ping,
    ReceiversGone,
    ReceiverFigures,
    RetentionStep,
    SilenceGet,
    SilenceList,
    Stories,
    SuppressionStep,
    TalliesFold,
    TimelineList,
}

impl Operation {
    /// Whether it changes nothing, and is asked by who can do with what was a moment ago.
    const fn is_read(self) -> bool {
        matches!(
            self,
            Self::AlertGet
                | Self::AlertList
                | Self::DeadLetterGet
                | Self::DeadLetterList
                | Self::Explain
                | Self::IncidentAlerts
                | Self::IncidentDetail
                | Self::IncidentGet
                | Self::IncidentList
                | Self::NoticeDeliveries
                | Self::NoticeGet
                | Self::NoticeList
                | Self::Ping
                | Self::SilenceGet
                | Self::SilenceList
                | Self::TimelineList
        )
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::AlertGet => "alert_get",
            Self::AlertList => "alert_list",
            Self::AlertsTimeOut => "alerts_time_out",
            Self::BatchApply => "batch_apply",
            Self::CommandApply => "command_apply",
            Self::DeadLetterGet => "dead_letter_get",
            Self::DeadLetterList => "dead_letter_list",
            Self::DeadLettersRedrive => "dead_letters_redrive",
            Self::EventIdsPurge => "event_ids_purge",
            Self::EventsKeep => "events_keep",
            Self::Explain => "explain",
            Self::Figures => "figures",
            Self::InboxApply => "inbox_apply",
            Self::InboxBacklog => "inbox_backlog",
            Self::InboxInsert => "inbox_insert",
            Self::IncidentAlerts => "incident_alerts",
            Self::IncidentDetail => "incident_detail",
            Self::IncidentGet => "incident_get",
            Self::IncidentList => "incident_list",
            Self::IncidentsChanged => "incidents_changed",
            Self::IncidentsGet => "incidents_get",
            Self::IncidentsCalmDown => "incidents_calm_down",
            Self::IncidentsEscalate => "incidents_escalate",
            Self::IncidentsRemind => "incidents_remind",
            Self::LedgerBury => "ledger_bury",
            Self::LedgerClaim => "ledger_claim",
            Self::LedgerFinish => "ledger_finish",
            Self::LedgerPutBack => "ledger_put_back",
            Self::LedgerWaiting => "ledger_waiting",
            Self::NoticeDeliveries => "notice_deliveries",
            Self::NoticeGet => "notice_get",
            Self::NoticeList => "notice_list",
            Self::NoticesRedrive => "notices_redrive",
            Self::Ping => "ping",
            Self::ReceiversGone => "receivers_gone",
            Self::ReceiverFigures => "receiver_figures",
            Self::RetentionStep => "retention_step",
            Self::SilenceGet => "silence_get",
            Self::SilenceList => "silence_list",
            Self::Stories => "stories",
            Self::SuppressionStep => "suppression_step",
            Self::TalliesFold => "tallies_fold",
            Self::TimelineList => "timeline_list",
        }
    }
}

impl Store {
    /// Does `work` on a connection within the store's time. `work` must be idempotent: it is repeated, a few times and
    /// with growing waits, when it fails in a way that passes. What only reads may be done at a replica.
    pub(crate) async fn run<'a, T>(
        &self,
        operation: Operation,
        work: impl for<'c> Fn(&'c mut AsyncPgConnection) -> ScopedBoxFuture<'a, 'c, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match self.replica.as_deref().filter(|_| operation.is_read()) {
            Some(replica) => self.read_either(replica, operation, work).await,
            None => self.run_within(self.timeout, operation, &work).await,
        }
    }

    /// The same, here and within this time.
    pub(crate) async fn run_within<'a, T>(
        &self,
        most: Duration,
        operation: Operation,
        work: &impl for<'c> Fn(&'c mut AsyncPgConnection) -> ScopedBoxFuture<'a, 'c, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let started = Instant::now();
        let result = match tokio::time::timeout(most, self.attempts(operation, work)).await {
            Ok(result) => result,
            Err(_elapsed) => Err(StoreError::Timeout),
        };
        let outcome = if result.is_ok() { "ok" } else { "error" };
        metrics::histogram!(DURATION, "operation" => operation.as_str(), "outcome" => outcome)
            .record(started.elapsed());
        result
    }

    async fn attempts<'a, T>(
        &self,
        operation: Operation,
        work: &impl for<'c> Fn(&'c mut AsyncPgConnection) -> ScopedBoxFuture<'a, 'c, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let max_attempts = match self.patience {
            Patience::UntilTimeout => MAX_ATTEMPTS,
            Patience::None => MAX_ATTEMPTS_FAST,
        };
        let mut attempt = 1;
        loop {
            let result = async {
                let mut connection = self.connection().await?;
                work(&mut connection).await
            };
            match result.await {
                Err(error) if error.is_transient() && attempt < max_attempts => {
                    tracing::debug!(operation = operation.as_str(), attempt, %error, "repeating");
                    let most = BACKOFF * 2_u32.pow(attempt - 1);
                    let wait = rand::rng().random_range(most / 2..=most);
                    tokio::time::sleep(wait).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }
}

/// Describes this crate's metrics. Once per process.
pub(crate) fn describe_metrics() {
    metrics::describe_histogram!(
        DURATION,
        metrics::Unit::Seconds,
        "Time of an operation on Postgres, waiting for a connection and repeats included"
    );
}
