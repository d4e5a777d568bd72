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
pub(crate) struct Contents {
    deliveries: Vec<Envelope>,
    /// The place of each delivery among the entries.
    places: Vec<usize>,
    unreadable: Vec<DeadLetter>,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) applied: Applied,
    /// Entries that went to dead letters.
    pub(crate) dead: usize,
}

impl Contents {
    /// Tells envelopes from what cannot be read as one.
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let mut contents = Self::default();
        for (place, entry) in entries.iter().enumerate() {
            match Envelope::from_fields(&entry.fields) {
                Ok(envelope) => {
                    contents.deliveries.push(envelope);
                    contents.places.push(place);
                }
                Err(error) => contents.unreadable.push(dead_letter(STREAM, entry, with_causes(&error))),
            }
        }
        contents
    }
}

/// Applies everything that was read of `entries`, in one transaction if it can be.
///
/// # Errors
/// When the store fails for reasons of its own; then all of it may be tried again, because what was applied is known.
pub(crate) async fn apply(
    store: &Store,
    entries: &[Entry],
    contents: &Contents,
    policy: &Policy,
) -> Result<Outcome, StoreError> {
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
                    let letter = dead_letter(STREAM, &entries[contents.places[index]], with_causes(&error));
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
