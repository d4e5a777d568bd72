//! The domain of Tocsin, pure: what an alert, an event and an incident are, how one changes the other, how they travel
//! in an envelope, and which error codes the outside world may see.
//!
//! Nothing here does I/O, and no rule reads a clock: times come in with the events, so that every rule can be tested by
//! itself. Redis lives in `tocsin-bus`, Postgres in `tocsin-store`.

pub mod alert;
pub mod board;
pub mod command;
pub mod envelope;
pub mod error_code;
pub mod id;
pub mod incident;
pub mod inhibition;
pub mod ledger;
pub mod matcher;
pub mod policy;
pub mod routing;
pub mod silence;
pub mod source;
pub mod template;
pub mod trace;

pub use alert::{AlertEvent, AlertSeverity, AlertStatus, Fingerprint, Labels};
pub use board::Board;
pub use command::{Action, Actor, ActorKind, Command, CommandError, CommandOutcome};
pub use envelope::{Envelope, EnvelopeError};
pub use error_code::ErrorCode;
pub use id::{AlertId, CommandId, EventId, IncidentId, NotificationId, SilenceId};
pub use incident::{Incident, IncidentSeverity, IncidentStatus};
pub use inhibition::{Inhibition, InhibitionRule};
pub use matcher::{MatchOp, Matcher, Matchers};
pub use policy::Policy;
pub use routing::{Route, Routing};
pub use silence::{Recurrence, Silence};
pub use trace::TraceContext;

/// A word that is not one of the names of an enumeration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not one of {expected}")]
pub struct UnknownName {
    /// The word as it was given.
    pub word: String,
    /// The names that would have been understood.
    pub expected: &'static str,
}

/// An error with all that caused it, on one line: for records and terminals, where a log has its own way.
#[must_use]
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Gives a fieldless enum its wire names: `as_str`, `ALL`, `FromStr`, `Display` and serde, from one list.
macro_rules! named_enum {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$vmeta])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire and in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownName;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::UnknownName {
                        word: word.to_owned(),
                        expected: concat!($("`", $text, "` "),+).trim_ascii_end(),
                    }),
                }
            }
        }
    };
}
pub(crate) use named_enum;
