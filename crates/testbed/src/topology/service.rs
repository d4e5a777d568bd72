//! The four services.

use std::fmt;
use std::time::Duration;

use crate::{Port, Process, Result, http};

/// How long a service may take until it is ready.
const READY_DEADLINE: Duration = Duration::from_secs(20);

/// One of Tocsin's services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Takes webhooks.
    Ingest,
    /// Turns alerts into incidents.
    Worker,
    /// Tells people.
    Notifier,
    /// Answers reads.
    Api,
}

impl Service {
    /// All of them, in the order in which they are started: whoever consumes is there before whoever produces.
    pub const ALL: [Self; 4] = [Self::Worker, Self::Notifier, Self::Api, Self::Ingest];

    /// The name of its binary.
    #[must_use]
    pub const fn binary(self) -> &'static str {
        match self {
            Self::Ingest => "tocsin-ingest",
            Self::Worker => "tocsin-worker",
            Self::Notifier => "tocsin-notifier",
            Self::Api => "tocsin-api",
        }
    }

    /// Its short name, to which a number is added for each process: `worker-1`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Worker => "worker",
            Self::Notifier => "notifier",
            Self::Api => "api",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One process of a service.
#[derive(Debug)]
pub struct ServiceProcess {
    pub(crate) service: Service,
    pub(crate) process: Process,
    pub(crate) port: Port,
}

impl ServiceProcess {
    /// Which service it is.
    #[must_use]
    pub fn service(&self) -> Service {
        self.service
    }

    /// Its process, to stop, kill, pause and restart.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The address of its own HTTP server, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// Whether `/ready` answers 200 right now; else what it answered.
    pub async fn probe(&self) -> Result<(), String> {
        http::is_ok(&format!("{}/ready", self.url())).await
    }

    /// Waits until `/ready` answers 200.
    ///
    /// # Errors
    /// [`NotReady`](crate::TestbedError::NotReady) or [`EndedEarly`](crate::TestbedError::EndedEarly).
    pub async fn wait_ready(&self) -> Result<()> {
        self.process.await_ready(READY_DEADLINE, "200 on /ready", async || self.probe().await).await
    }
}
