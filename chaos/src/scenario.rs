//! What can go wrong.

use tocsin_testbed::Service;

use crate::promises::Promises;

/// Where it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Setting {
    /// One Redis, one Postgres, two of each service.
    Single,
}

impl Setting {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
        }
    }
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    PostgresKilled,
    PostgresPaused,
    PostgresFull,
    RedisKilled,
    RedisPaused,
    RedisEmptied,
    RedisFull,
    BothStoresDown,
    IngestKilled,
    WorkerKilled,
    NotifierKilled,
    ApiKilled,
    IngestRolled,
    WorkerRolled,
    NotifierRolled,
    ApiRolled,
    ClockJump,
    SlowNetwork,
}

impl Scenario {
    /// All of them, in the order in which they are run.
    pub(crate) const ALL: [Self; 18] = [
        Self::PostgresKilled,
        Self::PostgresPaused,
        Self::RedisKilled,
        Self::RedisPaused,
        Self::RedisEmptied,
        Self::BothStoresDown,
        Self::IngestKilled,
        Self::WorkerKilled,
        Self::NotifierKilled,
        Self::ApiKilled,
        Self::IngestRolled,
        Self::WorkerRolled,
        Self::NotifierRolled,
        Self::ApiRolled,
        Self::ClockJump,
        Self::SlowNetwork,
        Self::PostgresFull,
        Self::RedisFull,
    ];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::PostgresKilled => "postgres-killed",
            Self::PostgresPaused => "postgres-paused",
            Self::PostgresFull => "postgres-full",
            Self::RedisKilled => "redis-killed",
            Self::RedisPaused => "redis-paused",
            Self::RedisEmptied => "redis-emptied",
            Self::RedisFull => "redis-full",
            Self::BothStoresDown => "both-stores-down",
            Self::IngestKilled => "ingest-killed",
            Self::WorkerKilled => "worker-killed",
            Self::NotifierKilled => "notifier-killed",
            Self::ApiKilled => "api-killed",
            Self::IngestRolled => "ingest-rolled",
            Self::WorkerRolled => "worker-rolled",
            Self::NotifierRolled => "notifier-rolled",
            Self::ApiRolled => "api-rolled",
            Self::ClockJump => "clock-jump",
            Self::SlowNetwork => "slow-network",
        }
    }

    /// What happens, in words.
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::PostgresKilled => "Postgres is killed, and started again 3 s later",
            Self::PostgresPaused => "Postgres keeps its connections and answers nothing for 3 s",
            Self::PostgresFull => "the disk of Postgres fills up (needs root, for a small file system)",
            Self::RedisKilled => "Redis is killed, and started again 3 s later",
            Self::RedisPaused => "Redis keeps its connections and answers nothing for 3 s",
            Self::RedisEmptied => "FLUSHALL: everything in Redis is gone",
            Self::RedisFull => "Redis has no memory left for 3 s, and evicts nothing",
            Self::BothStoresDown => "Redis and Postgres are killed, and started again 3 s later",
            Self::IngestKilled => "one of two ingest is killed, and started again 2 s later",
            Self::WorkerKilled => "one of two workers is killed, and started again 2 s later",
            Self::NotifierKilled => "one of two notifiers is killed, and started again 2 s later",
            Self::ApiKilled => "one of two apis is killed, and started again 2 s later",
            Self::IngestRolled => "both ingest are restarted, one after the other",
            Self::WorkerRolled => "both workers are restarted, one after the other",
            Self::NotifierRolled => "both notifiers are restarted, one after the other",
            Self::ApiRolled => "both apis are restarted, one after the other",
            Self::ClockJump => "the clock of one of each service is an hour ahead for 5 s (needs libfaketime)",
            Self::SlowNetwork => {
                "the way to both stores takes 50 ms a round trip, and one segment in a hundred 200 ms more"
            }
        }
    }

    /// Whether it is of the quick half.
    pub(crate) const fn is_quick(self) -> bool {
        !matches!(
            self,
            Self::PostgresFull | Self::ClockJump | Self::NotifierRolled | Self::ApiKilled | Self::NotifierKilled
        )
    }

    /// Whether it is among the few of every run of the tests.
    pub(crate) const fn is_smoke(self) -> bool {
        matches!(self, Self::PostgresKilled | Self::RedisPaused | Self::IngestRolled | Self::WorkerKilled)
    }

    /// Whether it needs a system that was started for it.
    pub(crate) const fn needs_its_own(self) -> bool {
        matches!(self, Self::PostgresFull | Self::ClockJump | Self::SlowNetwork)
    }

    /// The service that is touched, and so is not asked whether it is alive.
    pub(crate) const fn touches(self) -> Option<Service> {
        match self {
            Self::IngestKilled | Self::IngestRolled => Some(Service::Ingest),
            Self::WorkerKilled | Self::WorkerRolled => Some(Service::Worker),
            Self::NotifierKilled | Self::NotifierRolled => Some(Service::Notifier),
            Self::ApiKilled | Self::ApiRolled => Some(Service::Api),
            _ => None,
        }
    }

    /// What holds nevertheless.
    pub(crate) const fn promises(self, setting: Setting) -> Promises {
        let all = Promises::all();
        match (self, setting) {
            // Nothing takes its place.
            (Self::BothStoresDown, Setting::Single) => all.accepting_waits().reads_wait().applying_waits(),
            (Self::PostgresKilled | Self::PostgresPaused | Self::PostgresFull, Setting::Single) => {
                all.reads_wait().applying_waits()
            }
            // What it held has no answer; the sender sends it again.
            (Self::IngestKilled, _) => all.some_requests_break(),
            (Self::ApiKilled, _) => all.some_reads_break(),
            // The one window in which a notice can be sent twice.
            (Self::NotifierKilled, _) => all.notices_may_double(),
            _ => all,
        }
    }
}
