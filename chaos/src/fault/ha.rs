//! What breaks where another takes over.

use std::time::Duration;

use futures_util::future::try_join_all;
use tocsin_testbed::ha::Ha;
use tokio::time::sleep;

use super::{BAD_TIMES, STORE_AWAY};
use crate::error::{ChaosError, Result};
use crate::scenario::Scenario;
use crate::stage::Stage;
use crate::timeline::Timeline;

/// How long a Postgres and its Patroni are away: longer than a failover takes.
const NODE_AWAY: Duration = Duration::from_secs(12);
/// How long a Redis is away, or a standby.
const REDIS_AWAY: Duration = Duration::from_secs(6);
/// How long a Redis is cut off.
const PARTITION: Duration = Duration::from_secs(8);
/// The services on the side of a Redis that is cut off.
const MINORITY: [&str; 2] = ["ingest-1", "worker-1"];
/// How long one of those is away that only watch.
const WATCHER_AWAY: Duration = Duration::from_secs(4);

/// Lets it happen, and makes it whole. It begins when it is known who leads.
pub(super) async fn happen(scenario: Scenario, (stage, ha): (&Stage, &Ha), time: &Timeline) -> Result<()> {
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
        Scenario::PostgresFull => {
            let primary = ha.postgres_primary().await?;
            let disk = stage.disk(&primary)?;
            time.mark_begun();
            disk.fill().await?;
            sleep(BAD_TIMES).await;
            disk.free().await?;
            ha.wait_ready(&primary).await?;
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
        Scenario::NetworkSplit => split(ha, time).await?,
        Scenario::RedisEmptied => {
            let keys = ha.keys().await?;
            time.mark_begun();
            keys.redis(["FLUSHALL"]).await?;
        }
        Scenario::RedisFull => {
            let keys = ha.keys().await?;
            time.mark_begun();
            keys.redis(["CONFIG", "SET", "maxmemory", "1"]).await?;
            sleep(STORE_AWAY).await;
            keys.redis(["CONFIG", "SET", "maxmemory", "0"]).await?;
        }
        Scenario::BothStoresDown => both_down(ha, time).await?,
        Scenario::SentinelLost => killed((ha, time), "sentinel-1", WATCHER_AWAY).await?,
        other => return Err(ChaosError::Needs { scenario: other.name(), need: "the topology single" }),
    }
    Ok(())
}

/// The Redis that leads is on one side, with the first ingest and the first worker; everything else is on the other. Senders and
/// the front door, as theirs, reach the services of both.
async fn split(ha: &Ha, time: &Timeline) -> Result<()> {
    let primary = ha.redis_primary().await?;
    let services = ha.service_urls().into_iter().map(|(name, _)| name);
    let (with_it, others): (Vec<_>, Vec<_>) = services.partition(|name| MINORITY.contains(&name.as_str()));
    let stores: Vec<String> = ha.stores().into_iter().filter(|store| *store != primary).collect();
    time.mark_begun();
    ha.cut_off_from_stores(&primary).await?;
    for service in &with_it {
        ha.cut_off_from(service, &stores).await?;
    }
    for service in &others {
        ha.cut_off_from(service, std::slice::from_ref(&primary)).await?;
    }
    sleep(PARTITION).await;
    for node in with_it.iter().chain(&others).chain([&primary]) {
        ha.heal(node).await?;
    }
    Ok(())
}

/// Every Postgres and every Redis at once. The Redis that led is started before the others: what no replica has acknowledged
/// yet is on it alone.
async fn both_down(ha: &Ha, time: &Timeline) -> Result<()> {
    let of = |kind: &str| ha.nodes().into_iter().filter(|name| name.starts_with(kind)).collect::<Vec<_>>();
    let (postgres, primary, redis) = (of("postgres-"), ha.redis_primary().await?, of("redis-"));
    time.mark_begun();
    try_join_all(redis.iter().chain(&postgres).map(|node| ha.kill(node))).await?;
    sleep(STORE_AWAY).await;
    let start_redis = async {
        ha.start_node(&primary).await?;
        try_join_all(redis.iter().filter(|node| **node != primary).map(|node| ha.start_node(node))).await
    };
    tokio::try_join!(start_redis, try_join_all(postgres.iter().map(|node| ha.start_node(node))))?;
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
