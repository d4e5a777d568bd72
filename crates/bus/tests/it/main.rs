//! The bus against a real Redis, through its public door. Run by `tocsin-testbed with-stores -- cargo test`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expects by unwrapping, in the functions that its cases share as well"
)]

mod commands;
mod durability;
mod group;
mod outage;
mod pace;
mod rate_limit;
mod round_trip;
mod sentinel;
mod stage;
mod takeover;
