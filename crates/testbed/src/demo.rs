//! Tocsin at work, to be looked at: a system of its own, something that happens to it, and what people see of it.

pub mod storm;
