//! Signing in to the dashboard, and out.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tocsin_service::config::{ExposeSecret as _, SecretString};
use tocsin_service::http::Problem;
use tocsin_shared::ErrorCode;
use utoipa::ToSchema;

use super::oidc::START;
use crate::auth::Door;
use crate::body::{Body, Nothing};
use crate::openapi::{Doc, Table, examples};
use crate::views::SessionView;

/// Adds the routes.
pub(super) fn add(table: &mut Table) {
    let tag = "sign-in";
    table
        .get(
            "/api/v1/sign-in",
            ways,
            Doc::open("signInWays", tag, "How one can sign in").gives::<Ways>(
                200,
                "The ways.",
                json!({"token": true, "oidc": {"name": "Example", "url": START}}),
            ),
        )
        .get(
            "/api/v1/session",
            show,
            Doc::known("getSession", tag, "Who the caller is").gives::<SessionView>(
                200,
                "The caller.",
                examples::session(),
            ),
        )
        .post(
            "/api/v1/session",
            begin,
            Doc::ours("signIn", tag, "Signs in with a token, for a cookie")
                .codes(&[ErrorCode::InvalidToken, ErrorCode::RateLimited])
                .takes::<Credentials>(&json!({"token": "the-token-of-somebody"}))
                .gives::<SessionView>(200, "Signed in, with the cookie.", examples::session()),
        )
        .delete(
            "/api/v1/session",
            end,
            Doc::ours("signOut", tag, "Signs out")
                .may_take::<Nothing>(&json!({}))
                .gives_nothing(204, "Signed out, without the cookie."),
        );
}

/// How one can sign in.
#[derive(Debug, Serialize, ToSchema)]
struct Ways {
    token: bool,
    oidc: Option<Provider>,
}

/// The provider, and where a browser goes to sign in there.
#[derive(Debug, Serialize, ToSchema)]
struct Provider {
    name: String,
    url: &'static str,
}

/// For everybody: who is not signed in must know how to.
async fn ways(door: web::Data<Door>) -> HttpResponse {
    let oidc = door.oidc().map(|oidc| Provider { name: oidc.name.clone(), url: START });
    HttpResponse::Ok().json(Ways { token: true, oidc })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    #[schema(value_type = String, format = Password)]
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
