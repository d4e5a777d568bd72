//! Where a consumer's next batch comes from: the stream, what this consumer was given before and never had or never
//! acknowledged, and now and then the hands of one that has died.

use std::time::{Duration, Instant};

use tocsin_bus::{Batch, BusError, Consumer};

/// How long one read waits. A read is never cancelled, because what it had been given would then wait for a takeover;
/// so this is also how long an idle worker takes to notice its shutdown.
const READ_BLOCK: Duration = Duration::from_millis(250);

/// A member of the group `worker`, and when it looks for what others have left.
#[derive(Debug)]
pub(crate) struct Intake {
    consumer: Consumer,
    reclaim_idle: Duration,
    next_takeover: Instant,
    /// Whether something may be ours that we do not hold.
    is_owed: bool,
}

impl Intake {
    /// Takes over what others have held for longer than `reclaim_idle`.
    pub(crate) fn new(consumer: Consumer, reclaim_idle: Duration) -> Self {
        Self { consumer, reclaim_idle, next_takeover: Instant::now(), is_owed: true }
    }

    /// The next batch, of at most `max` entries; an empty one if nothing came for a while. The one before is not held any
    /// more.
    pub(crate) async fn next(&mut self, max: usize) -> Result<Batch, BusError> {
        if self.is_owed {
            let again = self.consumer.read_again(max).await?;
            self.is_owed = !again.entries().is_empty();
            if self.is_owed {
                return Ok(again);
            }
        }
        let next = self.take(max).await;
        self.is_owed = next.is_err();
        next
    }

    /// A batch could not be acknowledged.
    pub(crate) fn is_left_with(&mut self, error: &BusError) {
        tracing::warn!(error = error as &dyn std::error::Error, "could not acknowledge a batch; it will come again");
        self.is_owed = true;
    }

    async fn take(&mut self, max: usize) -> Result<Batch, BusError> {
        if Instant::now() < self.next_takeover {
            return self.consumer.read(max, READ_BLOCK).await;
        }
        let taken = self.consumer.take_over(max, self.reclaim_idle).await;
        // A full batch says that there may be more.
        if !matches!(&taken, Ok(batch) if batch.entries().len() == max) {
            self.next_takeover = Instant::now() + self.reclaim_idle / 2;
        }
        taken
    }
}
