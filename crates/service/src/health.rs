//! Liveness and readiness.
//!
//! `/health` never touches a dependency: a store that is gone is no reason to restart us. `/ready` answers from what
//! background probes last saw, so that a hanging store cannot make it hang.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::Serialize;

use crate::shutdown::Shutdown;

/// Time between two probes of one dependency.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);
/// Time that one probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a service can depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependency {
    /// Postgres.
    Database,
    /// Redis.
    Redis,
}

/// How much a service depends on something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Not ready without it.
    Required,
    /// Ready as long as one of all alternatives is there.
    Alternative,
    /// Its loss is shown, and the service stays ready.
    Optional,
}

#[derive(Debug)]
struct Check {
    dependency: Dependency,
    need: Need,
    ok: Arc<AtomicBool>,
}

/// What a service needs in order to be ready, and whether it has it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Readiness {
    checks: Arc<Vec<Check>>,
    shutdown: Shutdown,
}

/// Collects the checks of a [`Readiness`].
#[derive(Debug)]
pub struct ReadinessBuilder {
    checks: Vec<Check>,
    shutdown: Shutdown,
}

impl Readiness {
    /// Begins; the service is never ready once `shutdown` has begun.
    #[must_use]
    pub fn builder(shutdown: &Shutdown) -> ReadinessBuilder {
        ReadinessBuilder { checks: Vec::new(), shutdown: shutdown.clone() }
    }

    /// Whether the service has what it needs and is not about to end.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.view().status == "ready"
    }

    fn view(&self) -> ReadyView {
        let state = |wanted: Dependency| {
            let check = self.checks.iter().find(|check| check.dependency == wanted)?;
            Some(if check.ok.load(Ordering::Relaxed) { "ok" } else { "error" })
        };
        let of = |need| self.checks.iter().filter(move |check| check.need == need);
        let is_ok = |check: &Check| check.ok.load(Ordering::Relaxed);
        let has_one = of(Need::Alternative).next().is_none() || of(Need::Alternative).any(is_ok);
        let ready = of(Need::Required).all(is_ok) && has_one && !self.shutdown.is_draining();
        ReadyView {
            status: if ready { "ready" } else { "not ready" },
            database: state(Dependency::Database),
            redis: state(Dependency::Redis),
        }
    }
}

impl ReadinessBuilder {
    /// Probes a dependency from now on, twice a second. Must be called on a tokio runtime.
    #[must_use]
    pub fn check<F, Fut>(mut self, dependency: Dependency, need: Need, probe: F) -> Self
    where
        F: Fn() -> Fut + Send + 'static,
        Fut: Future<Output = bool> + Send,
    {
        let ok = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ok);
        tokio::spawn(async move {
            loop {
                let now = tokio::time::timeout(PROBE_TIMEOUT, probe()).await.unwrap_or(false);
                if seen.swap(now, Ordering::Relaxed) != now {
                    tracing::info!(?dependency, ok = now, "dependency changed");
                }
                tokio::time::sleep(PROBE_INTERVAL).await;
            }
        });
        self.checks.push(Check { dependency, need, ok });
        self
    }

    /// The readiness.
    #[must_use]
    pub fn build(self) -> Readiness {
        Readiness { checks: Arc::new(self.checks), shutdown: self.shutdown }
    }
}

/// The body of `/ready`. A dependency that the service does not have is left out.
#[derive(Debug, Serialize)]
struct ReadyView {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redis: Option<&'static str>,
}

/// The body of `/health`.
#[derive(Debug, Serialize)]
struct HealthView {
    status: &'static str,
    version: &'static str,
}

pub(crate) fn health(version: &'static str) -> HttpResponse {
    HttpResponse::Ok().json(HealthView { status: "ok", version })
}

pub(crate) async fn ready(readiness: web::Data<Readiness>) -> HttpResponse {
    let view = readiness.view();
    let mut response = if view.status == "ready" { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(view)
}
