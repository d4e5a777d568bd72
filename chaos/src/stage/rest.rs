//! When everything is ready, and everything done.

use std::collections::BTreeSet;
use std::time::Duration;

use tocsin_testbed::{KeySpace, Service, System, poll, programs};
use tokio::process::Command;

use super::Stage;
use crate::error::{ChaosError, Result};

/// How long the system may take until it is whole again after a scenario.
const SETTLE: Duration = Duration::from_mins(1);
/// How long the front door may take to see that a process is ready.
const SEEN: Duration = Duration::from_secs(10);
/// How long reading every table once may take.
const VERIFY: Duration = Duration::from_mins(2);

/// Who must be there, so that the next to lead is known.
const ROLES: [(&str, &str); 3] = [("postgres-", "primary"), ("postgres-", "sync standby"), ("redis-", "primary")];

impl Stage {
    /// The names of the processes of a service.
    pub(crate) fn names(&self, service: Service) -> BTreeSet<String> {
        let names = self.system.service_urls().into_iter().map(|(name, _)| name);
        names.filter(|name| name.starts_with(service.name())).collect()
    }

    /// Waits until a service is ready, and the front door has seen it.
    pub(crate) async fn wait_ready(&self, name: &str) -> Result<()> {
        match &self.system {
            System::Single(topology) => Ok(topology.wait_ready(name).await?),
            System::Ha(ha) => {
                ha.wait_ready(name).await?;
                if [Service::Ingest, Service::Api].iter().any(|service| name.starts_with(service.name())) {
                    ha.front_door().wait_until_server_is(name, true, SEEN).await?;
                }
                Ok(())
            }
        }
    }

    /// How many accepted deliveries wait to be applied and acknowledged, on the stream and in the inbox.
    async fn unapplied(&self) -> Result<u64, String> {
        match &self.system {
            System::Single(topology) => topology.unapplied().await.map_err(|error| error.to_string()),
            System::Ha(ha) => {
                let keys: KeySpace = ha.keys().await.map_err(|error| error.to_string())?;
                let stream = format!("{}:v1:{{0}}:events", ha.tenant().redis_prefix());
                let entries = keys.redis(["XLEN", &stream]).await.map_err(|error| error.to_string())?;
                let inbox = ha.tenant().sql("SELECT count(*) FROM inbox").await.map_err(|error| error.to_string())?;
                let number = |text: &str| text.trim().parse::<u64>().map_err(|_| format!("{text} is no number"));
                let inbox = inbox.first().and_then(|row| row.first()).cloned().unwrap_or_default();
                Ok(number(&entries)? + number(&inbox)?)
            }
        }
    }

    /// Waits until everything that was accepted is applied.
    pub(crate) async fn wait_until_drained(&self, deadline: Duration) -> Result<()> {
        let drained = poll::until("everything that was accepted to be applied", deadline, async || {
            poll::expect(self.unapplied().await?, |left| *left == 0)
        });
        let left = |error: poll::TimedOut| ChaosError::Restless { waited: deadline, left: error.to_string() };
        drained.await.map(drop).map_err(left)
    }

    /// Whether its state is as it must be.
    pub(crate) async fn verify(&self) -> Result<()> {
        let mut command = Command::new(programs::service(Service::Worker)?);
        command.arg("verify").env("TOCSIN_DATABASE_URL", self.system.tenant().database_url_for(Service::Worker));
        let output = tokio::time::timeout(VERIFY, command.kill_on_drop(true).output()).await;
        let output =
            output.map_err(|_elapsed| ChaosError::Restless { waited: VERIFY, left: "verifying".to_owned() })?;
        let output = output.map_err(ChaosError::file("run", "tocsin-worker"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        Err(ChaosError::Program { program: "tocsin-worker verify", said })
    }

    /// Waits until everything runs and is ready.
    pub(crate) async fn settle(&self) -> Result<()> {
        match &self.system {
            System::Single(topology) => {
                for member in topology.members() {
                    let what = format!("{} to be ready", member.process().name());
                    poll::until(what, SETTLE, async || member.probe().await).await?;
                }
            }
            System::Ha(ha) => {
                poll::until("every node to be ready, and some to lead", SETTLE, async || {
                    let nodes = ha.state().await;
                    let is_led = |(kind, role): &(&str, &str)| {
                        nodes.iter().any(|node| node.name.starts_with(kind) && node.role == Some(*role))
                    };
                    let whole = nodes.iter().all(|node| node.is_ready) && ROLES.iter().all(is_led);
                    poll::expect(nodes, |_| whole)
                })
                .await?;
            }
        }
        for name in self.names(Service::Ingest).iter().chain(&self.names(Service::Api)) {
            self.system.front_door().wait_until_server_is(name, true, SETTLE).await?;
        }
        Ok(())
    }
}
