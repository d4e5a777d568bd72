//! The library: processes, stores, tenants, doubles and the front door.

mod front_door;
mod process;
mod recorder;
pub(crate) mod stores;
