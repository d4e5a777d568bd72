//! What services tell each other beside the deliveries themselves.

use std::sync::Arc;

use fred::interfaces::{ClientLike as _, KeysInterface as _, ListInterface as _, StreamsInterface as _};
use fred::types::streams::XCap;
use tocsin_shared::{CommandId, command};

use crate::client::Link;
use crate::{BusConfig, BusError, Change, Stream, keys};

/// Most wake-ups that are kept. They only say "look at the ledger", so old ones may go: the ledger forgets nothing.
const MAX_WAKE_UPS: i64 = 10_000;
/// Entries of the stream of changes that are kept, about: a client that was away for longer looks at everything anew.
const MAX_CHANGES: i64 = 10_000;
/// How long an outcome lies where it was left, in milliseconds. Longer than anybody waits for it.
const OUTCOME_TTL_MS: i64 = 30_000;

/// Appends wake-ups and commands, and leaves outcomes. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    link: Link,
    notifications: Arc<str>,
    commands: Arc<str>,
    changes: Arc<str>,
    prefix: Arc<str>,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("notifications", &self.notifications).finish_non_exhaustive()
    }
}

impl Publisher {
    /// Connects in the background, and goes on trying for as long as it lives: commands fail until Redis is there. Must
    /// be called on a tokio runtime.
    pub fn start(config: &BusConfig) -> Result<Self, BusError> {
        Ok(Self {
            link: Link::start(config)?,
            notifications: Stream::Notifications.key(&config.prefix).into(),
            changes: keys::changes(&config.prefix).into(),
            commands: Stream::Commands.key(&config.prefix).into(),
            prefix: config.prefix.as_str().into(),
        })
    }

    /// Wakes a notifier. Losing it costs up to a second: notifiers also look by themselves.
    pub async fn wake_notifier(&self) -> Result<(), BusError> {
        let cap: XCap = ("MAXLEN", "~", MAX_WAKE_UPS).try_into()?;
        let _id: String =
            self.link.client().await?.xadd(&*self.notifications, false, cap, "*", vec![("v", "1")]).await?;
        Ok(())
    }

    /// Appends a command, given as the values of [`command::FIELDS`]. After an error it may be there or not.
    ///
    /// One append, which waits for no replica: there is a person behind it who sees whether it was done, and can ask again.
    pub async fn command(&self, values: [String; command::FIELDS.len()]) -> Result<(), BusError> {
        let fields: Vec<_> = command::FIELDS.into_iter().zip(values).collect();
        let _id: String = self.link.client().await?.xadd(&*self.commands, false, None::<()>, "*", fields).await?;
        Ok(())
    }

    /// Says what has changed. Losing it costs those who watch the time until they look by themselves.
    pub async fn changed(&self, change: &Change) -> Result<(), BusError> {
        let cap: XCap = ("MAXLEN", "~", MAX_CHANGES).try_into()?;
        let _id: String = self.link.client().await?.xadd(&*self.changes, false, cap, "*", change.to_fields()).await?;
        Ok(())
    }

    /// Leaves the outcome of a command for one who waits for it, for 30 seconds. Losing it costs the one who waits the
    /// answer, not the deed.
    pub async fn outcome(&self, id: CommandId, outcome: &str) -> Result<(), BusError> {
        let key = keys::outcome(&self.prefix, id);
        let pipeline = self.link.client().await?.pipeline();
        let () = pipeline.rpush(&key, outcome).await?;
        let () = pipeline.pexpire(&key, OUTCOME_TTL_MS, None).await?;
        let _answers: (i64, i64) = pipeline.all().await?;
        Ok(())
    }

    /// Whether Redis answers.
    pub async fn ping(&self) -> bool {
        match self.link.client().await {
            Ok(client) => client.ping::<()>(None).await.is_ok(),
            Err(_) => false,
        }
    }

    /// Closes the connections, when all that was sent is answered.
    pub async fn close(self) {
        self.link.close().await;
    }
}
