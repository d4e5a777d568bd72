//! `up`, `status`, `down` and the commands on one process, as a developer types them.
//!
//! The binary under test is the one that stands beside the services.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tocsin_testbed::{Port, Stores, poll, programs};

use crate::turn::Turn;

const DEADLINE: Duration = Duration::from_secs(20);

/// A state folder whose Tocsin is stopped when the test ends, however it ends.
struct Checkout {
    state: TempDir,
    _turn: Turn,
}

impl Checkout {
    async fn new() -> Self {
        let turn = Turn::shared().await;
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        let parent = Stores::shared().unwrap().folder().to_owned();
        // Longer than the address of a unix socket may be.
        let name = format!("a-deep-folder-{}-", "x".repeat(100));
        let state = tempfile::Builder::new().prefix(&name).permissions(permissions).tempdir_in(parent).unwrap();
        Self { state, _turn: turn }
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(programs::own("tocsin-testbed").unwrap())
            .args(args)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
            .env("TOCSIN_STATE_DIR", self.state.path())
            .env_remove("TOCSIN_SLACK_WEBHOOK_URL")
            .output()
            .unwrap()
    }

    /// Runs a command that must succeed and returns its standard output.
    fn must(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{args:?}: {}{}", show(&output.stdout), show(&output.stderr));
        show(&output.stdout)
    }

    fn status(&self) -> (Value, bool) {
        let output = self.run(&["status", "--json"]);
        (serde_json::from_slice(&output.stdout).unwrap(), output.status.success())
    }

    fn pid(&self, name: &str) -> Option<u64> {
        let (status, _) = self.status();
        let services = status["services"].as_array().unwrap();
        services.iter().find(|service| service["name"] == name).unwrap()["pid"].as_u64()
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        self.run(&["down"]);
    }
}

/// A port that `up` may reserve: our own reservation ends here.
fn free_port() -> String {
    Port::free().unwrap().number().to_string()
}

fn nothing_runs() -> Value {
    serde_json::json!({"url": null, "token": null, "services": []})
}

/// The `curl` lines among those that `up` ends with.
fn curl_lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| line.starts_with("curl ")).collect()
}

fn shell(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn the_lines_that_up_ends_with_make_an_incident_and_a_message() {
    let checkout = Checkout::new().await;
    let port = free_port();
    let text = checkout.must(&["up", "--detach", "--port", &port]);
    assert_eq!(checkout.must(&["up", "--detach", "--port", &port]), text, "up twice says the same");
    let (status, all_ready) = checkout.status();
    assert!(all_ready, "{status}");
    assert_eq!(status["url"], format!("http://127.0.0.1:{port}"));

    let [send, see] = curl_lines(&text)[..] else { panic!("two curl lines in {text}") };
    let accepted: Value = serde_json::from_str(&shell(send)).unwrap();
    assert_eq!(accepted["received"], 1, "{accepted}");
    poll::until("the incident", DEADLINE, async || {
        let incidents: Value = serde_json::from_str(&shell(see)).unwrap();
        poll::expect(incidents, |incidents| incidents["total"] == 1)
    })
    .await
    .unwrap();
    let inbox = text.lines().find_map(|line| line.trim().strip_prefix("Slack inbox  ")).unwrap();
    poll::until("the message", DEADLINE, async || {
        let messages: Value = serde_json::from_str(&shell(&format!("curl -sS {inbox}messages"))).unwrap();
        poll::expect(messages, |messages| messages.as_array().is_some_and(|all| !all.is_empty()))
    })
    .await
    .unwrap();

    let pids: Vec<_> = status["services"].as_array().unwrap().iter().filter_map(|it| it["pid"].as_u64()).collect();
    assert_eq!(pids.len(), 8, "{status}");
    checkout.must(&["down"]);
    assert_eq!(checkout.status(), (nothing_runs(), false));
    assert!(pids.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()), "something is left of {status}");

    checkout.must(&["up", "--detach", "--port", &port]);
    let incidents: Value = serde_json::from_str(&shell(see)).unwrap();
    assert_eq!(incidents["total"], 1, "data and token survive down and up");
    checkout.must(&["down", "--wipe"]);
    assert!(!checkout.state.path().exists());
}

#[tokio::test]
async fn one_process_can_be_stopped_killed_paused_and_restarted() {
    let checkout = Checkout::new().await;
    checkout.must(&["up", "--detach", "--port", &free_port()]);
    let before = checkout.pid("worker-1");
    checkout.must(&["kill", "worker-1"]);
    assert_eq!((checkout.pid("worker-1"), checkout.status().1), (None, false));
    checkout.must(&["start", "worker-1"]);
    let after = checkout.pid("worker-1");
    assert!(after.is_some() && after != before && checkout.status().1);
    checkout.must(&["pause", "redis"]);
    assert!(!checkout.status().1);
    checkout.must(&["resume", "redis"]);
    checkout.must(&["restart", "api-1"]);
    poll::until("everything to be ready", DEADLINE, async || checkout.status().1).await.unwrap();
    checkout.must(&["stop", "notifier-1"]);
    assert_eq!(checkout.pid("notifier-1"), None);
    let refusal = checkout.run(&["stop", "nobody"]);
    assert!(!refusal.status.success());
    assert!(String::from_utf8_lossy(&refusal.stderr).contains("worker-1"), "the names that exist are told");
    assert!(!checkout.must(&["logs", "worker-1"]).is_empty());
}

#[tokio::test]
async fn a_taken_port_is_named_and_nothing_is_left_running() {
    let checkout = Checkout::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    for detach in [&["--detach"][..], &[]] {
        let output = checkout.run(&[&["up", "--port", &port], detach].concat());
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1));
        assert!(errors.contains(&port) && errors.contains("--port"), "{errors}");
        assert_eq!(checkout.status(), (nothing_runs(), false));
    }
}

#[tokio::test]
async fn a_supervisor_that_is_killed_takes_everything_with_it_and_up_works_again() {
    let checkout = Checkout::new().await;
    let port = free_port();
    checkout.must(&["up", "--detach", "--port", &port]);
    let (status, _) = checkout.status();
    let pids: Vec<_> = status["services"].as_array().unwrap().iter().filter_map(|it| it["pid"].as_u64()).collect();
    let supervisor = std::fs::read_to_string(checkout.state.path().join("supervisor.lock")).unwrap();
    let supervisor = nix::unistd::Pid::from_raw(supervisor.parse().unwrap());
    nix::sys::signal::kill(supervisor, nix::sys::signal::Signal::SIGKILL).unwrap();
    poll::until("everything to be gone", DEADLINE, async || !pids.iter().any(|pid| is_alive(*pid))).await.unwrap();
    assert_eq!(checkout.status(), (nothing_runs(), false));
    checkout.must(&["up", "--detach", "--port", &port]);
    assert!(checkout.status().1);
}

/// A zombie has ended; whoever adopted it has not looked yet.
fn is_alive(pid: u64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}
