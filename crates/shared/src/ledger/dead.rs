//! Which dead notices somebody means.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::NotificationId;

/// Most dead notices that are driven again at once.
pub const MAX_DEAD_NOTICES: u32 = 1_000;

/// Dead notices that are to be tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadNotices {
    /// These, all or none: also those that say less than what the receiver has been told since.
    These(Vec<NotificationId>),
    /// Those that match, the oldest first, unless the receiver has been told something newer of the same incident since.
    Matching {
        /// Only of this receiver.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receiver: Option<String>,
        /// Only those that died at this time or later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<DateTime<Utc>>,
        /// Most of them; never more than [`MAX_DEAD_NOTICES`].
        limit: u32,
    },
}
