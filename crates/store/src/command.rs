//! Commands of responders.
//!
//! PLACEHOLDER: the engine's branch replaces this file.

use tocsin_shared::{Command, CommandOutcome, ErrorCode, Policy};

use crate::{Store, StoreError};

impl Store {
    /// Does what a command asks for, once: a command that comes again is answered with what became of it the first time.
    /// When it returns `Ok`, it is durable.
    ///
    /// PLACEHOLDER: does nothing yet, whatever is asked for.
    #[expect(clippy::unused_async, reason = "placeholder")]
    pub async fn command_apply(&self, command: &Command, _policy: &Policy) -> Result<CommandOutcome, StoreError> {
        let detail = format!("{} is not possible yet", command.action.name());
        Ok(CommandOutcome::Rejected { code: ErrorCode::InvalidTransition, detail })
    }
}
