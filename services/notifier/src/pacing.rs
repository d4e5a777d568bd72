//! How fast destinations are called: by all notifiers together, as Redis counts it.
//!
//! While Redis does not answer in time, each notifier keeps the pace for itself: then so many of them together may be that many
//! times as fast, and the destination's own limit has the last word.

mod bucket;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use bucket::Bucket;
use tocsin_bus::{Leave, Paces, Quota};

/// Longest wait for Redis before a notifier decides by itself.
const SHARED_TIMEOUT: Duration = Duration::from_millis(50);
/// For how long Redis is not asked again after that.
const AWAY: Duration = Duration::from_secs(1);

/// The paces that all notifiers share.
#[derive(Debug)]
pub(crate) struct Pacing {
    paces: Paces,
    away_until: Mutex<Option<Instant>>,
}

impl Pacing {
    pub(crate) fn new(paces: Paces) -> Self {
        Self { paces, away_until: Mutex::new(None) }
    }

    /// Leave for up to `calls` calls of a destination; nothing when Redis does not say.
    pub(crate) async fn take(&self, destination: &str, quotas: &[Quota], calls: u32) -> Option<Leave> {
        self.asked(self.paces.take(destination, quotas, calls)).await
    }

    /// Lets no notifier call a destination for a while. Without Redis, the others find out for themselves.
    pub(crate) async fn hold(&self, destination: &str, pause: Duration) {
        self.asked(self.paces.hold(destination, pause)).await;
    }

    async fn asked<T>(&self, question: impl Future<Output = Result<T, tocsin_bus::BusError>>) -> Option<T> {
        let away = || self.away_until.lock().unwrap_or_else(PoisonError::into_inner);
        if away().is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let answer = tokio::time::timeout(SHARED_TIMEOUT, question).await.ok().and_then(Result::ok);
        *away() = answer.is_none().then(|| Instant::now() + AWAY);
        answer
    }

    /// Closes the connection.
    pub(crate) async fn close(self) {
        self.paces.close().await;
    }
}
