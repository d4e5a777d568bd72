//! Silences.
//!
//! PLACEHOLDER: the engine's branch replaces this file.

use tocsin_shared::SilenceId;
use tocsin_shared::silence::Silence;

use crate::{Store, StoreError};

impl Store {
    /// The silences, newest first; those that are over only if asked for.
    ///
    /// PLACEHOLDER: there are none yet.
    #[expect(clippy::unused_async, reason = "placeholder")]
    pub async fn silence_list(&self, _include_expired: bool) -> Result<Vec<Silence>, StoreError> {
        Ok(Vec::new())
    }

    /// One silence.
    ///
    /// PLACEHOLDER: there are none yet.
    #[expect(clippy::unused_async, reason = "placeholder")]
    pub async fn silence_get(&self, _id: SilenceId) -> Result<Option<Silence>, StoreError> {
        Ok(None)
    }
}
