//! Doing the harm, and undoing it.

mod ha;

use std::time::Duration;

use nix::sys::signal::Signal;
use tocsin_testbed::{Process, Service, System};
use tokio::time::sleep;

use crate::error::{ChaosError, Result};
use crate::scenario::Scenario;
use crate::stage::{CLOCK_FILE, Stage};
use crate::timeline::Timeline;
use crate::wire::Quality;

/// How long a store is away.
const STORE_AWAY: Duration = Duration::from_secs(3);
/// How long a service is away: as long as a supervisor takes to notice and to start it again.
const SERVICE_AWAY: Duration = Duration::from_secs(2);
/// How long what is bad without being away lasts.
const BAD_TIMES: Duration = Duration::from_secs(5);
/// Time between two reloads, and how many there are.
const RELOAD_EVERY: Duration = Duration::from_secs(1);
const RELOADS: usize = 3;
/// By how much a clock jumps.
const JUMP: &str = "+3600s\n";
/// No jump.
const RIGHT: &str = "+0s\n";
/// The slow network.
const SLOW: Quality = Quality { delay: Duration::from_millis(25), loss: 0.01 };

/// Lets it happen, from `begun` to `cleared`. What was broken is whole when this returns.
pub(crate) async fn happen(scenario: Scenario, stage: &Stage, time: &Timeline) -> Result<()> {
    time.mark_begun();
    match &stage.system {
        System::Ha(ha) if scenario.is_of_stores() => ha::happen(scenario, (stage, ha), time).await?,
        _ => here(scenario, stage).await?,
    }
    time.mark_cleared();
    Ok(())
}

/// What happens to services, or to the only store of its kind.
async fn here(scenario: Scenario, stage: &Stage) -> Result<()> {
    match scenario {
        Scenario::PostgresKilled => {
            let postgres = stage.stores()?.postgres();
            postgres.process().kill().await?;
            sleep(STORE_AWAY).await;
            postgres.process().start().await?;
            postgres.wait_ready().await?;
        }
        Scenario::PostgresPaused => paused(stage.stores()?.postgres().process()).await?,
        Scenario::PostgresFull => fill_postgres(stage).await?,
        Scenario::RedisKilled => {
            let redis = stage.stores()?.redis();
            redis.process().kill().await?;
            sleep(STORE_AWAY).await;
            redis.process().start().await?;
            redis.wait_ready().await?;
        }
        Scenario::RedisPaused => paused(stage.stores()?.redis().process()).await?,
        Scenario::RedisEmptied => drop(stage.stores()?.redis().command(["FLUSHALL"]).await?),
        Scenario::RedisFull => {
            let redis = stage.stores()?.redis();
            redis.config_set("maxmemory", "1").await?;
            sleep(STORE_AWAY).await;
            redis.config_set("maxmemory", "0").await?;
        }
        Scenario::BothStoresDown => {
            let (redis, postgres) = (stage.stores()?.redis(), stage.stores()?.postgres());
            tokio::try_join!(redis.process().kill(), postgres.process().kill())?;
            sleep(STORE_AWAY).await;
            tokio::try_join!(redis.process().start(), postgres.process().start())?;
            tokio::try_join!(redis.wait_ready(), postgres.wait_ready())?;
        }
        Scenario::IngestKilled => killed(stage, Service::Ingest).await?,
        Scenario::WorkerKilled => killed(stage, Service::Worker).await?,
        Scenario::NotifierKilled => killed(stage, Service::Notifier).await?,
        Scenario::ApiKilled => killed(stage, Service::Api).await?,
        Scenario::IngestRolled => rolled(stage, Service::Ingest).await?,
        Scenario::WorkerRolled => rolled(stage, Service::Worker).await?,
        Scenario::NotifierRolled => rolled(stage, Service::Notifier).await?,
        Scenario::ApiRolled => rolled(stage, Service::Api).await?,
        Scenario::HaproxyReloaded => {
            for _ in 0..RELOADS {
                // New processes take over, and old ones finish what they have.
                stage.system.front_door().process().signal(Signal::SIGUSR2).await?;
                sleep(RELOAD_EVERY).await;
            }
        }
        Scenario::ClockJump => {
            set_clocks(stage, JUMP)?;
            sleep(BAD_TIMES).await;
            set_clocks(stage, RIGHT)?;
        }
        Scenario::SlowNetwork => {
            stage.set_wires(SLOW);
            sleep(BAD_TIMES).await;
            stage.set_wires(Quality::default());
        }
        Scenario::PostgresNodeKilled
        | Scenario::PostgresCutOff
        | Scenario::SyncStandbyLost
        | Scenario::EtcdLeaderLost
        | Scenario::RedisCutOff
        | Scenario::NetworkSplit
        | Scenario::SentinelLost => {
            return Err(ChaosError::Needs { scenario: scenario.name(), need: "the topology ha" });
        }
    }
    Ok(())
}

async fn paused(store: &Process) -> Result<()> {
    store.pause().await?;
    sleep(STORE_AWAY).await;
    Ok(store.resume().await?)
}

async fn killed(stage: &Stage, service: Service) -> Result<()> {
    let name = format!("{service}-1");
    let process = stage.system.process(&name)?;
    process.kill().await?;
    sleep(SERVICE_AWAY).await;
    process.start().await?;
    stage.wait_ready(&name).await
}

async fn rolled(stage: &Stage, service: Service) -> Result<()> {
    for name in stage.names(service) {
        stage.system.process(&name)?.restart().await?;
        stage.wait_ready(&name).await?;
    }
    Ok(())
}

/// The write-ahead log has no room: Postgres ends itself, and cannot start until it has.
async fn fill_postgres(stage: &Stage) -> Result<()> {
    let postgres = stage.stores()?.postgres();
    let disk = stage.disk(postgres.process().name())?;
    disk.fill().await?;
    sleep(BAD_TIMES).await;
    disk.free().await?;
    if !postgres.process().is_running() {
        postgres.process().start().await?;
    }
    Ok(postgres.wait_ready().await?)
}

fn set_clocks(stage: &Stage, clock: &str) -> Result<()> {
    for service in Service::ALL {
        let path = stage.folder().join(format!("{CLOCK_FILE}-{service}-1"));
        std::fs::write(&path, clock).map_err(ChaosError::file("write", &path))?;
    }
    Ok(())
}
