//! What a transaction has changed, for those who show the state: told to an observer once the transaction is committed.
//!
//! The functions that write leave it with the transaction that they belong to, a task-local, so that no function between them
//! and the commit has to hand it on. What is told may be missed (a process may die just after its commit); the state itself is
//! the truth, and who follows it looks there as well.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use tocsin_shared::{IncidentId, SilenceId};

use crate::{Store, StoreError};

/// What was changed, without how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// Incidents that were opened or changed.
    pub incidents: BTreeSet<IncidentId>,
    /// Silences that were made, ended or deleted.
    pub silences: BTreeSet<SilenceId>,
    /// Whether there are more or fewer dead letters.
    pub dead_letters: bool,
}

impl Changed {
    /// Whether nothing was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes in what another transaction has changed.
    pub fn merge(&mut self, mut other: Self) {
        self.incidents.append(&mut other.incidents);
        self.silences.append(&mut other.silences);
        self.dead_letters |= other.dead_letters;
    }
}

tokio::task_local! {
    static CHANGED: RefCell<Changed>;
}

/// Notes what the transaction at hand changes. Without effect where nobody wants to know.
pub(crate) fn note(change: impl FnOnce(&mut Changed)) {
    // Outside of a transaction of `run_applying` there is nobody to tell.
    let _ = CHANGED.try_with(|changed| change(&mut changed.borrow_mut()));
}

/// Does the work of one transaction, and gives what it has changed if it is committed.
pub(crate) async fn noting<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<(T, Changed), StoreError> {
    CHANGED
        .scope(RefCell::default(), async {
            let done = work.await?;
            Ok((done, CHANGED.with(RefCell::take)))
        })
        .await
}

/// Is told of changes.
#[derive(Clone, Default)]
pub(crate) struct Observer(Option<Arc<dyn Fn(Changed) + Send + Sync>>);

impl Observer {
    pub(crate) fn tell(&self, changed: Changed) {
        if let Some(observe) = &self.0
            && !changed.is_empty()
        {
            observe(changed);
        }
    }
}

impl Store {
    /// The same store, which tells `observe` of what each of its transactions has changed, right after the commit. It must not
    /// block.
    #[must_use]
    pub fn observed(mut self, observe: impl Fn(Changed) + Send + Sync + 'static) -> Self {
        self.observer = Observer(Some(Arc::new(observe)));
        self
    }
}
