//! Who somebody is signed in as.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tocsin_service::config::document::Scope;
use utoipa::ToSchema;

use crate::auth::Guest;
use crate::openapi::schemas;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionView {
    name: String,
    #[schema(value_type = Vec<schemas::Scope>)]
    scopes: Vec<Scope>,
    /// When it ends; `null` for a bearer token that does not expire.
    expires_at: Option<DateTime<Utc>>,
}

impl From<&Guest> for SessionView {
    fn from(guest: &Guest) -> Self {
        Self { name: guest.actor.name.clone(), scopes: guest.scopes.clone(), expires_at: guest.expires_at }
    }
}
