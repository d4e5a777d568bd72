//! Applying what a batch holds, whatever it holds: an entry that cannot be applied becomes a dead letter and does not stop
//! the rest.

use tocsin_bus::Entry;
use tocsin_service::with_causes;
use tocsin_shared::Envelope;
use tocsin_shared::routing::Route;
use tocsin_store::{Applied, DeadLetter, Store, StoreError};

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
                Err(error) => contents.unreadable.push(dead_letter(entry, with_causes(&error))),
            }
        }
        contents
    }
}

/// Applies everything, in one transaction if it can be.
///
/// # Errors
/// When the store fails for reasons of its own; then all of it may be tried again, because what was applied is known.
pub(crate) async fn apply(store: &Store, contents: &Contents<'_>, route: &Route) -> Result<Outcome, StoreError> {
    let mut outcome = Outcome { dead: contents.unreadable.len(), ..Outcome::default() };
    let all = contents.deliveries.as_slice();
    let mut dead = contents.unreadable.as_slice();
    // Parts that are still to be applied; a part that fails for what it holds is cut in two, down to one delivery.
    let mut parts = Vec::from([(0, all.len())]);
    while let Some((start, end)) = parts.pop() {
        match store.batch_apply(&all[start..end], dead, route).await {
            Ok(applied) => {
                outcome.applied += applied;
                dead = &[];
            }
            Err(error) if error.may_be_the_data() && end - start > 1 => {
                tracing::warn!(error = &error as &dyn std::error::Error, size = end - start, "cutting a batch in two");
                let middle = start.midpoint(end);
                parts.push((middle, end));
                parts.push((start, middle));
            }
            Err(error) if error.may_be_the_data() && end - start == 1 => {
                let letter = dead_letter(contents.entries[start], with_causes(&error));
                store.batch_apply(&[], &[letter], route).await?;
                outcome.dead += 1;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(outcome)
}

fn dead_letter(entry: &Entry, reason: String) -> DeadLetter {
    tracing::warn!(entry.id, reason, "an entry goes to dead letters");
    let fields = entry.fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    DeadLetter { stream: STREAM, entry_id: entry.id.clone(), fields, reason }
}
