//! Tests run side by side. One that measures how long something takes has the machine for itself, as far as other tests
//! that start a whole system go.

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::const_new(());

/// The right to run a system, until it is dropped.
pub(crate) enum Turn {
    /// Beside others.
    Shared { _guard: RwLockReadGuard<'static, ()> },
    /// By itself.
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

impl Turn {
    /// Waits until nobody has the machine for himself.
    pub(crate) async fn shared() -> Self {
        Self::Shared { _guard: MACHINE.read().await }
    }

    /// Waits until nobody runs a system. Whoever asks later waits for us.
    pub(crate) async fn alone() -> Self {
        Self::Alone { _guard: MACHINE.write().await }
    }
}
