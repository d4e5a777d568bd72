//! Stand-ins for servers of other people that we can't run.

mod answer;
mod recorder;

pub use self::answer::Answer;
pub use self::recorder::{Recorded, Recorder};
