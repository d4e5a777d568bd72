//! Having something done: a command to the worker, and what becomes of it.

use std::time::Duration;

use tocsin_shared::{Command, CommandId, CommandOutcome};

use crate::{BusConfig, BusError, Outcomes, Publisher};

/// The way to the worker and back. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Commands {
    publisher: Publisher,
    outcomes: Outcomes,
}

impl Commands {
    /// Connects in the background. Must be called on a tokio runtime.
    pub fn start(config: &BusConfig) -> Result<Self, BusError> {
        Ok(Self { publisher: Publisher::start(config)?, outcomes: Outcomes::new(config)? })
    }

    /// Whether Redis answers.
    pub async fn ping(&self) -> bool {
        self.publisher.ping().await
    }

    /// Asks for something. Once it returns `Ok`, it will be done or refused; after an error it may be there or not.
    pub async fn send(&self, command: &Command) -> Result<(), BusError> {
        self.publisher.command(command.to_values()?).await
    }

    /// What became of a command, if that is known within `timeout`. `None` says nothing about the command.
    pub async fn outcome(&self, id: CommandId, timeout: Duration) -> Result<Option<CommandOutcome>, BusError> {
        let text = self.outcomes.wait(id, timeout).await?;
        Ok(text.as_deref().map(serde_json::from_str).transpose()?)
    }
}
