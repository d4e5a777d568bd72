//! The frame of a service: its HTTP server in this process, and its end and its traces in real binaries. Run by
//! `tocsin-testbed with-stores -- cargo test`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expects by unwrapping, in the functions that its cases share as well"
)]

mod http;
mod probes;
mod refusals;
mod server;
mod shutdown;
mod traces;
