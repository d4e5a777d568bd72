//! A sender that keeps its pace, whatever the answers do.
//!
//! A sender that waits for one answer before it sends the next request sends little while a server hangs, and so hardly
//! notices. This one sends when a request is due, and counts latency from then (an "open loop").

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Something, and how long it took.
#[derive(Debug, Clone)]
pub struct Timed<T> {
    /// From when it was due until it was there.
    pub took: Duration,
    /// What it is.
    pub value: T,
}

/// Sends `count` requests, evenly over `during`. `send` gets the number of the request, from 0. The answers are in the
/// order in which they came.
pub async fn open_loop<T, F>(count: u32, during: Duration, mut send: impl FnMut(u32) -> F) -> Vec<Timed<T>>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (begun, interval) = (Instant::now(), during / count.max(1));
    let mut open = JoinSet::new();
    for number in 0..count {
        let due = begun + interval * number;
        sleep_until(due).await;
        let answer = send(number);
        open.spawn(async move {
            let value = answer.await;
            Timed { took: due.elapsed(), value }
        });
    }
    open.join_all().await
}

/// How long a share of something took at most: `percentile(took, 0.99)`. Zero of nothing.
#[must_use]
pub fn percentile(took: &[Duration], share: f64) -> Duration {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a share of a length is an index"
    )]
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_that_hangs_is_sent_as_much_as_one_that_answers() {
        let gate = Arc::new(Semaphore::new(0));
        let answers = open_loop(10, Duration::from_secs(1), |number| {
            let gate = Arc::clone(&gate);
            async move {
                if number == 9 {
                    gate.close();
                }
                let _ = gate.acquire().await;
                number
            }
        })
        .await;
        let slowest = answers.iter().find(|answer| answer.value == 0).map(|answer| answer.took);
        assert_eq!((answers.len(), slowest), (10, Some(Duration::from_millis(900))), "counted from when it was due");
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let took: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&took, 0.5), Duration::from_millis(100));
        assert_eq!(percentile(&took, 0.99), Duration::from_millis(198));
        assert_eq!(percentile(&took, 1.0), Duration::from_millis(200));
        assert_eq!(percentile(&[], 0.99), Duration::ZERO);
    }
}
