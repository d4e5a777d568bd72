//! What the test bed promises, on real servers. Run through `./dev test` or `just test-one tocsin-testbed`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bed;
mod bench;
mod demo;
mod ha;
mod proof;
mod turn;
mod up;
