//! Signing in at a provider: the way there, and the way back. These are the addresses that a browser itself goes to, so a refusal
//! leads a browser to the sign-in page, which says it in words.

use actix_web::http::header::{ACCEPT, HeaderValue, LOCATION, REFERRER_POLICY};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use tocsin_service::http::{Problem, RequestId};
use tocsin_shared::ErrorCode;

use crate::auth::{Answer, CALLBACK, Door};
use crate::openapi::{Doc, Table, params};

/// Where signing in begins.
pub(super) const START: &str = "/auth/oidc/start";
/// The page that tells of refusals.
const PAGE: &str = "/sign-in";

/// Adds the routes.
pub(super) fn add(table: &mut Table) {
    let text = |name, about| params::query(name, about, &json!({"type": "string"}));
    let doc = |id, summary| {
        Doc::open(id, "sign-in", summary).codes(&[
            ErrorCode::NotFound,
            ErrorCode::RateLimited,
            ErrorCode::ProviderUnavailable,
        ])
    };
    let leave = doc("leaveToSignIn", "Sends a browser to the OpenID provider")
        .with(text("return_to", "Where to go in the end: a path of ours."))
        .gives_nothing(303, "To the provider; of a refusal, a browser to the sign-in page.");
    let come_back = doc("comeBackFromSigningIn", "Where the OpenID provider sends a browser back to")
        .with_all(["code", "state", "error"].map(|name| text(name, "As the provider says.")))
        .codes(&[ErrorCode::SignInFailed, ErrorCode::SignInRefused])
        .gives_nothing(303, "Signed in, with the cookie; of a refusal, a browser to the sign-in page.");
    table.get(START, start, leave).get(CALLBACK, callback, come_back);
}

#[derive(Debug, Deserialize)]
struct Start {
    /// Where to go in the end.
    return_to: Option<String>,
}

async fn start(request: HttpRequest, door: web::Data<Door>) -> HttpResponse {
    let query = web::Query::<Start>::from_query(request.query_string()).ok();
    let return_to = query.and_then(|query| query.into_inner().return_to);
    match door.leave(&request, return_to.as_deref()).await {
        Ok((url, cookie)) => {
            let mut response = redirect(url.as_str());
            // A cookie that cannot be written leads to a refusal on the way back.
            let _ = response.add_cookie(&cookie);
            response
        }
        Err(problem) => refuse(&request, &problem),
    }
}

async fn callback(request: HttpRequest, door: web::Data<Door>) -> HttpResponse {
    let mut response = match come_back(&request, &door).await {
        Ok(response) => response,
        Err(problem) => refuse(&request, &problem),
    };
    let _ = response.add_cookie(&door.forget_visit(&request));
    response
}

async fn come_back(request: &HttpRequest, door: &Door) -> Result<HttpResponse, Problem> {
    let answer = web::Query::<Answer>::from_query(request.query_string());
    let answer = answer.map_err(|_| Problem::new(ErrorCode::SignInFailed).detail("the query cannot be read"))?;
    let (return_to, cookie) = door.come_back(request, answer.into_inner()).await?;
    let mut response = redirect(&return_to);
    response.add_cookie(&cookie).map_err(|_| Problem::new(ErrorCode::Internal))?;
    Ok(response)
}

/// To somewhere else. What stands in the address here is nobody else's business.
fn redirect(to: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, to)).insert_header((REFERRER_POLICY, "no-referrer")).finish()
}

/// What is wrong: for programs as everywhere, for a browser on the sign-in page.
fn refuse(request: &HttpRequest, problem: &Problem) -> HttpResponse {
    if !is_browser(request.headers().get(ACCEPT)) || problem.code() == ErrorCode::NotFound {
        return problem.answer(request);
    }
    // The page has words of its own for each code: nobody can have it show theirs.
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("problem", problem.code().as_str());
    if let Some(id) = request.extensions().get::<RequestId>() {
        query.append_pair("request_id", id.as_str());
    }
    redirect(&format!("{PAGE}?{}", query.finish()))
}

fn is_browser(accept: Option<&HeaderValue>) -> bool {
    accept.and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}
