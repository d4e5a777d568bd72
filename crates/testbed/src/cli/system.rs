//! What is asked of and done to what `up` has started.

use futures_util::future::join_all;
use tocsin_testbed::ha::NodeState;
use tocsin_testbed::process::Process;
use tocsin_testbed::topology::Member;
use tocsin_testbed::{Ha, System, TestbedError};

use super::control::{Action, ProcessStatus};

/// How each process is, with a probe of each.
pub(crate) async fn status(system: &System) -> Vec<ProcessStatus> {
    match system {
        System::Single(topology) => join_all(topology.members().into_iter().map(member_status)).await,
        System::Ha(ha) => ha.state().await.into_iter().map(node_status).collect(),
    }
}

/// Does something with one process of a system, and says what came of it.
pub(crate) async fn act_in(system: &System, action: Action, name: &str) -> Result<String, TestbedError> {
    match system {
        System::Single(topology) => {
            let done = act(action, topology.process(name)?).await?;
            if matches!(action, Action::Start | Action::Restart) {
                topology.wait_ready(name).await?;
            }
            Ok(done)
        }
        System::Ha(ha) => act_on_node(ha, action, name).await,
    }
}

/// Does something with a process that is one by itself.
pub(crate) async fn act(action: Action, process: &Process) -> Result<String, TestbedError> {
    let name = process.name();
    Ok(match action {
        Action::Stop => format!("{name} stopped: {}", process.stop().await?),
        Action::Kill => format!("{name} killed: {}", process.kill().await?),
        Action::Pause => process.pause().await.map(|()| format!("{name} paused"))?,
        Action::Resume => process.resume().await.map(|()| format!("{name} resumed"))?,
        Action::Start => process.start().await.map(|()| format!("{name} started"))?,
        Action::Restart => process.restart().await.map(|()| format!("{name} restarted"))?,
        Action::CutOff | Action::Heal => {
            let why = "only what Tocsin itself is made of can, and only in `up --ha`";
            return Err(TestbedError::NoNetwork { name: name.to_owned(), why });
        }
    })
}

async fn act_on_node(ha: &Ha, action: Action, name: &str) -> Result<String, TestbedError> {
    let done = match action {
        Action::Stop => ha.stop_node(name).await.map(|()| "stopped"),
        Action::Kill => ha.kill(name).await.map(|()| "killed"),
        Action::Pause => ha.pause(name).await.map(|()| "paused"),
        Action::Resume => ha.resume(name).await.map(|()| "resumed"),
        Action::Start => ha.start_node(name).await.map(|()| "started"),
        Action::Restart => ha.restart(name).await.map(|()| "restarted"),
        Action::CutOff => ha.cut_off(name).await.map(|()| "cut off"),
        Action::Heal => ha.heal(name).await.map(|()| "on the network again"),
    };
    Ok(format!("{name} {}", done?))
}

async fn member_status(member: Member<'_>) -> ProcessStatus {
    let process = member.process();
    let pid = process.pid();
    let ready = pid.is_some() && member.probe().await.is_ok();
    ProcessStatus { name: process.name().to_owned(), pid, ready, note: None }
}

fn node_status(state: NodeState) -> ProcessStatus {
    let notes = [state.role, state.is_paused.then_some("paused"), state.is_cut_off.then_some("cut off")];
    let notes: Vec<&str> = notes.into_iter().flatten().collect();
    let note = (!notes.is_empty()).then(|| notes.join(", "));
    ProcessStatus { name: state.name, pid: state.pid, ready: state.is_ready, note }
}
