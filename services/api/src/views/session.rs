//! Who somebody is signed in as.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tocsin_service::config::document::Scope;

use crate::auth::Guest;

#[derive(Debug, Serialize)]
pub(crate) struct SessionView {
    name: String,
    scopes: Vec<Scope>,
    /// When it ends; `null` for a bearer token that does not expire.
    expires_at: Option<DateTime<Utc>>,
}

impl From<&Guest> for SessionView {
    fn from(guest: &Guest) -> Self {
        Self { name: guest.actor.name.clone(), scopes: guest.scopes.clone(), expires_at: guest.expires_at }
    }
}
