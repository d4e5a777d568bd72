//! What each service, stream and receiver is doing.

use actix_web::{HttpResponse, web};
use tocsin_service::http::Problem;

use crate::auth::Reader;
use crate::openapi::{Doc, Table, examples};
use crate::system::System;
use crate::views::SystemView;

/// Adds the route.
pub(super) fn add(table: &mut Table) {
    let doc = Doc::reads("getSystem", "live", "What each service, stream and receiver is doing");
    table.get("/api/v1/system", show, doc.gives::<SystemView>(200, "As it is, or was 2 s ago.", examples::system()));
}

async fn show(_: Reader, system: web::Data<System>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(&*system.view().await?))
}
