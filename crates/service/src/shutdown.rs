//! The end of a service: SIGTERM → not ready → (drain delay) → no longer accepting → in-flight work finishes → exit.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code after a second signal: 128 + SIGTERM, as a shell would report it.
const EXIT_TERMINATED: i32 = 143;

/// Tells every part of a service how far its end has come. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    draining: CancellationToken,
    stopping: CancellationToken,
}

impl Shutdown {
    /// A shutdown that begins with the first SIGTERM or SIGINT. A second one ends the process at once; so does
    /// `timeout` after accepting has stopped, with exit code 1. Must be called on a tokio runtime.
    pub fn on_signals(drain_delay: Duration, timeout: Duration) -> std::io::Result<Self> {
        let shutdown = Self::default();
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let this = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            tracing::info!(?drain_delay, "told to stop; not ready any more, still accepting");
            this.draining.cancel();
            let orderly = async {
                tokio::time::sleep(drain_delay).await;
                tracing::info!("no longer accepting; finishing what is in flight");
                this.stopping.cancel();
                tokio::time::sleep(timeout).await;
            };
            tokio::select! {
                _ = term.recv() => std::process::exit(EXIT_TERMINATED),
                _ = int.recv() => std::process::exit(EXIT_TERMINATED),
                () = orderly => {}
            }
            tracing::error!(?timeout, "work in flight did not finish in time; ending anyway");
            std::process::exit(1);
        });
        Ok(shutdown)
    }

    /// Begins the shutdown from inside, without a drain delay.
    pub fn begin(&self) {
        self.draining.cancel();
        self.stopping.cancel();
    }

    /// Whether the service should no longer be sent anything.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Ends when the service should no longer be sent anything. Background work stops taking on more here.
    pub async fn draining(&self) {
        self.draining.cancelled().await;
    }

    /// Ends when the service should no longer accept anything.
    pub async fn stopping(&self) {
        self.stopping.cancelled().await;
    }

    /// The same, for a task that outlives its caller.
    pub fn into_stopping(self) -> impl Future<Output = ()> + Send + 'static {
        self.stopping.cancelled_owned()
    }
}
