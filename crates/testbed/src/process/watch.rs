//! The task that owns a running child.
//!
//! Signals are sent by the task that also reaps the child, and only while it has not been reaped: until then the kernel
//! keeps the process id, so that a signal can't hit a stranger who got the id after our child.

use std::process::ExitStatus;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot, watch as life_channel};

use super::tree;

/// Where a process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Not started yet.
    Idle,
    /// Running, perhaps paused.
    Running { pid: u32 },
    /// Ended; `asked` when one of our signals made it so.
    Ended { status: ExitStatus, asked: bool },
}

/// Whom a signal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The process that we started.
    Root,
    /// That and all its descendants.
    Tree,
}

/// A signal to send.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) signal: Signal,
    pub(super) reach: Reach,
    /// Takes the descendants that the signal was sent to, too.
    pub(super) reply: oneshot::Sender<Result<Vec<Pid>, Errno>>,
}

/// Takes over a child: publishes its life and sends it signals, until it ends or nobody is left to give orders.
pub(super) fn watch(child: Child, orders: mpsc::Receiver<Order>, life: life_channel::Sender<Life>) {
    let pid = child.id().unwrap_or_default();
    // Published before the caller goes on, so that it finds its process running.
    life.send_replace(Life::Running { pid });
    let leash = Leash { pid: Pid::from_raw(pid.cast_signed()), child, life, asked: false, ended: false };
    tokio::spawn(leash.hold(orders));
}

/// Owns the child. Dropping it, as the end of a runtime does with its tasks, kills what runs.
struct Leash {
    child: Child,
    pid: Pid,
    life: life_channel::Sender<Life>,
    asked: bool,
    ended: bool,
}

impl Leash {
    async fn hold(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            tokio::select! {
                status = self.child.wait() => return self.publish_end(status),
                order = orders.recv() => {
                    let Some(order) = order else { break };
                    let sent = self.send(order.signal, order.reach);
                    let _ = order.reply.send(sent);
                }
            }
        }
        // The `Process` was dropped.
        let _ = self.send(Signal::SIGKILL, Reach::Tree);
        let status = self.child.wait().await;
        self.publish_end(status);
    }

    fn send(&mut self, signal: Signal, reach: Reach) -> Result<Vec<Pid>, Errno> {
        self.asked |= matches!(signal, Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT | Signal::SIGKILL);
        match reach {
            Reach::Root => kill(self.pid, signal).map(|()| Vec::new()),
            Reach::Tree => tree::signal(self.pid, signal),
        }
    }

    fn publish_end(&mut self, status: std::io::Result<ExitStatus>) {
        self.ended = true;
        // Waiting for one's own child fails only when somebody else has reaped it.
        let status = status.unwrap_or_default();
        self.life.send_replace(Life::Ended { status, asked: self.asked });
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if !self.ended {
            let _ = tree::signal(self.pid, Signal::SIGKILL);
            let status = ExitStatus::default();
            self.life.send_replace(Life::Ended { status, asked: true });
        }
    }
}
