//! Clients that come back. After a restart all of them do, most from the same position; what each has missed is loaded once for
//! all who wait for it, and not once for each.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use actix_web::web::Bytes;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout};

/// Answers that are worked out at a time; each takes a connection to Redis, and then one to Postgres.
const AT_A_TIME: usize = 2;
/// Longest wait of a client for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// An answer, and since when what it says has been looked up.
#[derive(Debug, Clone)]
struct Known {
    since: Instant,
    parts: Arc<[Bytes]>,
}

/// Where those meet who come back from one position.
type Place = Mutex<Option<Known>>;

/// The answers to those who are coming back at this moment. None is kept once nobody waits for it.
#[derive(Debug)]
pub(super) struct Resumes {
    places: std::sync::Mutex<HashMap<String, Weak<Place>>>,
    permits: Semaphore,
}

impl Default for Resumes {
    fn default() -> Self {
        Self { places: std::sync::Mutex::default(), permits: Semaphore::new(AT_A_TIME) }
    }
}

impl Resumes {
    /// The answer of `look` to a client that comes back from `position`, or one that was looked up for another after this one
    /// had come: an older one might lack what was handed out in between. `None` if that takes too long.
    pub(super) async fn shared<F>(&self, position: &str, look: impl FnOnce() -> F) -> Option<Arc<[Bytes]>>
    where
        F: Future<Output = Arc<[Bytes]>>,
    {
        let came = Instant::now();
        let place = self.place(position);
        let waiting = async {
            let mut known = place.lock().await;
            if let Some(known) = known.as_ref().filter(|known| known.since >= came) {
                return Some(Arc::clone(&known.parts));
            }
            let _permit = self.permits.acquire().await.ok()?;
            let since = Instant::now();
            let parts = look().await;
            *known = Some(Known { since, parts: Arc::clone(&parts) });
            Some(parts)
        };
        timeout(PATIENCE, waiting).await.ok().flatten()
    }

    fn place(&self, position: &str) -> Arc<Place> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(position).and_then(Weak::upgrade) {
            return place;
        }
        // There are as many as clients that wait, and those are bounded.
        places.retain(|_, place| place.strong_count() > 0);
        let place = Arc::new(Place::default());
        places.insert(position.to_owned(), Arc::downgrade(&place));
        place
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::Notify;

    use super::*;

    fn told(text: &'static str) -> Arc<[Bytes]> {
        Arc::new([Bytes::from_static(text.as_bytes())])
    }

    #[tokio::test]
    async fn those_who_come_back_together_share_an_answer_that_none_of_them_came_after() {
        let (resumes, looks, go) = (Resumes::default(), AtomicUsize::new(0), Notify::new());
        let look = || async {
            if looks.fetch_add(1, Ordering::SeqCst) == 0 {
                go.notified().await;
            }
            told("missed")
        };
        let first = resumes.shared("7-1", look);
        let others = async {
            // They come while the first is being answered.
            let others = join_all((0..2_000).map(|_| resumes.shared("7-1", look)));
            let (answers, ()) = tokio::join!(others, async { go.notify_one() });
            answers
        };
        let (first, others) = tokio::join!(first, others);
        assert!(others.iter().chain([&first]).all(|answer| answer.as_deref() == Some(&*told("missed"))));
        assert_eq!(looks.load(Ordering::SeqCst), 2, "one for the first, and one for all who came during it");
        resumes.shared("7-1", look).await;
        assert_eq!(looks.load(Ordering::SeqCst), 3, "an answer is not kept");
        assert_eq!(resumes.places.lock().unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_wait_too_long_is_told_so() {
        let resumes = Resumes::default();
        let never = || std::future::pending();
        let (one, two, three) =
            tokio::join!(resumes.shared("1-1", never), resumes.shared("2-1", never), resumes.shared("3-1", never));
        assert_eq!((one, two, three), (None, None, None));
        assert_eq!(resumes.shared("3-1", || async { told("x") }).await, Some(told("x")), "nothing is held afterwards");
    }
}
