//! One of three Redis, of which one leads.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::node::{Kind, Node};
use super::sentinel;
use crate::command::Run;
use crate::process::Spec;
use crate::stores::open_users;
use crate::{Result, TestbedError, poll, programs};

pub(super) const PORT: u16 = 6379;
const CONFIG: &str = "redis.conf";
/// How long one question may take.
const ASK_DEADLINE: Duration = Duration::from_secs(1);
/// How long a primary that has lost its data waits until another has been elected.
const ELECTION_DEADLINE: Duration = Duration::from_secs(30);
/// How long it may take to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// How to start it, with its data and its configuration in `folder`.
pub(super) fn spec(name: &str, folder: &Path, logs: &Path) -> Result<Spec> {
    let mut spec = Spec::new(name, programs::system("redis-server", "redis-server")?, logs).args([folder.join(CONFIG)]);
    spec.stop_deadline = STOP_DEADLINE;
    Ok(spec)
}

/// Writes the configuration of one that others find at `address`: a replica of `primary` unless that is itself. Redis rewrites it when its role changes.
pub(super) fn configure((address, listens_at): (&str, &str), folder: &Path, primary: &str) -> Result<()> {
    let users = folder.join("users.acl");
    fs::write(&users, open_users()).map_err(TestbedError::file("write", &users))?;
    let role = if primary == address { String::new() } else { format!("replicaof {primary} {PORT}\n") };
    // A primary that no replica follows stops taking writes; WAIT is what makes sure of each of them.
    let text = format!(
        "port {PORT}\nbind {listens_at}\nprotected-mode no\ndir {folder}\naclfile {users}\nappendonly yes\n\
         appendfsync always\nsave \"\"\nmaxmemory-policy noeviction\nrepl-diskless-sync-delay 0\nrepl-timeout 5\n\
         replica-announce-ip {address}\nmin-replicas-to-write 1\nmin-replicas-max-lag 2\n{role}",
        folder = folder.display(),
        users = users.display(),
    );
    let file = folder.join(CONFIG);
    fs::write(&file, text).map_err(TestbedError::file("write", file))
}

/// Makes one that was down follow whoever leads now. One that led and has lost its data waits until another does: its replicas
/// would copy the emptiness.
pub(super) async fn prepare(node: &Node, nodes: &[Node]) -> Result<()> {
    let has_data = node.folder.join("appendonlydir").exists();
    let primary = poll::until("a primary that has data", ELECTION_DEADLINE, async || {
        let primary = sentinel::primary_of(nodes).await.ok_or_else(|| "no Sentinel that answers".to_owned())?;
        if primary == node.address && !has_data { Err("the one whose data is gone".to_owned()) } else { Ok(primary) }
    })
    .await?;
    configure((&node.address, &node.listens_at), &node.folder, &primary)
}

pub(super) async fn probe(address: &str) -> Result<(), String> {
    let answer = ask(address, PORT, &["PING"]).await?;
    poll::expect(answer, |answer| answer == "PONG").map(drop)
}

/// Waits until the primary streams changes to all others.
pub(super) async fn wait_until_followed(nodes: &[Node], primary: &str, deadline: Duration) -> Result<()> {
    let wanted = nodes.iter().filter(|node| node.kind == Kind::Redis).count() - 1;
    poll::until("replicas of Redis to follow", deadline, async || {
        let info = ask(primary, PORT, &["INFO", "replication"]).await?;
        let following = info.lines().filter(|line| line.starts_with("slave") && line.contains("state=online")).count();
        if following == wanted { Ok(()) } else { Err(info) }
    })
    .await?;
    Ok(())
}

/// One question through `redis-cli`, and the answer without the line break at the end.
pub(super) async fn ask(address: &str, port: u16, words: &[&str]) -> Result<String, String> {
    let cli = programs::system("redis-cli", "redis-tools").map_err(|error| error.to_string())?;
    let port = port.to_string();
    let run = Run::new(cli).args(["-h", address, "-p", &port, "--raw", "-e"]).args(words);
    let output = run.output(ASK_DEADLINE).await.map_err(|error| error.to_string())?;
    Ok(output.trim_end().to_owned())
}
