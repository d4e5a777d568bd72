//! Finding what cannot be applied, without letting it stop the rest.

use std::ops::Range;

use crate::StoreError;

/// The parts of a batch that are still to be applied, each in a transaction of its own. It begins as one part; a part that
/// fails for what it holds is cut in two, down to the one item that cannot be applied.
///
/// Parts are transactions and not savepoints of one, because a later part would take its locks while those of the earlier
/// are held: out of the order that keeps workers from deadlock.
#[derive(Debug)]
pub struct Parts {
    /// The next one last.
    pending: Vec<Range<usize>>,
}

impl Parts {
    /// All of a batch in one part. An empty batch is one empty part.
    #[must_use]
    pub fn of(length: usize) -> Self {
        Self { pending: std::iter::once(0..length).collect() }
    }

    /// The next part to apply.
    #[expect(clippy::should_implement_trait, reason = "what follows depends on how the caller fares: no iterator")]
    pub fn next(&mut self) -> Option<Range<usize>> {
        self.pending.pop()
    }

    /// A part failed. `None` when its halves are tried next; else the one item that cannot be applied, and why.
    ///
    /// # Errors
    /// The error itself when it says nothing of what the part holds.
    pub fn failed(&mut self, part: Range<usize>, error: StoreError) -> Result<Option<(usize, StoreError)>, StoreError> {
        if part.is_empty() || !error.may_be_the_data() {
            return Err(error);
        }
        if part.len() == 1 {
            return Ok(Some((part.start, error)));
        }
        tracing::warn!(error = &error as &dyn std::error::Error, size = part.len(), "cutting a batch in two");
        let middle = part.start.midpoint(part.end);
        self.pending.push(middle..part.end);
        self.pending.push(part.start..middle);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use diesel::result::{DatabaseErrorKind, Error as DieselError};

    use super::*;

    fn refused() -> StoreError {
        let said = "invalid byte sequence".to_owned();
        StoreError::Database(DieselError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(said)))
    }

    /// What is applied and what is given up, when these cannot be applied.
    fn applied_without(length: usize, refuse: &[usize]) -> (Vec<usize>, Vec<usize>) {
        let (mut applied, mut given_up) = (Vec::new(), Vec::new());
        let mut parts = Parts::of(length);
        while let Some(part) = parts.next() {
            if refuse.iter().any(|index| part.contains(index)) {
                given_up.extend(parts.failed(part, refused()).unwrap().map(|(index, _)| index));
            } else {
                applied.extend(part);
            }
        }
        (applied, given_up)
    }

    #[test]
    fn all_but_what_cannot_be_applied_is_applied_once_and_in_order() {
        assert_eq!(applied_without(5, &[]), (vec![0, 1, 2, 3, 4], vec![]));
        assert_eq!(applied_without(5, &[2]), (vec![0, 1, 3, 4], vec![2]));
        assert_eq!(applied_without(5, &[0, 4]), (vec![1, 2, 3], vec![0, 4]));
        assert_eq!(applied_without(3, &[0, 1, 2]), (vec![], vec![0, 1, 2]));
    }

    #[test]
    fn a_failure_of_the_store_itself_is_handed_back() {
        let mut parts = Parts::of(5);
        let part = parts.next().unwrap();
        assert!(matches!(parts.failed(part, StoreError::Timeout), Err(StoreError::Timeout)));
        assert!(Parts::of(0).failed(0..0, refused()).is_err(), "an empty part holds nothing that could be at fault");
    }
}
