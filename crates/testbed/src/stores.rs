//! Real stores: a private Redis, with replicas if wanted, and a private Postgres, on free ports, with their data in one
//! folder.
//!
//! Their settings are those that Tocsin's promises rest on: Redis writes its append-only file before it answers and evicts
//! nothing; Postgres syncs every commit. Each service has its own Redis user and Postgres role, as it is shipped. Neither
//! reads a configuration file of the system, and both listen on 127.0.0.1 alone, where Postgres trusts everybody.

mod postgres;
mod redis;
mod sentinels;
mod shared;

use std::path::Path;
use std::time::Duration;

pub use self::postgres::Postgres;
pub(crate) use self::postgres::{
    ROLE as POSTGRES_ROLE, postgres_url_of, prepare_folder as prepare_postgres_folder, query,
    remove_leftovers as remove_postgres_leftovers,
};
pub use self::redis::Redis;
pub(crate) use self::redis::{command as redis_command, open_users, redis_url_of};
pub use self::sentinels::Sentinels;
pub use self::shared::SharedStores;
use crate::command::Run;
use crate::{Result, Service, programs};

/// How long migrations may take.
const MIGRATE_DEADLINE: Duration = Duration::from_mins(1);

/// A private Redis, its replicas if any, and a private Postgres.
#[derive(Debug)]
pub struct Stores {
    replicas: Vec<Redis>,
    redis: Redis,
    postgres: Postgres,
}

impl Stores {
    /// Starts both in `folder` (`redis/`, `postgres/` and `logs/` below it) and waits until they answer. What the folder
    /// holds from an earlier run is kept.
    ///
    /// # Errors
    /// When a program is missing, or a store does not start or does not become ready.
    pub async fn start(folder: &Path) -> Result<Self> {
        Self::start_with_replicas(folder, 0).await
    }

    /// As [`Stores::start`], with so many replicas of the Redis, which follow it when this returns. Their data is in
    /// `redis-replica-1/` and so on.
    ///
    /// # Errors
    /// As [`Stores::start`], or when a replica does not come to follow.
    pub async fn start_with_replicas(folder: &Path, replicas: usize) -> Result<Self> {
        tracing::info!("starting Redis and Postgres in {}", folder.display());
        let (logs, redis, postgres) = (folder.join("logs"), folder.join("redis"), folder.join("postgres"));
        let (redis, postgres) = tokio::try_join!(Redis::start(&redis, &logs), Postgres::start(&postgres, &logs))?;
        let names = (1..=replicas).map(|number| format!("redis-replica-{number}"));
        let replicas = names.map(async |name| Redis::start_replica(&name, &folder.join(&name), &logs, &redis).await);
        let replicas = futures_util::future::try_join_all(replicas).await?;
        Ok(Self { replicas, redis, postgres })
    }

    /// The stores that `tocsin-testbed with-stores` started for all tests of this run.
    ///
    /// # Errors
    /// [`TestbedError::NoSharedStores`](crate::TestbedError::NoSharedStores) outside of it.
    pub fn shared() -> Result<SharedStores> {
        SharedStores::from_env()
    }

    /// The Redis.
    #[must_use]
    pub fn redis(&self) -> &Redis {
        &self.redis
    }

    /// The replicas of the Redis.
    #[must_use]
    pub fn replicas(&self) -> &[Redis] {
        &self.replicas
    }

    /// The Postgres.
    #[must_use]
    pub fn postgres(&self) -> &Postgres {
        &self.postgres
    }

    /// Stops all of them; the data stays.
    ///
    /// # Errors
    /// When a signal can't be sent. A store that was stopped before is no error.
    pub async fn stop(&self) -> Result<()> {
        let (postgres, redis) =
            tokio::join!(self.postgres.process().stop_if_running(), self.redis.process().stop_if_running());
        postgres?;
        redis?;
        for replica in &self.replicas {
            replica.process().stop_if_running().await?;
        }
        Ok(())
    }
}

/// Brings the database up to date: `tocsin-worker migrate`.
///
/// # Errors
/// When the worker is not built or fails.
pub async fn migrate(database_url: &str) -> Result<()> {
    tracing::info!("bringing the database up to date");
    Run::new(programs::service(Service::Worker)?)
        .args(["migrate"])
        .scrub_env()
        .env("TOCSIN_DATABASE_URL", database_url)
        .output(MIGRATE_DEADLINE)
        .await?;
    Ok(())
}
