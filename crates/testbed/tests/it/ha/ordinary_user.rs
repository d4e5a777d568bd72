//! What an ordinary user does by command line: root's kernel is not at hand, and relays cut off.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;
use tocsin_testbed::{Port, Stores, http, poll, programs};

use super::DEADLINE;
use crate::turn::Turn;

/// `nobody` and `nogroup`, everywhere on Debian.
const NOBODY: u32 = 65534;
/// How many alerts are sent to half of ingest.
const ALERTS: usize = 20;

/// A Tocsin of somebody who is not root, which is stopped when the test ends, however it ends.
struct Desk {
    state: TempDir,
    as_nobody: bool,
}

impl Desk {
    fn new() -> Self {
        let parent = Stores::shared().unwrap().folder().to_owned();
        let permissions = std::fs::Permissions::from_mode(0o711);
        let state = tempfile::Builder::new().prefix("desk-").permissions(permissions).tempdir_in(parent).unwrap();
        // Who is not root may not give a folder away, and need not.
        let as_nobody = chown(state.path(), Some(NOBODY), Some(NOBODY)).is_ok();
        Self { state, as_nobody }
    }

    fn run(&self, args: &[&str]) -> Output {
        let testbed = programs::own("tocsin-testbed").unwrap();
        let mut command = if self.as_nobody {
            let mut command = Command::new(programs::system("setpriv", "util-linux").unwrap());
            let nobody = NOBODY.to_string();
            command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"]);
            // The checkout may be in root's home. Files are all that this opens.
            command.args(["--inh-caps", "-all,+dac_override", "--ambient-caps", "-all,+dac_override", "--"]);
            command.arg(testbed).env("HOME", self.state.path());
            command
        } else {
            Command::new(testbed)
        };
        command
            .args(args)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
            .env("TOCSIN_STATE_DIR", self.state.path())
            .env_remove("TOCSIN_SLACK_WEBHOOK_URL")
            .output()
            .unwrap()
    }

    /// Runs a command that must succeed.
    fn must(&self, args: &[&str]) {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
    }

    /// Runs a command that must be refused, and returns why it was.
    fn must_not(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(!output.status.success(), "{args:?}: {}", said(&output));
        said(&output)
    }

    fn processes(&self) -> Vec<Value> {
        let output = self.run(&["status", "--json"]);
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        status["services"].as_array().unwrap().clone()
    }

    fn note(&self, name: &str) -> String {
        let processes = self.processes();
        let process = processes.iter().find(|process| process["name"] == name).unwrap();
        process["note"].as_str().unwrap_or_default().to_owned()
    }

    /// The store of this kind that leads. One that is cut off says so, too.
    fn primary(&self, kind: &str) -> Result<String, String> {
        let processes = self.processes();
        let leads = |process: &&Value| {
            process["name"].as_str().is_some_and(|name| name.starts_with(kind)) && process["note"] == "primary"
        };
        let found = processes.iter().find(leads).and_then(|process| process["name"].as_str());
        found.map(str::to_owned).ok_or_else(|| json!(processes).to_string())
    }

    async fn wait_until_all_ready(&self) {
        poll::until("everything to be ready", DEADLINE, async || {
            let unready = |process: &Value| process["ready"] != true;
            let processes = self.processes();
            if processes.iter().any(unready) { Err(json!(processes).to_string()) } else { Ok(()) }
        })
        .await
        .unwrap();
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "a failing test shows how it was; it goes away")]
            for process in self.processes() {
                eprintln!("{process}");
            }
        }
        self.run(&["down"]);
    }
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

async fn send(client: &reqwest::Client, port: u16, number: usize) -> Result<(), String> {
    let labels = json!({"number": number.to_string()});
    let alert = json!({"title": "disk", "severity": "critical", "status": "firing", "labels": labels});
    let url = format!("http://127.0.0.1:{port}/api/v1/webhooks/generic");
    let response = client.post(url).json(&alert).send().await.map_err(|error| error.to_string())?;
    let status = response.status();
    if status.is_success() { Ok(()) } else { Err(status.to_string()) }
}

#[tokio::test]
async fn an_ordinary_user_cuts_off_any_process_and_heals_it() {
    let _turn = Turn::alone().await;
    let desk = Desk::new();
    let port = Port::free().unwrap().number();
    desk.must(&["up", "--ha", "--detach", "--port", &port.to_string()]);

    for kind in ["redis", "postgres"] {
        let old = poll::until("a primary", DEADLINE, async || desk.primary(kind)).await.unwrap();
        desk.must(&["cut-off", &old]);
        assert!(desk.note(&old).contains("cut off"), "{}", desk.note(&old));
        let another = poll::until("another to lead", DEADLINE, async || {
            poll::expect(desk.primary(kind)?, |primary| *primary != old)
        });
        another.await.unwrap();
        desk.must(&["heal", &old]);
        let follows = poll::until("the old one to follow", DEADLINE, async || {
            poll::expect(desk.note(&old), |note| ["replica", "sync standby"].contains(&note.as_str()))
        });
        follows.await.unwrap();
        desk.wait_until_all_ready().await;
    }

    desk.must(&["cut-off", "ingest-1"]);
    let client = http::client().unwrap();
    for number in 0..ALERTS {
        // As senders do: again, until it is accepted.
        poll::until("an alert to be accepted", DEADLINE, async || send(&client, port, number).await).await.unwrap();
    }
    assert_eq!(desk.note("ingest-1"), "cut off");
    desk.must(&["heal", "ingest-1"]);
    desk.wait_until_all_ready().await;

    let why = desk.must_not(&["cut-off", "slack-inbox"]);
    assert!(why.contains("slack-inbox can't be cut off"), "{why}");
    let why = desk.must_not(&["cut-off", "ingest-9"]);
    assert!(why.contains("there is no process `ingest-9`; there are: etcd-1"), "{why}");
}
