//! One supervised child process.
//!
//! # Who ends a child
//!
//! * [`Process::stop`] and its siblings, when asked to.
//! * Dropping the [`Process`], or ending the tokio runtime that started it: the child and its descendants get `SIGKILL`.
//! * The kernel, when this program dies without a word (`kill -9`): each child is started through `setpriv --pdeathsig`,
//!   so it gets `SIGKILL` when its parent ends. To the kernel the parent is the *thread* that forked, not the program. A
//!   test's runtime ends its threads with the test, and a blocking tokio thread ends when idle; so all children are
//!   forked by one thread that lives as long as the program does (the module `spawn`).
//!
//! Two limits: a child whose parent dies in the millisecond before `setpriv` has made its request stays; and the signal
//! reaches the child, not *its* children. Of our servers only Postgres has children, and those end themselves when they
//! find their postmaster gone, unless they were paused when everybody was killed.
//!
//! Each child has a process group of its own, so that Ctrl-C in a terminal reaches the test bed alone, which then stops
//! its children in order.

mod log;
mod memory;
mod sockets;
mod spawn;
mod spec;
mod tree;
mod watch;

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::sync::{mpsc, oneshot, watch as life_channel};
use tokio::time::timeout;

pub use self::memory::Memory;
pub(crate) use self::sockets::{Connection, connections_of, owners};
pub use self::spawn::fork;
pub(crate) use self::spec::group_args;
pub use self::spec::{Account, Spec};
pub use self::tree::kill_descendants;
pub(crate) use self::tree::processes_in;
pub(crate) use self::watch::Life;
use self::watch::{Order, Reach};
use crate::{Result, TestbedError, poll};

/// How long a process may take to be gone after `SIGKILL`; only an uninterruptible disk wait takes that long.
const KILL_DEADLINE: Duration = Duration::from_secs(10);

/// How many lines of a log an error shows.
const TAIL_IN_ERRORS: usize = 20;

/// One child: how to start it, and the run that is going on, if any. All methods take `&self`, so that a test can stop one
/// process while another task watches it.
pub struct Process {
    spec: Spec,
    /// Published by the task that owns the current run.
    life: life_channel::Sender<Life>,
    /// The way to the task that owns the current run. Dropping it ends the run.
    orders: Mutex<Option<mpsc::Sender<Order>>>,
    /// Held while a run begins, so that two callers can't begin two.
    starting: tokio::sync::Mutex<()>,
}

/// How [`Process::stop`] ended a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// The exit status.
    pub status: ExitStatus,
    /// Whether it had to be killed because it did not end within its deadline.
    pub killed: bool,
}

impl Stopped {
    /// Whether it ended by itself, in time, with exit code 0.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        !self.killed && self.status.success()
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.killed { write!(f, "did not stop in time and was killed") } else { write!(f, "{}", self.status) }
    }
}

impl Process {
    /// A process that has not been started yet.
    #[must_use]
    pub fn new(spec: Spec) -> Self {
        Self {
            spec,
            life: life_channel::Sender::new(Life::Idle),
            orders: Mutex::new(None),
            starting: tokio::sync::Mutex::new(()),
        }
    }

    /// Its unique name, such as `worker-1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The file that takes its standard output and standard error.
    #[must_use]
    pub fn log_file(&self) -> &Path {
        &self.spec.log
    }

    /// The group that it runs as, when that is one of its own.
    pub(crate) fn group(&self) -> Option<u32> {
        self.spec.group
    }

