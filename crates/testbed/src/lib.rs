//! The test bed of Tocsin: it starts, stops, kills and pauses real servers on this machine, so that tests and `./dev up`
//! run against the same Redis, Postgres and `HAProxy` that production uses, and never against a mock.
//!
//! * [`Process`] is one supervised child; everything below is made of them.
//! * [`Stores`] is a private Redis and Postgres; [`Tenant`] is one test's share of the pair that a test run has in common.
//! * [`Topology`] is the four services behind their front door.
//! * [`Ha`] is two of each service on stores of which any one may fail.
//! * [`doubles::Recorder`] stands in for the one thing that we can't run: somebody else's HTTP server.
//! * [`bench`] measures Tocsin on all of this, and checks that what it measured lost nothing.
//! * [`demo`] lets people watch it at work.
//! * [`poll::until`] awaits a condition and says what it last saw when it gives up.
//!
//! Tests run under `tocsin-testbed with-stores -- cargo test`, which starts the shared stores and migrates the template
//! database. A test outside of it fails with a sentence that says so; none skips itself.
//!
//! # What is left behind when a test or the test bed dies
//!
//! Nothing. A dropped [`Process`] is killed, and each child is spawned with a parent-death signal, so that even `kill -9`
//! on the test bed takes its children along. The module [`process`] says how, and where the limits are.

pub mod bench;
mod command;
pub mod demo;
pub mod doubles;
mod error;
pub mod feed;
pub mod ha;
pub mod http;
pub mod load;
pub mod poll;
pub mod ports;
pub mod process;
pub mod programs;
pub mod stores;
mod system;
mod tenant;
pub mod topology;

pub use error::{Result, TestbedError};
pub use ha::{Ha, HaBuilder};
pub use ports::Port;
pub use process::Process;
pub use stores::{SharedStores, Stores};
pub use system::System;
pub use tenant::{Database, KeySpace, Tenant};
pub use topology::{Service, Topology};
