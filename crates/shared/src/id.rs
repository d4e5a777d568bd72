//! Identifiers. Each is a UUID of its own type, so that an alert's id cannot be passed where an incident's belongs.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::{NoContext, Timestamp, Uuid};

macro_rules! uuid_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new, time-ordered id (`UUIDv7`).
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// Takes a UUID that is known to name this kind of thing.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself, as stores keep it.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

uuid_id!(
    /// Names one accepted delivery. Everything that is done because of it is done once per `EventId`.
    EventId
);
uuid_id!(
    /// Names one alert: an integration's fingerprint, over its whole life.
    AlertId
);
uuid_id!(
    /// Names one incident. People use its number instead.
    IncidentId
);
uuid_id!(
    /// Names one row of the notification ledger.
    NotificationId
);
uuid_id!(
    /// Names one silence.
    SilenceId
);

uuid_id!(
    /// Names one command of a responder. What it asks for is done once per `CommandId`.
    CommandId
);
/// The namespace of event ids that are derived from a sender's own delivery id.
const DELIVERY_NAMESPACE: Uuid = Uuid::from_u128(0x8d0f_6f5e_6f0b_4f0e_9d55_5b1c_0c3a_7e21);

/// The namespace of command ids that are derived from a client's own key.
const COMMAND_NAMESPACE: Uuid = Uuid::from_u128(0x3f4c_1a52_9d0e_4c57_8a64_e7d1_52b0_96c8);

impl EventId {
    /// A new id for a delivery received at `at`; ids of later deliveries sort after it.
    #[must_use]
    pub fn received_at(at: DateTime<Utc>) -> Self {
        let seconds = u64::try_from(at.timestamp()).unwrap_or_default();
        Self(Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, at.timestamp_subsec_nanos())))
    }

    /// The id of a delivery that its sender has named (`webhook-id`, `Idempotency-Key`): the same integration and
    /// delivery id always give the same event id (`UUIDv5`), which is what makes a repeat harmless.
    #[must_use]
    pub fn of_delivery(integration: &str, delivery_id: &str) -> Self {
        // NUL cannot occur in a header, so no two pairs share a name.
        let name = format!("{integration}\0{delivery_id}");
        Self(Uuid::new_v5(&DELIVERY_NAMESPACE, name.as_bytes()))
    }

    /// The id of one part of a delivery that was split; always the same for the same part.
    #[must_use]
    pub fn part(self, number: usize) -> Self {
        Self(Uuid::new_v5(&self.0, number.to_string().as_bytes()))
    }
}

impl CommandId {
    /// The id of a request that its client has named (`Idempotency-Key`): the same caller, key and request always give the
    /// same id (`UUIDv5`), so that a repeat is answered with what became of the first. Another request under the same key is
    /// another command.
    #[must_use]
    pub fn of_request(caller: &str, key: &str, request: &str) -> Self {
        // NUL can occur in none of the first two, so no two requests share a name.
        let name = format!("{caller}\0{key}\0{request}");
        Self(Uuid::new_v5(&COMMAND_NAMESPACE, name.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_delivery_id_means_one_event_per_integration() {
        let first = EventId::of_delivery("default", "abc");
        assert_eq!(first, EventId::of_delivery("default", "abc"));
        assert_ne!(first, EventId::of_delivery("other", "abc"));
        assert_ne!(EventId::of_delivery("a", "bc"), EventId::of_delivery("ab", "c"));
    }

    #[test]
    fn one_key_means_one_command_per_caller_and_request() {
        let first = CommandId::of_request("ops", "k1", "acknowledge 1");
        assert_eq!(first, CommandId::of_request("ops", "k1", "acknowledge 1"));
        for (caller, key, request) in
            [("dev", "k1", "acknowledge 1"), ("ops", "k2", "acknowledge 1"), ("ops", "k1", "resolve 1")]
        {
            assert_ne!(first, CommandId::of_request(caller, key, request));
        }
    }

    #[test]
    fn ids_of_later_deliveries_sort_later() {
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let later = at + chrono::Duration::milliseconds(1);
        assert!(EventId::received_at(at) < EventId::received_at(later));
    }
}
