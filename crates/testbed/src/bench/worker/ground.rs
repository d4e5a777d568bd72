//! Where the worker is measured: a system without senders, in whose database alerts exist already.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, NoTls};

use super::upsert::Upsert;
use super::workload::{self, DELIVERIES_PER_BATCH, Workload};
use super::{RUN_DEADLINE, Rates};
use crate::bench::{BenchError, applied};
use crate::topology::Service;
use crate::{Process, Topology, feed};

/// Time between two looks at what is left to apply. Each look starts a program, and the machine is being measured.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Groups as responders would, and tells somebody, so that the ledger is written; nobody delivers it.
const CONFIG: &str = "
route: {receiver: ops, group_by: [service]}
receivers: [{name: ops, slack: {webhook_url_env: TOCSIN_SLACK_WEBHOOK_URL}}]
";

/// From the first event that was applied, to the last transaction; and what was applied by then.
const RATE: &str = "\
WITH run AS (SELECT applied_at FROM event_ids WHERE applied_at >= $1)
SELECT count(*) FILTER (WHERE applied_at < (SELECT max(applied_at) FROM run)),
    extract(epoch FROM max(applied_at) - min(applied_at))::float8
FROM run";

/// A system with a database of its own.
pub(super) struct Ground {
    topology: Topology,
    postgres: Client,
    upsert: Upsert,
    workload: Workload,
    fed: u64,
    /// The most memory that the worker has had, in KiB.
    pub(super) peak_kib: u64,
}

/// What is measured at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// Events, rounded up to whole cycles.
    pub(super) events: usize,
    pub(super) alerts_per_delivery: usize,
}

impl Ground {
    /// Starts a system whose database holds so many alerts that are over.
    pub(super) async fn prepare(folder: &Path, existing: usize) -> Result<Self, BenchError> {
        let topology = Topology::builder()
            .own_stores()
            .folder(folder)
            .config_text(CONFIG)
            .count(Service::Ingest, 0)
            .count(Service::Notifier, 0)
            .count(Service::Api, 0)
            .env_for(Service::Worker, "TOCSIN_WORKER_BATCH_SIZE", DELIVERIES_PER_BATCH.to_string())
            .start()
            .await?;
        topology.process("worker-1")?.stop().await?;
        tracing::info!("making {existing} alerts");
        let (postgres, connection) = tokio_postgres::connect(topology.tenant().database_url(), NoTls).await?;
        tokio::spawn(connection);
        postgres.batch_execute(&workload::fill(existing)).await?;
        let upsert = Upsert::prepare(&postgres).await?;
        postgres.batch_execute("VACUUM (ANALYZE) alerts").await?;
        postgres.batch_execute("CHECKPOINT").await?;
        Ok(Self { topology, postgres, upsert, workload: Workload::new(existing), fed: 0, peak_kib: 0 })
    }

    pub(super) const fn existing(&self) -> usize {
        self.workload.existing()
    }

    /// Lets the worker apply events, and then a bare upsert write the same rows.
    pub(super) async fn measure(&mut self, run: Run) -> Result<Rates, BenchError> {
        let events = self.workload.events(run.events);
        let deliveries = workload::deliveries(&events, run.alerts_per_delivery);
        feed::append(self.topology.tenant(), &deliveries).await?;
        self.fed += deliveries.len() as u64;
        let begun: std::time::SystemTime = self.postgres.query_one("SELECT clock_timestamp()", &[]).await?.get(0);
        let worker = self.topology.process("worker-1")?;
        worker.start().await?;
        self.peak_kib = self.peak_kib.max(self.wait_until_applied(worker).await?);
        worker.stop().await?;

        let row = self.postgres.query_one(RATE, &[&begun]).await?;
        let (applied, seconds): (i64, f64) = (row.get(0), row.get(1));
        #[expect(clippy::cast_precision_loss, reason = "a small number of events")]
        let worker = (applied as f64) * (run.alerts_per_delivery as f64) / seconds;
        let rows_per_batch = run.alerts_per_delivery * DELIVERIES_PER_BATCH;
        let upsert = self.upsert.measure(&self.postgres, &events, rows_per_batch).await?;
        tracing::info!("{} alerts in a delivery: {worker:.0}/s, upsert {upsert:.0}/s", run.alerts_per_delivery);
        Ok(Rates { worker, upsert })
    }

    /// Gives the most memory that the worker has had meanwhile, in KiB.
    async fn wait_until_applied(&self, worker: &Process) -> Result<u64, BenchError> {
        let tenant = self.topology.tenant();
        let stream = format!("{}:v1:{{0}}:events", tenant.redis_prefix());
        let begun = Instant::now();
        while tenant.redis(["XLEN", &stream]).await? != "0" {
            if begun.elapsed() > RUN_DEADLINE {
                return Err(BenchError::Broken { what: "the worker does not come to an end of what it was given" });
            }
            sleep(LOOK_INTERVAL).await;
        }
        let gone = || BenchError::Gone { name: worker.name().to_owned() };
        Ok(worker.memory().ok_or_else(gone)?.peak_kib)
    }

    /// Whether everything was applied, and once. Says how many deliveries there were.
    pub(super) async fn check(&self) -> Result<u64, BenchError> {
        let applied = applied::count(&self.topology, "SELECT count(*) FROM event_ids").await?;
        if applied < self.fed {
            return Err(BenchError::Lost { what: "worker".to_owned(), accepted: self.fed, applied });
        }
        self.topology.verify().await?;
        Ok(applied)
    }

    pub(super) async fn stop(&self) -> Result<(), BenchError> {
        Ok(self.topology.stop().await?)
    }
}
