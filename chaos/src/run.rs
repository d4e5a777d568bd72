//! One run of one scenario.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tocsin_testbed::poll;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::error::{ChaosError, Result};
use crate::fault;
use crate::figures::{Figures, Seen};
use crate::ledger::Ledger;
use crate::probes::Probes;
use crate::scenario::{Scenario, Setting};
use crate::stage::{Stage, random_name};
use crate::timeline::Timeline;
use crate::traffic::Traffic;

/// Traffic before the fault.
const STEADY: Duration = Duration::from_secs(2);
/// Traffic after it.
const CALM: Duration = Duration::from_secs(5);
/// How long the first incident may take to be seen.
const FIRST_INCIDENT: Duration = Duration::from_secs(15);

/// Makes one run, and gives what was seen and what it comes to.
pub(crate) async fn run(setting: Setting, scenario: Scenario, stage: &Stage, rate: u32) -> Result<(Seen, Figures)> {
    stage.receiver.clear();
    let system = &stage.system;
    let traffic = Traffic::new(system.url(), &stage.key, system.token(), random_name(), rate)?;
    traffic.warm_up().await?;
    let incident = poll::until("an incident to read", FIRST_INCIDENT, async || traffic.any_incident().await).await?;
    stage.wait_until_drained(FIRST_INCIDENT).await?;
    stage.receiver.clear();

    let (time, ended) = (Arc::new(Timeline::start()), CancellationToken::new());
    let webhooks = tokio::spawn(Arc::clone(&traffic).webhooks(Arc::clone(&time), ended.clone()));
    let reads = tokio::spawn(Arc::clone(&traffic).reads(Arc::clone(&time), incident, ended.clone()));
    let probes = tokio::spawn(Probes::watch(system.service_urls(), Arc::clone(&time), ended.clone()));
    sleep(STEADY).await;
    let happened = fault::happen(scenario, stage, &time).await;
    if happened.is_ok() {
        sleep(CALM).await;
    }
    time.mark_ended();
    ended.cancel();
    let (sent, reads, probes) = tokio::try_join!(webhooks, reads, probes).map_err(lost_task)?;
    happened?;
    stage.settle().await?;
    let ledger = Ledger::close(stage, &traffic, &stage.receiver, &time, &sent).await?;
    let seen = Seen { sent, reads, probes: probes?, ledger, marks: time.marks() };
    let touched: BTreeSet<String> = scenario.touches().map(|service| stage.names(service)).unwrap_or_default();
    let figures = seen.figures(scenario.promises(setting), &touched);
    Ok((seen, figures))
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn lost_task(error: tokio::task::JoinError) -> ChaosError {
    ChaosError::Program { program: "a task", said: error.to_string() }
}
