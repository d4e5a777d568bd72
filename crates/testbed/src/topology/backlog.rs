//! What a topology has accepted and not applied yet.

use std::time::Duration;

use super::Topology;
use crate::{Result, poll};

impl Topology {
    /// How many accepted deliveries wait to be applied and acknowledged, on the stream and in the inbox.
    ///
    /// # Errors
    /// When a store does not answer.
    pub async fn unapplied(&self) -> Result<u64> {
        let tenant = self.tenant();
        let key = format!("{}:v1:{{0}}:events", tenant.redis_prefix());
        let entries = tenant.redis(["XLEN", &key]).await?;
        // An acknowledged entry may be deleted before or after; and without a group nobody has read anything.
        let pending = tenant.redis(["XPENDING", &key, "worker"]).await.unwrap_or_default();
        let inbox = tenant.sql("SELECT count(*) FROM inbox").await?;
        let number = |text: Option<&str>| text.and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0);
        let inbox = inbox.first().and_then(|row| row.first()).map(String::as_str);
        Ok(number(Some(&entries)).max(number(pending.lines().next())) + number(inbox))
    }

    /// Waits until every accepted delivery is applied and acknowledged.
    ///
    /// # Errors
    /// [`TestbedError::TimedOut`](crate::TestbedError::TimedOut), with how many are left.
    pub async fn wait_until_drained(&self, deadline: Duration) -> Result<()> {
        poll::until("everything that was accepted to be applied", deadline, async || {
            let left = self.unapplied().await.map_err(|error| error.to_string())?;
            poll::expect(left, |left| *left == 0)
        })
        .await?;
        Ok(())
    }
}