    /// Its process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        match &*self.life.borrow() {
            Life::Running { pid } => Some(*pid),
            Life::Idle | Life::Ended { .. } => None,
        }
    }

    /// Where it is in its life, as it goes on.
    pub(crate) fn life(&self) -> life_channel::Receiver<Life> {
        self.life.subscribe()
    }

    /// Whether it runs. A paused process runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.pid().is_some()
    }

    /// Starts it. Returns once the child exists; whether it is *ready* is for the caller to find out.
    ///
    /// # Errors
    /// [`TestbedError::AlreadyRunning`], [`TestbedError::Spawn`], or when the log can't be opened.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn start(&self) -> Result<()> {
        self.start_with([]).await
    }

    /// Starts it with more variables, for this one run.
    ///
    /// # Errors
    /// As [`Process::start`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn start_with(&self, env: impl IntoIterator<Item = (&str, &str)>) -> Result<()> {
        let _starting = self.starting.lock().await;
        if self.is_running() {
            return Err(TestbedError::AlreadyRunning { name: self.spec.name.clone() });
        }
        let env = env.into_iter();
        let spec = env.fold(self.spec.clone(), |spec, (name, value)| spec.env(name, value));
        let child = spawn::spawn(&spec).await?;
        let (orders, inbox) = mpsc::channel(8);
        watch::watch(child, inbox, self.life.clone());
        *self.orders() = Some(orders);
        Ok(())
    }

    /// Stops it: the polite signal, then `SIGKILL` when the deadline of its [`Spec`] has passed. A paused process is
    /// resumed first, or it could not react.
    ///
    /// # Errors
    /// [`TestbedError::NotRunning`], or the signal can't be sent.
    pub async fn stop(&self) -> Result<Stopped> {
        self.stop_within(self.spec.stop_deadline).await
    }

    /// Like [`Process::stop`], with another deadline.
    ///
    /// # Errors
    /// As [`Process::stop`].
    pub async fn stop_within(&self, deadline: Duration) -> Result<Stopped> {
        self.terminate().await?;
        match self.wait_exit(deadline).await {
            Ok(status) => Ok(Stopped { status, killed: false }),
            Err(TestbedError::StillRunning { .. }) => {
                tracing::warn!("{} did not stop within {deadline:?}: killing it", self.spec.name);
                let status = self.kill().await?;
                Ok(Stopped { status, killed: true })
            }
            Err(error) => Err(error),
        }
    }

    /// Sends the polite signal and does not wait. A paused process is resumed.
    ///
    /// # Errors
    /// [`TestbedError::NotRunning`], or the signal can't be sent.
    pub async fn terminate(&self) -> Result<()> {
        self.send(self.spec.stop_signal, Reach::Root).await?;
        self.resume().await.or_else(ignore_not_running)
    }

    /// `kill -9` for it and its descendants, and waits until all are gone: a Postgres does not start while a backend of the
    /// one before is dying.
    ///
    /// # Errors
    /// [`TestbedError::NotRunning`], or the signal can't be sent.
    pub async fn kill(&self) -> Result<ExitStatus> {
        let descendants = self.send(Signal::SIGKILL, Reach::Tree).await?;
        let status = self.wait_exit(KILL_DEADLINE).await?;
        let what = format!("the descendants of {} to end", self.spec.name);
        poll::until(what, KILL_DEADLINE, async || !descendants.iter().any(|pid| tree::is_alive(*pid))).await?;
        Ok(status)
    }

    /// Stops it and its descendants in their tracks (`SIGSTOP`): it keeps its connections and answers none of them.
    ///
    /// # Errors
    /// [`TestbedError::NotRunning`], or the signal can't be sent.
    pub async fn pause(&self) -> Result<()> {
        self.send(Signal::SIGSTOP, Reach::Tree).await.map(drop)
    }

    /// Lets it and its descendants go on after [`Process::pause`].
    ///
    /// # Errors
    /// [`TestbedError::NotRunning`], or the signal can't be sent.
    pub async fn resume(&self) -> Result<()> {
        self.send(Signal::SIGCONT, Reach::Tree).await.map(drop)
    }

    /// Sends any signal to the process itself, such as `SIGHUP`.
    ///
    /// # Errors
    /// [`TestbedError::NotRunning`], or the signal can't be sent.
    pub async fn signal(&self, signal: Signal) -> Result<()> {
        self.send(signal, Reach::Root).await.map(drop)
    }

    /// Stops it if it runs, and starts it again with the same command, port and data.
    ///
    /// # Errors
    /// As [`Process::stop`] and [`Process::start`].
    pub async fn restart(&self) -> Result<()> {
        self.stop_if_running().await?;
        self.start().await
    }

    /// Waits until it has ended; at once when it has ended before.
    ///
    /// # Errors
    /// [`TestbedError::StillRunning`] after the deadline; [`TestbedError::NotRunning`] when it was never started.
    pub async fn wait_exit(&self, deadline: Duration) -> Result<ExitStatus> {
        if *self.life.borrow() == Life::Idle {
            return Err(self.not_running());
        }
        let ended = timeout(deadline, self.ended()).await;
        let still_running = |_elapsed| TestbedError::StillRunning { name: self.spec.name.clone(), waited: deadline };
        ended.map(|(status, _asked)| status).map_err(still_running)
    }

    /// Waits, for ever if need be, until it ends without having been asked to; at once when that is how it has ended.
    pub async fn died(&self) -> ExitStatus {
        loop {
            if let (status, false) = self.ended().await {
                return status;
            }
            self.started().await;
        }
    }

    /// Waits, for ever if need be, until it has ended, and tells whether it was asked to.
    async fn ended(&self) -> (ExitStatus, bool) {
        let mut life = self.life.subscribe();
        loop {
            // A copy: the guard of a borrow must not live across an await.
            let now = *life.borrow_and_update();
            if let Life::Ended { status, asked } = now {
                return (status, asked);
            }
            if life.changed().await.is_err() {
                // Not while we hold the sender.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits, for ever if need be, until it runs.
    pub async fn started(&self) {
        let _ = self.life.subscribe().wait_for(|life| matches!(life, Life::Running { .. })).await;
    }

    /// The last `lines` lines of its log; empty when there is none.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        log::tail(&self.spec.log, lines).unwrap_or_default()
    }

    /// Like [`Process::stop`], where it is fine that it does not run.
    ///
    /// # Errors
    /// When the signal can't be sent.
    pub async fn stop_if_running(&self) -> Result<Option<Stopped>> {
        match self.stop().await {
            Ok(stopped) => Ok(Some(stopped)),
            Err(TestbedError::NotRunning { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits until `probe` succeeds, and gives up at once when the process ends. `what` completes "waited 5s for …".
    ///
    /// # Errors
    /// [`TestbedError::EndedEarly`] or [`TestbedError::NotReady`], both with the end of the log.
    pub async fn await_ready<F: Future<Output = Result<(), String>>>(
        &self,
        deadline: Duration,
        what: &str,
        probe: impl FnMut() -> F,
    ) -> Result<()> {
        let name = || self.spec.name.clone();
        tokio::select! {
            outcome = poll::until(what, deadline, probe) => outcome.map_err(|source| {
                TestbedError::NotReady { name: name(), source, log_tail: self.log_tail(TAIL_IN_ERRORS) }
            }),
            (status, _asked) = self.ended() => {
                Err(TestbedError::EndedEarly { name: name(), status, log_tail: self.log_tail(TAIL_IN_ERRORS) })
            }
        }
    }

    /// Returns the descendants that were signalled, too.
    async fn send(&self, signal: Signal, reach: Reach) -> Result<Vec<Pid>> {
        let orders = self.orders().clone().ok_or_else(|| self.not_running())?;
        let (reply, answer) = oneshot::channel();
        let order = Order { signal, reach, reply };
        orders.send(order).await.map_err(|_| self.not_running())?;
        // No answer: the process ended before the order came up.
        answer
            .await
            .map_err(|_| self.not_running())?
            .map_err(|source| TestbedError::Signal { name: self.spec.name.clone(), source })
    }

    fn not_running(&self) -> TestbedError {
        TestbedError::NotRunning { name: self.spec.name.clone() }
    }

    fn orders(&self) -> MutexGuard<'_, Option<mpsc::Sender<Order>>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("name", &self.spec.name)
            .field("life", &*self.life.borrow())
            .finish_non_exhaustive()
    }
}

/// Whether the process was ended by this signal.
#[must_use]
pub fn ended_by(status: ExitStatus, signal: Signal) -> bool {
    status.signal() == Some(signal as i32)
}

fn ignore_not_running(error: TestbedError) -> Result<()> {
    match error {
        TestbedError::NotRunning { .. } => Ok(()),
        other => Err(other),
    }
}
