//! The names of streams, and of the places where outcomes are left.

use tocsin_shared::CommandId;

/// A stream of the backbone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Accepted deliveries: ingest → worker.
    Events,
    /// What responders ask for: api and ingest → worker. A stream of its own, so that it overtakes alerts however many wait.
    Commands,
    /// "The ledger has something new": worker → notifier. A wake-up, not the notice itself.
    Notifications,
}

impl Stream {
    /// The key: versioned, and hash-tagged by shard, so that in a cluster the streams of one shard share a slot.
    #[must_use]
    pub fn key(self, prefix: &str) -> String {
        let name = match self {
            Self::Events => "events",
            Self::Commands => "commands",
            Self::Notifications => "notifications",
        };
        format!("{prefix}:v1:{{0}}:{name}")
    }
}

/// The key of the stream that says what has changed. Of no shard: those who watch want to see all.
pub(crate) fn changes(prefix: &str) -> String {
    format!("{prefix}:v1:changes")
}

/// The key of the hash in which processes say how they are.
pub(crate) fn status(prefix: &str) -> String {
    format!("{prefix}:v1:{{0}}:status")
}

/// The key whose value tells a Redis that was emptied from the one that it was.
pub(crate) fn epoch(prefix: &str) -> String {
    format!("{prefix}:v1:{{0}}:epoch")
}

/// The key at which the outcome of one command is left.
pub(crate) fn outcome(prefix: &str, id: CommandId) -> String {
    format!("{prefix}:v1:{{0}}:outcome:{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_documented() {
        assert_eq!(Stream::Events.key("tocsin"), "tocsin:v1:{0}:events");
        assert_eq!(Stream::Commands.key("tocsin"), "tocsin:v1:{0}:commands");
        assert_eq!(Stream::Notifications.key("tocsin"), "tocsin:v1:{0}:notifications");
        assert_eq!(changes("tocsin"), "tocsin:v1:changes");
        assert_eq!(status("tocsin"), "tocsin:v1:{0}:status");
        assert_eq!(epoch("tocsin"), "tocsin:v1:{0}:epoch");
        let id = "01990a3e-0000-7000-8000-000000000000";
        assert_eq!(outcome("tocsin", id.parse().unwrap()), format!("tocsin:v1:{{0}}:outcome:{id}"));
    }
}
