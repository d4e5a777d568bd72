//! Supervised children.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tocsin_testbed::process::{Spec, ended_by};
use tocsin_testbed::{Process, TestbedError, poll, programs};

const DEADLINE: Duration = Duration::from_secs(10);

/// A process that runs this shell script.
fn shell(folder: &TempDir, script: &str) -> Process {
    let shell = programs::system("sh", "dash").unwrap();
    Process::new(Spec::new("script", shell, folder.path()).args(["-c", script]))
}

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

async fn wait_for_log(process: &Process, text: &str) {
    poll::until(text, DEADLINE, async || poll::expect(process.log_tail(10), |log| log.contains(text))).await.unwrap();
}

#[tokio::test]
async fn a_process_that_obeys_is_stopped_without_force() {
    let folder = TempDir::new().unwrap();
    let process = shell(&folder, "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done");
    process.start().await.unwrap();
    wait_for_log(&process, "ready").await;
    assert!(process.stop().await.unwrap().is_clean());
    assert!(!process.is_running());
}

#[tokio::test]
async fn a_process_that_does_not_obey_is_killed_and_that_is_told() {
    let folder = TempDir::new().unwrap();
    let process = shell(&folder, "trap '' TERM; echo ready; while :; do sleep 0.05; done");
    process.start().await.unwrap();
    wait_for_log(&process, "ready").await;
    let stopped = process.stop_within(Duration::from_millis(200)).await.unwrap();
    assert!(stopped.killed && ended_by(stopped.status, Signal::SIGKILL), "{stopped}");
}

#[tokio::test]
async fn a_paused_process_can_be_stopped() {
    let folder = TempDir::new().unwrap();
    let process = shell(&folder, "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done");
    process.start().await.unwrap();
    wait_for_log(&process, "ready").await;
    let pid = process.pid().unwrap();
    process.pause().await.unwrap();
    poll::until("it to be stopped", DEADLINE, async || poll::expect(state(pid), |state| *state == Some('T')))
        .await
        .unwrap();
    assert!(process.stop().await.unwrap().is_clean());
}

#[tokio::test]
async fn a_kill_takes_the_descendants_along() {
    let folder = TempDir::new().unwrap();
    // The child is in a session of its own, like a backend of Postgres.
    let process = shell(&folder, "setsid sh -c 'echo child $$; sleep 600' & wait");
    process.start().await.unwrap();
    wait_for_log(&process, "child").await;
    let child: u32 = process.log_tail(1).trim_start_matches("child ").parse().unwrap();
    let status = process.kill().await.unwrap();
    assert!(ended_by(status, Signal::SIGKILL));
    poll::until("the child to be gone", DEADLINE, async || !is_alive(child)).await.unwrap();
}

#[tokio::test]
async fn a_process_that_ends_while_it_is_awaited_is_reported_with_its_last_words() {
    let folder = TempDir::new().unwrap();
    let process = shell(&folder, "echo the disk is on fire; exit 3");
    process.start().await.unwrap();
    let begun = Instant::now();
    let error = process.await_ready(DEADLINE, "an answer", async || Err("none".to_owned())).await.unwrap_err();
    assert!(matches!(error, TestbedError::EndedEarly { .. }), "{error}");
    assert!(error.to_string().contains("the disk is on fire"), "{error}");
    assert!(begun.elapsed() < DEADLINE);
}

#[tokio::test]
async fn a_death_that_nobody_asked_for_is_noticed_and_others_are_not() {
    let folder = TempDir::new().unwrap();
    let process = shell(&folder, "sleep 600");
    process.start().await.unwrap();
    process.kill().await.unwrap();
    process.start().await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(100), process.died()).await.is_err());
    let pid = process.pid().unwrap().cast_signed();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    let status = tokio::time::timeout(DEADLINE, process.died()).await.unwrap();
    assert!(ended_by(status, Signal::SIGKILL));
}

#[tokio::test]
async fn a_dropped_process_is_gone() {
    let folder = TempDir::new().unwrap();
    let process = shell(&folder, "sleep 600");
    process.start().await.unwrap();
    let pid = process.pid().unwrap();
    drop(process);
    poll::until("it to be gone", DEADLINE, async || !is_alive(pid)).await.unwrap();
}

#[test]
fn the_end_of_a_runtime_ends_its_processes() {
    let folder = TempDir::new().unwrap();
    let process = shell(&folder, "sleep 600");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(process.start()).unwrap();
    let pid = process.pid().unwrap();
    drop(runtime);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(poll::until("it to be gone", DEADLINE, async || !is_alive(pid))).unwrap();
    assert!(!process.is_running());
}
