//! One of three Sentinels, which say which Redis leads.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use futures_util::future::join_all;
use sha2::{Digest as _, Sha256};

use super::node::{Kind, Node};
use super::{MASTER, redis};
use crate::process::Spec;
use crate::{Result, TestbedError, poll, programs};

pub(super) const PORT: u16 = 26379;
const CONFIG: &str = "sentinel.conf";

pub(super) fn spec(name: &str, folder: &Path, logs: &Path) -> Result<Spec> {
    let sentinel = programs::system("redis-sentinel", "redis-sentinel")?;
    Ok(Spec::new(name, sentinel, logs).args([folder.join(CONFIG)]))
}

/// Writes the configuration of one that others find at `address`, with all that Sentinels otherwise take seconds to find out, unless there is one: they keep in it
/// what they have learnt.
pub(super) fn configure(
    (address, listens_at): (&str, &str),
    folder: &Path,
    primary: &str,
    replicas: &[&str],
    sentinels: &[&str],
) -> Result<()> {
    let file = folder.join(CONFIG);
    if file.exists() {
        return Ok(());
    }
    let mut text = format!(
        "port {PORT}\nbind {listens_at}\ndir {folder}\nprotected-mode no\nsentinel announce-ip {address}\n\
         sentinel myid {id}\nsentinel monitor {MASTER} {primary} {redis} 2\n\
         sentinel down-after-milliseconds {MASTER} 1000\nsentinel failover-timeout {MASTER} 3000\n\
         sentinel parallel-syncs {MASTER} 2\n",
        folder = folder.display(),
        id = id(address),
        redis = redis::PORT,
    );
    for replica in replicas {
        let _ = writeln!(text, "sentinel known-replica {MASTER} {replica} {}", redis::PORT);
    }
    for other in sentinels.iter().filter(|other| **other != address) {
        let _ = writeln!(text, "sentinel known-sentinel {MASTER} {other} {PORT} {}", id(other));
    }
    fs::write(&file, text).map_err(TestbedError::file("write", file))
}

/// Who led when these Sentinels ran last, as the newest of their configurations says.
pub(super) fn last_primary<'a>(folders: impl Iterator<Item = &'a Path>) -> Option<String> {
    let read = folders.filter_map(|folder| fs::read_to_string(folder.join(CONFIG)).ok()).filter_map(|text| {
        let after = |start: &str| text.lines().find_map(|line| line.strip_prefix(start)).map(str::to_owned);
        let epoch = after(&format!("sentinel config-epoch {MASTER} ")).and_then(|epoch| epoch.trim().parse().ok());
        let primary = after(&format!("sentinel monitor {MASTER} "))?.split(' ').next()?.to_owned();
        Some((epoch.unwrap_or(0_u64), primary))
    });
    read.max().map(|(_, primary)| primary)
}

/// Forty hexadecimal digits that are always the same for an address.
fn id(address: &str) -> String {
    let digest = hex::encode(Sha256::digest(address));
    digest[..40].to_owned()
}

/// Whether it answers, and could fail over.
pub(super) async fn probe(address: &str) -> Result<(), String> {
    let answer = redis::ask(address, PORT, &["SENTINEL", "CKQUORUM", MASTER]).await?;
    poll::expect(answer, |answer| answer.starts_with("OK")).map(drop)
}

/// Has it look around more often, until it ends: who comes back is seen in three seconds instead of twenty.
pub(super) async fn hurry(address: &str) -> Result<()> {
    let words = "SENTINEL DEBUG ping-period 250 info-period 1000 publish-period 500 ask-period 200";
    let words: Vec<&str> = words.split(' ').collect();
    poll::until("Sentinel to take its periods", super::builder::DEADLINE, async || {
        redis::ask(address, PORT, &words).await
    })
    .await?;
    Ok(())
}

/// The address of the primary that most Sentinels name.
pub(super) async fn primary_of(nodes: &[Node]) -> Option<String> {
    let sentinels = nodes.iter().filter(|node| node.kind == Kind::Sentinel && node.process.is_running());
    let question = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER];
    let answers = join_all(sentinels.map(|node| redis::ask(&node.address, PORT, &question))).await;
    let mut votes = BTreeMap::<String, usize>::new();
    for address in answers.into_iter().flatten().filter_map(|answer| answer.lines().next().map(str::to_owned)) {
        *votes.entry(address).or_default() += 1;
    }
    votes.into_iter().max_by_key(|(_, votes)| *votes).map(|(address, _)| address)
}
