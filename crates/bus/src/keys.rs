//! The names of streams.

/// A stream of the backbone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Accepted deliveries: ingest → worker.
    Events,
    /// "The ledger has something new": worker → notifier. A wake-up, not the notice itself.
    Notifications,
}

impl Stream {
    /// The key: versioned, and hash-tagged by shard, so that in a cluster the streams of one shard share a slot.
    #[must_use]
    pub fn key(self, prefix: &str) -> String {
        let name = match self {
            Self::Events => "events",
            Self::Notifications => "notifications",
        };
        format!("{prefix}:v1:{{0}}:{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_documented() {
        assert_eq!(Stream::Events.key("tocsin"), "tocsin:v1:{0}:events");
        assert_eq!(Stream::Notifications.key("tocsin"), "tocsin:v1:{0}:notifications");
    }
}
