//! Who may send, and how we know.
//!
//! A *key* says which `Integration` a request belongs to: it names the alerts' owner and the limit. It travels with
//! every request, so whoever sees one request has it. A *signature* is made of the body with a secret that does not
//! travel, and is what makes a request authentic where the operator asks for it; messages of Amazon SNS always carry
//! one (`Sns`).
//!
//! Whatever is secret is compared in constant time, and a refusal names the header or field that is wrong and never
//! what would have been right.
#![cfg_attr(not(test), expect(dead_code, reason = "the routes ask from the next step on"))]

mod integration;
mod key;
mod proxies;
mod signature;
pub mod slack;
mod sns;

#[expect(unused_imports, reason = "the routes ask from the next step on")]
pub(crate) use integration::Integration;
pub(crate) use integration::Integrations;
#[expect(unused_imports, reason = "the routes ask from the next step on")]
pub(crate) use key::key_of;
pub(crate) use proxies::{TRUSTED_PROXIES, TrustedProxies};
pub(crate) use sns::Sns;
