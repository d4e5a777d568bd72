//! A storm: one database fails, the services that need it alert, some of them flap, and all recover. Meanwhile everybody
//! repeats himself, as monitoring does.
//!
//! It is the same storm for the same seed. When it is over, everything that was accepted must have been applied, nothing may
//! fire any more, and the state must be as it must be.

mod outage;
mod senders;
mod story;

use std::path::Path;
use std::time::Duration;

use chrono::Utc;
use sha2::{Digest as _, Sha256};

use self::outage::{Outage, Sender};
use self::senders::Senders;
pub use self::story::Story;
use crate::bench::{BenchError, applied};
use crate::doubles::Recorder;
use crate::load::open_loop;
use crate::topology::random_token;
use crate::{Topology, poll};

/// How a responder would group it.
const CONFIG: &str = include_str!("storm/tocsin.yaml");
/// How long notices may take that are held back so that more can join them.
const QUIET_WITHIN: Duration = Duration::from_secs(30);
/// Webhooks in a storm, at least: room for every change and for repeats between them.
pub const MIN_WEBHOOKS: u32 = 1_000;

/// How much of a storm.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Webhooks, at least [`MIN_WEBHOOKS`].
    pub webhooks: u32,
    /// For how long.
    pub during: Duration,
    /// Which of all storms.
    pub seed: u64,
}

/// Lets a storm pass over a system of its own. `folder` takes data and logs, and must be open to Postgres' account.
///
/// # Errors
/// When a webhook is refused or lost, an alert still fires when all have recovered, or the state breaks an invariant.
pub async fn run(options: Options, folder: &Path) -> Result<Story, BenchError> {
    let Options { webhooks, during, seed } = options;
    let slack = Recorder::start()?;
    let keys = Sender::ALL.map(|sender| (sender, random_token()));
    let mut builder = Topology::builder()
        .own_stores()
        .folder(folder)
        .config_text(CONFIG)
        .slack_webhook_url(slack.slack_webhook_url());
    for (sender, key) in &keys {
        builder = builder.env(sender.variable(), hex::encode(Sha256::digest(key)));
    }
    let topology = builder.start().await?;
    let outage = Outage::new(seed);
    let told = outage.webhooks(webhooks.max(MIN_WEBHOOKS), seed);
    tracing::info!("{} webhooks in {} s (seed {seed})", told.len(), during.as_secs());
    let senders = Senders::new(&topology, &keys, Utc::now(), during)?;
    let count = u32::try_from(told.len()).unwrap_or(u32::MAX);
    let answers = open_loop(count, during, |number| senders.send(&outage, &told[number as usize])).await;
    let refused = answers.iter().filter(|answer| !answer.value).count() as u64;
    if refused > 0 {
        return Err(BenchError::Refused { subject: "storm", refused, socket_errors: 0 });
    }
    applied::check(&topology, "storm").await?;
    let events = told.iter().map(Vec::len).sum::<usize>() as u64;
    let counted = applied::count(&topology, "SELECT sum(occurrences) FROM alerts").await?;
    if counted != events {
        return Err(BenchError::Doubled { what: "storm".to_owned(), doubled: counted.abs_diff(events) });
    }
    if applied::count(&topology, "SELECT count(*) FROM alerts WHERE status = 'firing'").await? > 0 {
        return Err(BenchError::Broken { what: "an alert fires though all have recovered" });
    }
    // What is still held back then is told as such.
    let _ = poll::until("every notice to be told", QUIET_WITHIN, async || {
        let open = "SELECT count(*) FROM notifications WHERE status IN ('pending', 'sending')";
        let open = applied::count(&topology, open).await.map_err(|error| error.to_string())?;
        poll::expect(open, |open| *open == 0)
    })
    .await;
    let story = Story::read(&topology, answers.len(), slack.count()).await?;
    topology.stop().await?;
    Ok(story)
}
