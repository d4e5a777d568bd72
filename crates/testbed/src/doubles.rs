//! Stand-ins for servers of other people that we can't run.

mod answer;
mod oidc;
mod recorder;
mod slack;
mod smtp;
mod stranger;

pub use self::answer::Answer;
pub use self::oidc::{OidcFault, OidcProvider};
pub use self::recorder::{Recorded, Recorder};
pub use self::slack::{SlackApi, SlackMessage};
pub use self::smtp::{Mail, SmtpServer};
pub use self::stranger::Stranger;
