//! The command line as its users meet it: the built binary, against a running Tocsin. Run by
//! `tocsin-testbed with-stores -- cargo test`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expects by unwrapping, in the functions that its cases share as well"
)]

mod bed;
mod failing;
mod help;
mod letters;
mod responding;
mod tailing;
