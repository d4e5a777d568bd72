//! A running Tocsin, and the binary that is tried on it.

use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tocsin_testbed::topology::TopologyBuilder;
use tocsin_testbed::{Service, Topology, poll, programs};
use tokio::process::Command;

/// What awaiting something may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// May read and respond.
pub(crate) const RESPONDER: &str = "token-of-a-responder";
/// May read.
pub(crate) const READER: &str = "token-of-a-reader";
/// May do everything.
pub(crate) const ADMIN: &str = "token-of-an-admin";

/// Who is told, where a test runs a notifier.
const RECEIVERS: &str = "
route: {receiver: ops, group_by: [alertname]}
receivers: [{name: ops, slack: {webhook_url_env: TOCSIN_SLACK_WEBHOOK_URL}}]
";

/// What a run of the binary has ended with.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) exit: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// The output as one document.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The binary with nothing of our own environment.
pub(crate) fn tocsin() -> Command {
    let mut command = Command::new(programs::own("tocsin").unwrap());
    command.env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a command to its end.
pub(crate) async fn run(command: &mut Command) -> Run {
    let output = tokio::time::timeout(DEADLINE * 2, command.output()).await.expect("an end in time").unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Run { exit: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
}

pub(crate) struct Bed {
    pub(crate) topology: Topology,
}

impl Bed {
    pub(crate) async fn start() -> Self {
        Self::start_as(|topology| topology).await
    }

    pub(crate) async fn start_as(change: impl FnOnce(TopologyBuilder) -> TopologyBuilder) -> Self {
        let entry = |(token, scopes): (&str, &str)| {
            let sha256 = hex::encode(Sha256::digest(token));
            format!("    - {{name: {token}, scopes: [{scopes}], sha256: \"{sha256}\"}}\n")
        };
        let tokens = [(READER, "read"), (RESPONDER, "read, respond"), (ADMIN, "admin")].map(entry).concat();
        let document = format!("{RECEIVERS}api:\n  tokens:\n{tokens}");
        let topology = Topology::builder().count(Service::Notifier, 0).config_text(document);
        Self { topology: change(topology).start().await.unwrap() }
    }

    /// The binary, pointed here.
    pub(crate) fn command(&self, token: &str, args: &[impl AsRef<OsStr>]) -> Command {
        let mut command = tocsin();
        command.args(args).env("TOCSIN_URL", self.topology.url()).env("TOCSIN_TOKEN", token);
        command
    }

    pub(crate) async fn run(&self, token: &str, args: &[&str]) -> Run {
        run(&mut self.command(token, args)).await
    }

    /// What a command prints that must succeed.
    pub(crate) async fn must(&self, token: &str, args: &[&str]) -> String {
        let run = self.run(token, args).await;
        assert_eq!((run.exit, run.err.as_str()), (0, ""), "{args:?}: {run:?}");
        run.out
    }

    pub(crate) async fn must_json(&self, token: &str, args: &[&str]) -> Value {
        serde_json::from_str(&self.must(token, &[args, &["--json"]].concat()).await).unwrap()
    }

    /// Sends a test alert and waits until it is an incident. Gives the incident.
    pub(crate) async fn alert(&self, title: &str, more: &[&str]) -> Value {
        let label = format!("alertname={title}");
        self.must(READER, &[&["send", title, "--label", &label], more].concat()).await;
        let wanted = format!("alertname={title}");
        poll::until(format!("an incident of {title}"), DEADLINE, async || {
            let list = self.must_json(READER, &["incidents", "--label", &wanted]).await;
            list["data"].get(0).cloned()
        })
        .await
        .unwrap()
    }
}

/// A text in which what differs from run to run is named instead.
pub(crate) fn steady(text: &str) -> String {
    let words = text.split_inclusive([' ', '\n']).map(|word| {
        let (bare, end) = word.split_at(word.trim_end().len());
        let is_id = bare.len() == 36 && bare.matches('-').count() == 4;
        let is_time = bare.len() == 20 && bare.ends_with('Z') && bare.as_bytes()[10] == b'T';
        let steady = match bare {
            _ if is_id => "00000000-0000-0000-0000-000000000000",
            _ if is_time => "2026-01-01T00:00:00Z",
            bare => bare,
        };
        format!("{steady}{end}")
    });
    words.collect()
}
