//! The api as its users meet it: the real binary on a database of its own. Run by
//! `tocsin-testbed with-stores -- cargo test`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expects by unwrapping, in the functions that its cases share as well"
)]

mod api;
mod bodies;
mod contract;
mod dashboard;
mod database;
mod event_crowds;
mod events;
mod lists;
mod methods;
mod notifications;
mod oidc;
mod parameters;
mod refusals;
mod respond;
mod scopes;
mod sessions;
mod system;
mod tokens;
mod validators;
mod worker;
