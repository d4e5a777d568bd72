//! The store against a real Postgres, through its public door. Run by `tocsin-testbed with-stores -- cargo test`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expects by unwrapping, in the functions that its cases share as well"
)]

mod apply;
mod chat;
mod contention;
mod delivery;
mod engine;
mod escalation;
mod event_ids;
mod fallbacks;
mod folding;
mod inbox;
mod ledger;
mod lists;
mod outage;
mod privileges;
mod reads;
mod redrive;
mod replica;
mod rolling;
mod schema;
mod stage;
mod verify;
