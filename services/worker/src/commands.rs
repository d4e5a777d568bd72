//! The consumer of the commands stream, group `worker`: what responders ask for. It is a stream and a task of its own, so
//! that a person's command overtakes the alerts, however many of those wait.
//!
//! Per command: read → apply and commit → leave the outcome for who waits for it → wake a notifier → acknowledge (with the
//! rest of its batch). What a crash at each step leads to:
//! - after *read*: the entries stay pending until this worker is there again, or another takes them over once they were idle
//!   for `reclaim_idle`;
//! - while *applying*: the transaction is rolled back; as above;
//! - after *commit*: the command comes again, and the store answers it with the outcome of the first time. Whoever waited
//!   for it has been told by the api that it is accepted, which it is;
//! - after the *outcome*: as after commit; the second copy of the outcome is taken by nobody and expires;
//! - after *wake*: as after commit, and the notifier looks once more than needed;
//! - after *acknowledge*: nothing.
//!
//! What cannot be read, or not be applied for what it holds, becomes a dead letter.

use tocsin_bus::{Batch, Entry, Publisher};
use tocsin_service::config::Reloading;
use tocsin_service::shutdown::Shutdown;
use tocsin_service::with_causes;
use tocsin_shared::{Command, CommandId, CommandOutcome, EnvelopeError, ErrorCode, Policy};
use tocsin_store::{Store, StoreError};

use crate::apply::dead_letter;
use crate::backoff::Backoff;
use crate::intake::Intake;
use crate::metrics::{self, Fate};

/// The name under which dead letters of the commands stream are kept.
const STREAM: &str = "commands";
/// Most commands that are read at once: so few that the first of them is not kept by the last.
const BATCH_SIZE: usize = 16;

pub(crate) struct Commands {
    pub(crate) intake: Intake,
    pub(crate) publisher: Publisher,
    pub(crate) store: Store,
    pub(crate) policy: Reloading<Policy>,
    pub(crate) shutdown: Shutdown,
}

impl Commands {
    /// Consumes until the shutdown begins.
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::new();
        while !self.shutdown.is_draining() {
            match self.intake.next(BATCH_SIZE).await {
                Ok(batch) => {
                    backoff.reset();
                    if !batch.entries().is_empty() {
                        self.handle(batch).await;
                    }
                }
                Err(error) => {
                    let retry = backoff.next;
                    tracing::warn!(error = &error as &dyn std::error::Error, ?retry, "cannot read the commands stream");
                    backoff.pause(&self.shutdown).await;
                }
            }
        }
    }

    /// Does what a batch asks for, one after the other, and acknowledges it. While Postgres is away it is tried again. A
    /// shutdown gives the batch up unacknowledged, for another worker.
    async fn handle(&mut self, batch: Batch) {
        for entry in batch.entries() {
            let read = Command::from_fields(&entry.fields);
            let mut backoff = Backoff::new();
            let (outcome, fate) = loop {
                match self.settle(entry, &read).await {
                    Ok(settled) => break settled,
                    Err(error) => {
                        let retry = backoff.next;
                        tracing::error!(error = &error as &dyn std::error::Error, ?retry, "cannot apply a command");
                        if self.shutdown.is_draining() {
                            return;
                        }
                        backoff.pause(&self.shutdown).await;
                    }
                }
            };
            metrics::commanded(read.as_ref().ok(), fate);
            // Of what cannot be read, the id perhaps can.
            let id = read.map_or_else(|_| entry.fields.get("id")?.parse().ok(), |command| Some(command.id));
            self.tell(id, &outcome).await;
        }
        if let Err(error) = batch.ack().await {
            self.intake.is_left_with(&error);
        }
    }

    /// Does what an entry asks for, or keeps it as a dead letter.
    async fn settle(
        &self,
        entry: &Entry,
        read: &Result<Command, EnvelopeError>,
    ) -> Result<(CommandOutcome, Fate), StoreError> {
        let policy = self.policy.current();
        let reason = match read {
            Ok(command) => match self.store.command_apply(command, &policy).await {
                Ok(outcome) => {
                    let fate = Fate::of(&outcome);
                    return Ok((outcome, fate));
                }
                Err(error) if error.may_be_the_data() => with_causes(&error),
                Err(error) => return Err(error),
            },
            Err(error) => with_causes(error),
        };
        let letter = dead_letter(STREAM, entry, reason);
        self.store.batch_apply(&[], &[letter], &policy).await?;
        Ok((kept_as_dead_letter(), Fate::Dead))
    }

    /// Leaves the outcome for the api, which without it says after a while that the command is accepted, and wakes a notifier
    /// if there may be something to tell.
    async fn tell(&self, id: Option<CommandId>, outcome: &CommandOutcome) {
        match (id, serde_json::to_string(outcome)) {
            (Some(id), Ok(text)) => {
                if let Err(error) = self.publisher.outcome(id, &text).await {
                    tracing::debug!(%error, command.id = %id, "could not leave an outcome");
                }
            }
            (None, _) => {}
            (_, Err(error)) => tracing::error!(%error, "an outcome cannot be written"),
        }
        if matches!(outcome, CommandOutcome::Done { changed: true, .. })
            && let Err(error) = self.publisher.wake_notifier().await
        {
            tracing::debug!(%error, "could not wake a notifier; it will look by itself");
        }
    }
}

fn kept_as_dead_letter() -> CommandOutcome {
    let detail = "the command cannot be applied; it is kept as a dead letter".to_owned();
    CommandOutcome::Rejected { code: ErrorCode::Internal, detail }
}
