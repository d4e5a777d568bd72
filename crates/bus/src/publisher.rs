//! What services tell each other beside the deliveries themselves.

use std::sync::Arc;

use fred::clients::Pool;
use fred::interfaces::{ClientLike as _, StreamsInterface as _};
use fred::types::streams::XCap;

use crate::{BusConfig, BusError, Stream, client};

/// Most wake-ups that are kept. They only say "look at the ledger", so old ones may go: the ledger forgets nothing.
const MAX_WAKE_UPS: i64 = 10_000;

/// Appends wake-ups. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    pool: Pool,
    notifications: Arc<str>,
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
        let notifications = Stream::Notifications.key(&config.prefix).into();
        Ok(Self { pool: client::connect(config, 1)?, notifications })
    }

    /// Wakes a notifier. Losing it costs up to a second: notifiers also look by themselves.
    pub async fn wake_notifier(&self) -> Result<(), BusError> {
        let cap: XCap = ("MAXLEN", "~", MAX_WAKE_UPS).try_into()?;
        let _id: String = self.pool.xadd(&*self.notifications, false, cap, "*", vec![("v", "1")]).await?;
        Ok(())
    }

    /// Whether Redis answers.
    pub async fn ping(&self) -> bool {
        self.pool.ping::<()>(None).await.is_ok()
    }

    /// Closes the connections, when all that was sent is answered.
    pub async fn close(self) {
        client::close(&self.pool).await;
    }
}
