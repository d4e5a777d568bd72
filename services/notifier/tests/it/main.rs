//! The notifier before a recorded provider: the real binary on a database of its own. Run by
//! `tocsin-testbed with-stores -- cargo test`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expects by unwrapping, in the functions that its cases share as well"
)]

mod dead_letters;
mod failures;
mod fallback;
mod isolation;
mod notifier;
mod outages;
mod pace;
mod receivers;
mod secrets;
