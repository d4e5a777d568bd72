//! What breaks where another takes over.

use std::time::Duration;

use tocsin_testbed::ha::Ha;
use tokio::time::sleep;

use crate::error::{ChaosError, Result};
use crate::scenario::Scenario;
use crate::timeline::Timeline;

/// How long a Postgres and its Patroni are away: longer than a failover takes.
const NODE_AWAY: Duration = Duration::from_secs(12);
/// How long a Redis is away, or a standby.
const REDIS_AWAY: Duration = Duration::from_secs(6);
/// How long a Redis is cut off.
const PARTITION: Duration = Duration::from_secs(8);
/// How long one of those is away that only watch.
const WATCHER_AWAY: Duration = Duration::from_secs(4);
/// Time between two reloads, and how many there are.
const RELOAD_EVERY: Duration = Duration::from_secs(1);
const RELOADS: usize = 3;

/// Lets it happen, and makes it whole. It begins when it is known who leads.
pub(super) async fn happen(scenario: Scenario, ha: &Ha, time: &Timeline) -> Result<()> {
    match scenario {
        Scenario::PostgresKilled => {
            let primary = ha.postgres_primary().await?;
            time.mark_begun();
            ha.kill_postmaster(&primary).await?;
            // Its Patroni starts it again, as a standby.
            sleep(REDIS_AWAY).await;
            ha.wait_ready(&primary).await?;
        }
        Scenario::PostgresNodeKilled => killed((ha, time), &ha.postgres_primary().await?, NODE_AWAY).await?,
        Scenario::PostgresPaused => paused((ha, time), &ha.postgres_primary().await?, NODE_AWAY).await?,
        Scenario::PostgresCutOff => {
            let primary = ha.postgres_primary().await?;
            time.mark_begun();
            ha.cut_off(&primary).await?;
            sleep(NODE_AWAY).await;
            ha.heal(&primary).await?;
        }
        Scenario::SyncStandbyLost => killed((ha, time), &ha.postgres_sync_standby().await?, REDIS_AWAY).await?,
        Scenario::EtcdLeaderLost => killed((ha, time), &ha.etcd_leader().await?, WATCHER_AWAY).await?,
        Scenario::RedisKilled => killed((ha, time), &ha.redis_primary().await?, REDIS_AWAY).await?,
        Scenario::RedisPaused => paused((ha, time), &ha.redis_primary().await?, REDIS_AWAY).await?,
        Scenario::RedisCutOff => {
            let primary = ha.redis_primary().await?;
            time.mark_begun();
            ha.cut_off_from_stores(&primary).await?;
            sleep(PARTITION).await;
            ha.heal(&primary).await?;
        }
        Scenario::RedisEmptied => {
            let keys = ha.keys().await?;
            time.mark_begun();
            keys.redis(["FLUSHALL"]).await?;
        }
        Scenario::SentinelLost => killed((ha, time), "sentinel-1", WATCHER_AWAY).await?,
        Scenario::HaproxyReloaded => {
            for _ in 0..RELOADS {
                ha.reload_haproxy().await?;
                sleep(RELOAD_EVERY).await;
            }
        }
        other => return Err(ChaosError::Needs { scenario: other.name(), need: "the topology single" }),
    }
    Ok(())
}

async fn killed((ha, time): (&Ha, &Timeline), node: &str, away: Duration) -> Result<()> {
    time.mark_begun();
    ha.kill(node).await?;
    sleep(away).await;
    Ok(ha.start_node(node).await?)
}

async fn paused((ha, time): (&Ha, &Timeline), node: &str, away: Duration) -> Result<()> {
    time.mark_begun();
    ha.pause(node).await?;
    sleep(away).await;
    Ok(ha.resume(node).await?)
}
