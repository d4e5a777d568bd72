//! Awaiting a condition by looking again and again, under a deadline.

use std::fmt::{self, Debug, Display};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// How long we look away between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// A condition did not come true in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("waited {waited:?} for {what}; last seen: {last_seen}")]
pub struct TimedOut {
    /// What was awaited.
    pub what: String,
    /// For how long.
    pub waited: Duration,
    /// What the last look saw instead.
    pub last_seen: String,
}

/// What one look at the world found: the awaited thing, or something else that is worth telling.
pub trait Look {
    /// The awaited thing.
    type Found;

    /// The awaited thing, or a description of what was there instead.
    fn found(self) -> Result<Self::Found, String>;
}

/// `true` is what is awaited.
impl Look for bool {
    type Found = ();

    fn found(self) -> Result<(), String> {
        if self { Ok(()) } else { Err("false".to_owned()) }
    }
}

/// Anything at all is what is awaited.
impl<T> Look for Option<T> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.ok_or_else(|| "nothing".to_owned())
    }
}

/// `Ok` is what is awaited; the error tells what was seen.
impl<T, E: Display> Look for Result<T, E> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.map_err(|seen| seen.to_string())
    }
}

/// For looks at a value: `Ok(value)` when it is as awaited, else the value as last seen.
///
/// ```
/// # use tocsin_testbed::poll::expect;
/// assert_eq!(expect(3, |n| *n > 2), Ok(3));
/// assert_eq!(expect(1, |n| *n > 2), Err("1".to_owned()));
/// ```
pub fn expect<T: Debug>(value: T, is_as_awaited: impl FnOnce(&T) -> bool) -> Result<T, String> {
    if is_as_awaited(&value) { Ok(value) } else { Err(format!("{value:?}")) }
}

/// Looks every 20 ms until the look finds what is awaited. `what` completes the sentence "waited 5s for …".
///
/// The look is a closure that returns a future, `async || …`, and may borrow from its surroundings, though not mutably. (An
/// `AsyncFnMut` might, at the price that nothing that waits could be spawned as a task.)
///
/// # Errors
/// [`TimedOut`] when the deadline passes; a look that hangs is cut off by the deadline too.
pub async fn until<L: Look, F: Future<Output = L>>(
    what: impl Display,
    deadline: Duration,
    mut look: impl FnMut() -> F,
) -> Result<L::Found, TimedOut> {
    let end = Instant::now() + deadline;
    let mut last_seen: Option<String> = None;
    loop {
        match timeout_at(end, look()).await.map(Look::found) {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(seen)) => last_seen = Some(seen),
            Err(_elapsed) => return Err(timed_out(&what, deadline, last_seen.as_deref())),
        }
        if Instant::now() + PAUSE >= end {
            return Err(timed_out(&what, deadline, last_seen.as_deref()));
        }
        sleep(PAUSE).await;
    }
}

fn timed_out(what: &dyn fmt::Display, waited: Duration, last_seen: Option<&str>) -> TimedOut {
    TimedOut { what: what.to_string(), waited, last_seen: last_seen.unwrap_or("no look came back").to_owned() }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_condition_that_comes_true_yields_what_was_found() {
        let looks = Cell::new(0);
        let found = until("three looks", Duration::from_secs(1), async || {
            looks.set(looks.get() + 1);
            expect(looks.get(), |n| *n == 3)
        })
        .await;
        assert_eq!(found, Ok(3));
    }

    #[tokio::test]
    async fn a_timeout_says_what_was_awaited_and_what_was_seen() {
        let error = until("the moon", Duration::from_millis(50), async || Err::<(), _>("clouds")).await.unwrap_err();
        assert_eq!(error.to_string(), "waited 50ms for the moon; last seen: clouds");
    }

    #[tokio::test]
    async fn a_look_that_hangs_is_cut_off_by_the_deadline() {
        let error = until("an answer", Duration::from_millis(50), async || std::future::pending::<bool>().await)
            .await
            .unwrap_err();
        assert_eq!(error.last_seen, "no look came back");
    }
}
