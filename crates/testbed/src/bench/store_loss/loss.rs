//! The ways in which a store can go.

use crate::{Port, Result, Stores};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Redis keeps its connections and answers nothing.
    RedisPaused,
    /// Redis is killed, and started again.
    RedisKilled,
    /// Redis has no memory left, and evicts nothing.
    RedisFull,
    /// Redis is made the replica of a primary that is away, and takes no writes.
    RedisReadOnly,
    /// Redis takes no writes since it has too few replicas.
    RedisWithoutReplicas,
    /// Postgres is killed, and started again.
    PostgresKilled,
    /// Both are killed, and started again.
    BothKilled,
}

impl Loss {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::RedisPaused,
        Self::RedisKilled,
        Self::RedisFull,
        Self::RedisReadOnly,
        Self::RedisWithoutReplicas,
        Self::PostgresKilled,
        Self::BothKilled,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RedisPaused => "redis-paused",
            Self::RedisKilled => "redis-killed",
            Self::RedisFull => "redis-full",
            Self::RedisReadOnly => "redis-read-only",
            Self::RedisWithoutReplicas => "redis-no-replicas",
            Self::PostgresKilled => "postgres-killed",
            Self::BothKilled => "both-killed",
        }
    }

    /// Whether anything durable is left to accept with.
    #[must_use]
    pub const fn leaves_a_store(self) -> bool {
        !matches!(self, Self::BothKilled)
    }

    pub(super) async fn begin(self, stores: &Stores) -> Result<()> {
        let (redis, postgres) = (stores.redis(), stores.postgres());
        match self {
            Self::RedisPaused => redis.process().pause().await,
            Self::RedisKilled => redis.process().kill().await.map(drop),
            Self::RedisFull => redis.config_set("maxmemory", "1").await,
            // Whoever has reserved a port and does not listen there.
            Self::RedisReadOnly => redis.replica_of(Port::free()?.number()).await,
            Self::RedisWithoutReplicas => redis.config_set("min-replicas-to-write", "1").await,
            Self::PostgresKilled => postgres.process().kill().await.map(drop),
            Self::BothKilled => {
                let (one, other) = tokio::join!(redis.process().kill(), postgres.process().kill());
                one.and(other).map(drop)
            }
        }
    }

    pub(super) async fn end(self, stores: &Stores) -> Result<()> {
        let (redis, postgres) = (stores.redis(), stores.postgres());
        match self {
            Self::RedisPaused => redis.process().resume().await,
            Self::RedisKilled => redis.process().start().await,
            Self::RedisFull => redis.config_set("maxmemory", "0").await,
            Self::RedisReadOnly => redis.replica_of_nobody().await,
            Self::RedisWithoutReplicas => redis.config_set("min-replicas-to-write", "0").await,
            Self::PostgresKilled => postgres.process().start().await,
            Self::BothKilled => {
                redis.process().start().await?;
                postgres.process().start().await
            }
        }
    }
}
