//! Postgres: the state of Tocsin. The only crate that names diesel.
//!
//! One module per aggregate; a function's name begins with its noun (`incident_list`, `ledger_claim`), and ends with
//! `_in_txn` where the caller owns the transaction. Every call goes through one measured wrapper (`Store::run`), which
//! bounds its time and repeats it when the failure is one that passes.
//!
//! Hand-written SQL is set-based: a batch of any size is a constant number of statements, over `UNNEST`ed arrays.

mod abort_point;
mod alert;
mod apply;
mod changed;
mod columns;
mod command;
mod connection;
mod dead_letter;
mod detail;
mod duty;
mod error;
mod event;
mod event_id;
mod inbox;
mod incident;
mod ledger;
mod list;
mod load;
mod migrations;
mod operation;
mod page;
mod parts;
mod pool;
mod privileges;
mod replica;
mod retention;
mod schema;
mod silence;
mod statement;
mod story;
mod suppression;
mod system;
mod tally;
mod timeline;
mod verify;

use std::time::Duration;

pub use abort_point::AbortPoint;
pub use alert::AlertFilter;
pub use apply::Applied;
pub use changed::Changed;
pub use dead_letter::{DeadLetter, DeadLetterRecord, Redriven};
pub use detail::{IncidentDetail, IncidentName};
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::bb8::Pool;
pub use duty::DutyDone;
pub use error::StoreError;
pub use event::DecisionRecord;
pub use inbox::InboxApplied;
pub use incident::{IncidentFilter, IncidentRecord, MAX_CHANGED};
pub use ledger::{
    Attempt, Burial, Buried, Claim, ClaimedNotice, DeliveryRecord, GoneReceiver, NoticeFilter, NoticeRecord,
    NoticesRedriven, Outcome, RedrivenNotice, Room, Verdict, Waiting,
};
pub use list::{IncidentPlace, NoPlace};
pub use migrations::migrate;
pub use operation::Operation;
pub use page::{Page, Total, Window};
pub use parts::Parts;
pub use privileges::{Privileges, grant_privileges};
pub use retention::Retention;
use secrecy::SecretString;
pub use story::{MAX_ALERTS_OF_STORY, StoryRecord};
pub use system::{Figures, ReceiverFigures};
pub use timeline::TimelineRecord;
pub use verify::{INVARIANTS, Invariant, Violation, verify};

/// How to reach Postgres.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// `postgres://user[:password]@host[:port]/database`.
    pub url: SecretString,
    /// Most connections that are open at once.
    pub connections: u32,
    /// Longest time that one operation may take: waiting for a connection and repeats included.
    pub timeout: Duration,
    /// Names the service in Postgres' list of connections.
    pub application: &'static str,
    /// Whether Postgres may keep the plans that it makes.
    pub plans: Plans,
}

/// How long the plan of a statement is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plans {
    /// Until Postgres makes another: the cheapest for statements that are small and always alike.
    Kept,
    /// For once. A plan that was made while a table was empty reads it whole, and would still do so when a storm has filled it,
    /// until the table is analyzed.
    Fresh,
}

impl Plans {
    /// The value of Postgres' `plan_cache_mode`.
    const fn mode(self) -> &'static str {
        match self {
            Self::Kept => "auto",
            Self::Fresh => "force_custom_plan",
        }
    }
}

/// A pool of connections, with everything that Tocsin asks of Postgres. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Pool<AsyncPgConnection>,
    refusals: pool::Refusals,
    patience: Patience,
    timeout: Duration,
    observer: changed::Observer,
    /// Where reads go, if not to the pool.
    replica: Option<std::sync::Arc<replica::Replica>>,
}

/// How long a Postgres that cannot be reached is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// For as long as the operation may take.
    UntilTimeout,
    /// Not at all.
    None,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
