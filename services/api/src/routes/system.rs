//! What each service, stream and receiver is doing.

use actix_web::{HttpResponse, web};
use tocsin_service::http::Problem;

use crate::auth::Reader;
use crate::system::System;

/// Adds the route.
pub(super) fn add(app: &mut web::ServiceConfig) {
    app.service(web::resource("/api/v1/system").get(show));
}

async fn show(_: Reader, system: web::Data<System>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(&*system.view().await?))
}
