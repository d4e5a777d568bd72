//! The part of the configuration that changes while a service runs: re-read on SIGHUP.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::{ConfigError, Document, Environment};

/// What a service has built from `tocsin.yaml`, always the newest valid one.
///
/// On SIGHUP the file is read, checked and built anew; if anything is wrong the fault is logged and the service goes on
/// with what it had. A request that has begun keeps the value with which it began.
#[derive(Debug)]
pub struct Reloading<T> {
    current: watch::Receiver<Arc<T>>,
}

impl<T> Clone for Reloading<T> {
    fn clone(&self) -> Self {
        Self { current: self.current.clone() }
    }
}

impl<T: Send + Sync + 'static> Reloading<T> {
    /// Follows the file at `path`, of which `initial` was built by `build`. Must be called on a tokio runtime.
    pub fn follow(
        path: Option<PathBuf>,
        initial: T,
        build: impl Fn(&Document, &Environment) -> Result<T, ConfigError> + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, current) = watch::channel(Arc::new(initial));
        let mut hangups = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            while hangups.recv().await.is_some() {
                let reloaded =
                    Document::load(path.as_deref()).and_then(|document| build(&document, &Environment::of_process()));
                match reloaded {
                    Ok(value) => {
                        tracing::info!("configuration reloaded");
                        if sender.send(Arc::new(value)).is_err() {
                            return;
                        }
                    }
                    Err(error) => tracing::error!(%error, "configuration not reloaded; the old one stays in force"),
                }
            }
        });
        Ok(Self { current })
    }

    /// The newest.
    #[must_use]
    pub fn current(&self) -> Arc<T> {
        Arc::clone(&self.current.borrow())
    }
}
