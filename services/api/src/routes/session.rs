//! Signing in to the dashboard, and out.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use tocsin_service::config::{ExposeSecret as _, SecretString};
use tocsin_service::http::Problem;

use super::oidc::START;
use crate::auth::Door;
use crate::body::{Body, Nothing};
use crate::views::SessionView;

/// Adds the routes.
pub(super) fn add(app: &mut web::ServiceConfig) {
    app.service(web::resource("/api/v1/sign-in").get(ways))
        .service(web::resource("/api/v1/session").get(show).post(begin).delete(end));
}

/// How one can sign in.
#[derive(Debug, Serialize)]
struct Ways {
    token: bool,
    oidc: Option<Provider>,
}

/// The provider, and where a browser goes to sign in there.
#[derive(Debug, Serialize)]
struct Provider {
    name: String,
    url: &'static str,
}

/// For everybody: who is not signed in must know how to.
async fn ways(door: web::Data<Door>) -> HttpResponse {
    let oidc = door.oidc().map(|oidc| Provider { name: oidc.name.clone(), url: START });
    HttpResponse::Ok().json(Ways { token: true, oidc })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    token: SecretString,
}

async fn begin(
    request: HttpRequest,
    Body(Credentials { token }): Body<Credentials>,
    door: web::Data<Door>,
) -> Result<HttpResponse, Problem> {
    let (guest, cookie) = door.sign_in(&request, token.expose_secret())?;
    Ok(HttpResponse::Ok().cookie(cookie).json(SessionView::from(&guest)))
}

async fn show(request: HttpRequest, door: web::Data<Door>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(SessionView::from(&door.guest(&request)?)))
}

/// For everybody, too: one whose session has ended may sign out.
async fn end(request: HttpRequest, _: Body<Nothing>, door: web::Data<Door>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::NoContent().cookie(door.sign_out(&request)?).finish())
}
