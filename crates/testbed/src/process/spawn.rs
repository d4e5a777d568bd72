//! The one thread that forks.
//!
//! `PR_SET_PDEATHSIG` fires when the thread that forked the child ends. Threads of a tokio runtime come and go, so children
//! are forked by a thread of our own, which waits for work until the program ends. The child is registered with the
//! runtime of the caller all the same: forking happens inside that runtime's context.

use std::process::Stdio;
use std::sync::{LazyLock, mpsc};
use std::{io, thread};

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::{Spec, log};
use crate::{Result, TestbedError, programs};

type Job = Box<dyn FnOnce() + Send>;

/// `None` when the operating system gave us no thread; each spawn then reports it.
static SPAWNER: LazyLock<Option<mpsc::Sender<Job>>> = LazyLock::new(|| {
    let (jobs, inbox) = mpsc::channel::<Job>();
    let work = move || inbox.into_iter().for_each(|job| job());
    thread::Builder::new().name("testbed-spawner".to_owned()).spawn(work).ok()?;
    Some(jobs)
});

/// Spawns a command on the thread that outlives every runtime, so that a parent-death signal means the death of this
/// program. The child is killed when it is dropped.
///
/// # Errors
/// When the operating system can't start it.
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn fork(mut command: Command) -> io::Result<Child> {
    let runtime = Handle::current();
    let (reply, answer) = oneshot::channel();
    let job: Job = Box::new(move || {
        let _context = runtime.enter();
        // When the caller has gone away, the child is dropped here, which kills it.
        let _ = reply.send(command.kill_on_drop(true).spawn());
    });
    let gone = || io::Error::other("the thread that starts processes is gone");
    SPAWNER.as_ref().ok_or_else(gone)?.send(job).map_err(|_| gone())?;
    answer.await.map_err(|_| gone())?
}

/// Starts the process that the spec describes.
pub(super) async fn spawn(spec: &Spec) -> Result<Child> {
    let setpriv = programs::system("setpriv", "util-linux")?;
    let log = log::open(&spec.log)?;
    let errors = log.try_clone().map_err(TestbedError::file("open", &spec.log))?;
    let mut command = spec.command(&setpriv);
    command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
    fork(command).await.map_err(|source| TestbedError::Spawn { name: spec.name.clone(), source })
}
