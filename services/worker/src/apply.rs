//! Applying what a batch holds, whatever it holds: an entry that cannot be applied becomes a dead letter and does not stop
//! the rest.

use tocsin_bus::Entry;
use tocsin_service::with_causes;
use tocsin_shared::{Envelope, Policy};
use tocsin_store::{Applied, DeadLetter, Parts, Store, StoreError};

/// The name under which dead letters of the events stream are kept.
const STREAM: &str = "events";

/// The entries of a batch, read.
#[derive(Debug, Default)]
pub(crate) struct Contents<'a> {
    deliveries: Vec<Envelope>,
    /// The entry of each delivery.
    entries: Vec<&'a Entry>,
    unreadable: Vec<DeadLetter>,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) applied: Applied,
    /// Entries that went to dead letters.
    pub(crate) dead: usize,
}

impl<'a> Contents<'a> {
    /// Tells envelopes from what cannot be read as one.
    pub(crate) fn of(entries: &'a [Entry]) -> Self {
        let mut contents = Self::default();
        for entry in entries {
            match Envelope::from_fields(&entry.fields) {
                Ok(envelope) => {
                    contents.deliveries.push(envelope);
                    contents.entries.push(entry);
                }
                Err(error) => contents.unreadable.push(dead_letter(STREAM, entry, with_causes(&error))),
            }
        }
        contents
    }
}

/// Applies everything, in one transaction if it can be.
///
/// # Errors
/// When the store fails for reasons of its own; then all of it may be tried again, because what was applied is known.
pub(crate) async fn apply(store: &Store, contents: &Contents<'_>, policy: &Policy) -> Result<Outcome, StoreError> {
    let mut outcome = Outcome { dead: contents.unreadable.len(), ..Outcome::default() };
    let all = contents.deliveries.as_slice();
    let mut dead = contents.unreadable.as_slice();
    let mut parts = Parts::of(all.len());
    while let Some(part) = parts.next() {
        match store.batch_apply(&all[part.clone()], dead, policy).await {
            Ok(applied) => {
                outcome.applied += applied;
                dead = &[];
            }
            Err(error) => {
                if let Some((index, error)) = parts.failed(part, error)? {
                    let letter = dead_letter(STREAM, contents.entries[index], with_causes(&error));
                    store.batch_apply(&[], &[letter], policy).await?;
                    outcome.dead += 1;
                }
            }
        }
    }
    Ok(outcome)
}

/// An entry of `stream` that cannot be applied.
pub(crate) fn dead_letter(stream: &'static str, entry: &Entry, reason: String) -> DeadLetter {
    tracing::warn!(stream, entry.id, reason, "an entry goes to dead letters");
    let fields = entry.fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    DeadLetter { stream, entry_id: entry.id.clone(), fields, reason }
}
