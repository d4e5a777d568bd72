//! Group commit: what waits is made durable together, so that a storm costs a few large commits and a quiet hour none of
//! their delay.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::metrics::{self, Path};

/// Most deliveries that wait in one queue; what is beyond is refused.
const MAX_WAITING: usize = 4_096;
/// Most deliveries, and about as many bytes, that one commit takes.
const MAX_BATCH: usize = 256;
const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// A queue in front of a store. Cheap to clone.
#[derive(Debug)]
pub(crate) struct GroupCommit<T> {
    queue: mpsc::Sender<Waiting<T>>,
}

impl<T> Clone for GroupCommit<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

/// A delivery, and who waits for it.
#[derive(Debug)]
struct Waiting<T> {
    /// Made durable together or not at all.
    parts: Vec<T>,
    bytes: usize,
    done: oneshot::Sender<Result<(), CommitError>>,
}

/// A delivery that was not made durable, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CommitError {
    /// Too many wait already. Nothing was sent to the store.
    #[error("too many deliveries wait")]
    QueueFull,
    /// The store refused or did not answer; the log says more. It may have the delivery or not.
    #[error("the store did not take it")]
    Failed,
}

impl<T: Send + 'static> GroupCommit<T> {
    /// Starts committing, on the runtime of the caller, at most `lanes` batches at a time. `commit` makes all that it is
    /// given durable or says that it did not, and bounds its own time. Ends when the last clone is dropped.
    pub(crate) fn start<F>(path: Path, lanes: usize, commit: impl Fn(Vec<T>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<(), CommitError>> + Send + 'static,
    {
        let (queue, waiting) = mpsc::channel(MAX_WAITING);
        tokio::spawn(run(path, lanes, waiting, commit));
        Self { queue }
    }

    /// Waits until `parts`, of about so many bytes together, are durable.
    pub(crate) async fn commit(&self, parts: Vec<T>, bytes: usize) -> Result<(), CommitError> {
        let (done, outcome) = oneshot::channel();
        self.queue.try_send(Waiting { parts, bytes, done }).map_err(|_| CommitError::QueueFull)?;
        outcome.await.unwrap_or(Err(CommitError::Failed))
    }
}

async fn run<T, F>(
    path: Path,
    lanes: usize,
    mut waiting: mpsc::Receiver<Waiting<T>>,
    commit: impl Fn(Vec<T>) -> F + Send + 'static,
) where
    T: Send + 'static,
    F: Future<Output = Result<(), CommitError>> + Send + 'static,
{
    let free = Arc::new(Semaphore::new(lanes));
    // A lane first, and then all that has gathered meanwhile: the busier the store, the larger the batches.
    while let Ok(lane) = Arc::clone(&free).acquire_owned().await {
        let Some(first) = waiting.recv().await else {
            return;
        };
        let most = MAX_BATCH.min(1 + waiting.len());
        let (mut parts, mut callers) = (Vec::with_capacity(most), Vec::with_capacity(most));
        parts.extend(first.parts);
        callers.push(first.done);
        let mut bytes = first.bytes;
        while callers.len() < MAX_BATCH
            && bytes < MAX_BATCH_BYTES
            && let Ok(next) = waiting.try_recv()
        {
            parts.extend(next.parts);
            bytes += next.bytes;
            callers.push(next.done);
        }
        metrics::batch(path, callers.len(), waiting.len());
        let committing = commit(parts);
        tokio::spawn(async move {
            let started = Instant::now();
            let result = committing.await;
            drop(lane);
            metrics::committed(path, started.elapsed());
            for caller in callers {
                // A caller that gave up has no use for it.
                let _ = caller.send(result);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store that finishes a batch when it is told to, and what it was given.
    #[derive(Clone)]
    struct Gate {
        opened: Arc<Semaphore>,
        begun: mpsc::UnboundedSender<Vec<u32>>,
    }

    impl Gate {
        fn new() -> (Self, mpsc::UnboundedReceiver<Vec<u32>>) {
            let (begun, batches) = mpsc::unbounded_channel();
            (Self { opened: Arc::new(Semaphore::new(0)), begun }, batches)
        }

        fn queue(&self, lanes: usize, result: Result<(), CommitError>) -> GroupCommit<u32> {
            let gate = self.clone();
            GroupCommit::start(Path::Stream, lanes, move |batch| {
                let gate = gate.clone();
                async move {
                    gate.begun.send(batch).unwrap();
                    gate.opened.acquire().await.unwrap().forget();
                    result
                }
            })
        }

        fn open(&self, batches: usize) {
            self.opened.add_permits(batches);
        }
    }

    #[tokio::test]
    async fn what_waits_while_a_lane_is_busy_is_committed_together_and_in_order() {
        let (gate, mut batches) = Gate::new();
        let queue = gate.queue(1, Ok(()));
        let first = tokio::spawn({
            let queue = queue.clone();
            async move { queue.commit(vec![0], 1).await }
        });
        assert_eq!(batches.recv().await.unwrap(), [0]);
        let rest = (1..4).map(|n| queue.commit(vec![n, n], 1));
        let mut rest: Vec<_> = rest.map(Box::pin).collect();
        for call in &mut rest {
            assert!(futures_util::poll!(call).is_pending());
        }
        gate.open(2);
        assert_eq!(batches.recv().await.unwrap(), [1, 1, 2, 2, 3, 3]);
        assert_eq!(first.await.unwrap(), Ok(()));
        assert!(futures_util::future::join_all(rest).await.iter().all(Result::is_ok));
    }

    #[tokio::test]
    async fn everybody_in_a_batch_is_told_that_it_failed() {
        let (gate, _batches) = Gate::new();
        gate.open(2);
        let queue = gate.queue(1, Err(CommitError::Failed));
        let results = tokio::join!(queue.commit(vec![1], 1), queue.commit(vec![2], 1));
        assert_eq!(results, (Err(CommitError::Failed), Err(CommitError::Failed)));
    }

    #[tokio::test]
    async fn more_than_can_wait_is_refused_at_once() {
        let (gate, _batches) = Gate::new();
        let queue = gate.queue(1, Ok(()));
        let mut calls: Vec<_> = (0..=MAX_WAITING).map(|_| Box::pin(queue.commit(vec![0], 1))).collect();
        let last = calls.pop().unwrap();
        for call in &mut calls {
            assert!(futures_util::poll!(call).is_pending());
        }
        assert_eq!(last.await, Err(CommitError::QueueFull));
    }

    #[tokio::test]
    async fn a_batch_is_bounded_in_bytes() {
        let (gate, mut batches) = Gate::new();
        gate.open(3);
        let queue = gate.queue(1, Ok(()));
        let calls = (0..3).map(|n| queue.commit(vec![n], MAX_BATCH_BYTES));
        assert!(futures_util::future::join_all(calls).await.iter().all(Result::is_ok));
        for n in 0..3 {
            assert_eq!(batches.recv().await.unwrap(), [n]);
        }
    }
}
