//! Who may send, and how we know.
//!
//! A *key* says which `Integration` a request belongs to: it names the alerts' owner and the limit. It travels with every
//! request, so whoever sees one request has it. A *signature* is made of the body with a secret that does not travel, and
//! is what makes a request authentic where the operator asks for it; messages of Amazon SNS always carry one (`Sns`).
//!
//! Whatever is secret is compared in constant time, and a refusal names the header or field that is wrong and never what
//! would have been right.

mod integration;
mod key;
mod signature;
pub(crate) mod slack;
mod sns;

pub(crate) use integration::{Integration, Integrations};
pub(crate) use key::key_of;
pub(crate) use sns::Sns;
