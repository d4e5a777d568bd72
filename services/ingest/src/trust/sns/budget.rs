//! How often we reach out on a stranger's behalf.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// Requests that are on their way at once.
const MAX_AT_ONCE: usize = 4;
/// Requests in one window. A forged message costs its sender nothing, and must not cost us more than this.
pub(super) const MAX_PER_WINDOW: u32 = 60;
/// The window.
pub(super) const WINDOW: Duration = Duration::from_mins(1);

/// Bounds the requests to addresses that messages name.
#[derive(Debug)]
pub(super) struct Budget {
    at_once: Semaphore,
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    used: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { at_once: Semaphore::new(MAX_AT_ONCE), window: Mutex::new(Window { began: Instant::now(), used: 0 }) }
    }
}

impl Budget {
    /// Leave for one request, for as long as the permit is held; none when the window's requests are used up.
    pub(super) async fn take(&self) -> Option<SemaphorePermit<'_>> {
        let permit = self.at_once.acquire().await.ok()?;
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.began.elapsed() >= WINDOW {
            *window = Window { began: Instant::now(), used: 0 };
        }
        if window.used == MAX_PER_WINDOW {
            return None;
        }
        window.used += 1;
        Some(permit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_window_has_an_end_and_another_follows() {
        let budget = Budget::default();
        for _ in 0..MAX_PER_WINDOW {
            assert!(budget.take().await.is_some());
        }
        assert!(budget.take().await.is_none());
        tokio::time::advance(WINDOW).await;
        assert!(budget.take().await.is_some());
    }

    #[tokio::test]
    async fn only_so_many_are_on_their_way_at_once() {
        let budget = Budget::default();
        let mut held = Vec::new();
        for _ in 0..MAX_AT_ONCE {
            held.push(budget.take().await);
        }
        let mut next = Box::pin(budget.take());
        assert!(futures_util::poll!(&mut next).is_pending());
        held.pop();
        assert!(next.await.is_some());
    }
}
