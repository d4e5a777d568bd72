//! What can go wrong.

use tocsin_testbed::Service;

use crate::promises::Promises;

/// Where it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Setting {
    /// One Redis, one Postgres, two of each service.
    Single,
    /// Three Postgres with Patroni and etcd, three Redis with Sentinels, two of each service.
    Ha,
}

impl Setting {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Ha => "ha",
        }
    }
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    PostgresKilled,
    PostgresNodeKilled,
    PostgresPaused,
    PostgresCutOff,
    SyncStandbyLost,
    EtcdLeaderLost,
    PostgresFull,
    RedisKilled,
    RedisPaused,
    RedisCutOff,
    NetworkSplit,
    SentinelLost,
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
    HaproxyReloaded,
    ClockJump,
    SlowNetwork,
}

impl Scenario {
    /// All of them, in the order in which they are run.
    pub(crate) const ALL: [Self; 26] = [
        Self::PostgresKilled,
        Self::PostgresNodeKilled,
        Self::PostgresPaused,
        Self::PostgresCutOff,
        Self::SyncStandbyLost,
        Self::EtcdLeaderLost,
        Self::RedisKilled,
        Self::RedisPaused,
        Self::RedisCutOff,
        Self::NetworkSplit,
        Self::SentinelLost,
        Self::RedisEmptied,
        Self::RedisFull,
        Self::BothStoresDown,
        Self::IngestKilled,
        Self::WorkerKilled,
        Self::NotifierKilled,
        Self::ApiKilled,
        Self::IngestRolled,
        Self::WorkerRolled,
        Self::NotifierRolled,
        Self::ApiRolled,
        Self::HaproxyReloaded,
        Self::ClockJump,
        Self::SlowNetwork,
        Self::PostgresFull,
    ];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::PostgresKilled => "postgres-killed",
            Self::PostgresNodeKilled => "postgres-node-killed",
            Self::PostgresPaused => "postgres-paused",
            Self::PostgresCutOff => "postgres-cut-off",
            Self::SyncStandbyLost => "sync-standby-lost",
            Self::EtcdLeaderLost => "etcd-leader-lost",
            Self::PostgresFull => "postgres-full",
            Self::RedisKilled => "redis-killed",
            Self::RedisPaused => "redis-paused",
            Self::RedisCutOff => "redis-cut-off",
            Self::NetworkSplit => "network-split",
            Self::SentinelLost => "sentinel-lost",
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
            Self::HaproxyReloaded => "haproxy-reloaded",
            Self::ClockJump => "clock-jump",
            Self::SlowNetwork => "slow-network",
        }
    }

    /// What happens, in words.
    pub(crate) const fn what(self, setting: Setting) -> &'static str {
        match (self, setting) {
            (Self::PostgresKilled, Setting::Single) => "Postgres is killed, and started again 3 s later",
            (Self::PostgresKilled, Setting::Ha) => "the primary's Postgres is killed; its Patroni goes on",
            (Self::PostgresNodeKilled, _) => {
                "the primary's Postgres and Patroni are killed, and started again 12 s later"
            }
            (Self::PostgresPaused, Setting::Single) => "Postgres keeps its connections and answers nothing for 3 s",
            (Self::PostgresPaused, Setting::Ha) => "the primary's Postgres and Patroni stand still for 12 s",
            (Self::PostgresCutOff, _) => "the primary's Postgres and Patroni are cut off the network for 12 s",
            (Self::SyncStandbyLost, _) => "the synchronous standby is killed, and started again 6 s later",
            (Self::EtcdLeaderLost, _) => "the leader of etcd is killed, and started again 4 s later",
            (Self::PostgresFull, _) => {
                "the disk of the Postgres that leads is full for 5 s (needs root, for a small file system)"
            }
            (Self::RedisKilled, Setting::Single) => "Redis is killed, and started again 3 s later",
            (Self::RedisKilled, Setting::Ha) => "the primary Redis is killed, and started again 6 s later",
            (Self::RedisPaused, Setting::Single) => "Redis keeps its connections and answers nothing for 3 s",
            (Self::RedisPaused, Setting::Ha) => "the primary Redis stands still for 6 s",
            (Self::RedisCutOff, _) => {
                "the primary Redis is cut off the other stores for 8 s, and every service reaches all of them"
            }
            (Self::NetworkSplit, _) => {
                "the primary Redis with one ingest and one worker is cut off everything else for 8 s (needs root)"
            }
            (Self::SentinelLost, _) => "a Sentinel is killed, and started again 4 s later",
            (Self::RedisEmptied, _) => "FLUSHALL: everything in Redis is gone",
            (Self::RedisFull, _) => "the Redis that leads has no memory left for 3 s, and evicts nothing",
            (Self::BothStoresDown, Setting::Single) => "Redis and Postgres are killed, and started again 3 s later",
            (Self::BothStoresDown, Setting::Ha) => {
                "every Redis and every Postgres is killed, and started again 3 s later"
            }
            (Self::IngestKilled, _) => "one of two ingest is killed, and started again 2 s later",
            (Self::WorkerKilled, _) => "one of two workers is killed, and started again 2 s later",
            (Self::NotifierKilled, _) => "one of two notifiers is killed, and started again 2 s later",
            (Self::ApiKilled, _) => "one of two apis is killed, and started again 2 s later",
            (Self::IngestRolled, _) => "both ingest are restarted, one after the other",
            (Self::WorkerRolled, _) => "both workers are restarted, one after the other",
            (Self::NotifierRolled, _) => "both notifiers are restarted, one after the other",
            (Self::ApiRolled, _) => "both apis are restarted, one after the other",
            (Self::HaproxyReloaded, _) => "HAProxy reads its configuration again, three times in as many seconds",
            (Self::ClockJump, _) => "the clock of one of each service is an hour ahead for 5 s (needs libfaketime)",
            (Self::SlowNetwork, _) => {
                "the way to both stores takes 50 ms a round trip, and one segment in a hundred 200 ms more"
            }
        }
    }

    /// Whether it exists there: some need a failover.
    pub(crate) const fn is_in(self, setting: Setting) -> bool {
        match self {
            Self::PostgresNodeKilled
            | Self::PostgresCutOff
            | Self::SyncStandbyLost
            | Self::EtcdLeaderLost
            | Self::RedisCutOff
            | Self::NetworkSplit
            | Self::SentinelLost => matches!(setting, Setting::Ha),
            _ => true,
        }
    }

    /// Whether it is of the quick half: of each kind at least one, and of those the ones that take little time.
    pub(crate) const fn is_quick(self) -> bool {
        matches!(
            self,
            Self::PostgresKilled
                | Self::EtcdLeaderLost
                | Self::RedisKilled
                | Self::RedisCutOff
                | Self::RedisEmptied
                | Self::RedisFull
                | Self::BothStoresDown
                | Self::IngestKilled
                | Self::WorkerKilled
                | Self::NotifierKilled
                | Self::IngestRolled
                | Self::ApiRolled
                | Self::HaproxyReloaded
        )
    }

    /// Whether it needs a system that was started for it.
    pub(crate) const fn needs_its_own(self) -> bool {
        matches!(self, Self::PostgresFull | Self::ClockJump | Self::SlowNetwork)
    }

    /// Whether each store must have a network of its own.
    pub(crate) const fn needs_networks(self) -> bool {
        matches!(self, Self::NetworkSplit | Self::SlowNetwork)
    }

    /// Whether it happens to stores, of which there are more in one topology than in the other.
    pub(crate) const fn is_of_stores(self) -> bool {
        self.touches().is_none() && !matches!(self, Self::HaproxyReloaded | Self::ClockJump | Self::SlowNetwork)
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
            (Self::BothStoresDown, _) => all.accepting_waits().reads_wait().applying_waits().notices_may_double(),
            (Self::PostgresKilled | Self::PostgresPaused | Self::PostgresFull, Setting::Single) => {
                all.reads_wait().applying_waits().notices_may_double()
            }
            // It leads on, and writes nothing; those who follow can be read.
            (Self::PostgresFull, Setting::Ha) => all.applying_waits().notices_may_double(),
            // On the side of that Redis nothing can be made durable. Until the front door sees that, senders wait, and hear so.
            // And what an ingest held that is killed has no answer. The sender sends it again.
            (Self::NetworkSplit | Self::IngestKilled, _) => all.some_requests_break(),
            (Self::ApiKilled, _) => all.some_reads_break(),
            // The one window in which a notice can be sent twice: it was sent, and could not be recorded.
            (Self::NotifierKilled, _)
            | (
                Self::PostgresKilled | Self::PostgresNodeKilled | Self::PostgresPaused | Self::PostgresCutOff,
                Setting::Ha,
            ) => all.notices_may_double(),
            _ => all,
        }
    }
}
