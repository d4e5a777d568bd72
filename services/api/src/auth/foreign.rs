//! Requests that a page of another site may have made a browser send (cross-site request forgery).
//!
//! A browser adds the cookie to whatever page asks for a request; `SameSite=Strict` already keeps it from other sites. What
//! changes something must besides carry a header that no form can send, and that scripts of another origin can only send after
//! asking in advance, which nobody here permits; and where the browser says where it comes from, that must be us.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderMap, ORIGIN};
use tocsin_service::http::Problem;
use tocsin_shared::ErrorCode;

/// The header of our own pages; any value will do.
const X_TOCSIN_CLIENT: &str = "x-tocsin-client";
/// How a browser says which kind of page has asked (Fetch Metadata Request Headers).
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Refuses what may come from another site.
pub(crate) fn refuse(request: &HttpRequest) -> Result<(), Problem> {
    let refused = |detail: &str| Err(Problem::new(ErrorCode::ForeignRequest).detail(detail));
    let headers = request.headers();
    if !headers.contains_key(X_TOCSIN_CLIENT) {
        return refused("send the header X-Tocsin-Client with a session's cookie, or a bearer token instead of it");
    }
    if headers.get(SEC_FETCH_SITE).is_some_and(|site| site != "same-origin") {
        return refused("header sec-fetch-site: the page is of another site");
    }
    if !is_our_origin(headers) {
        return refused("header origin: the page is of another site");
    }
    Ok(())
}

/// Whether `Origin`, where there is one, names the host that was asked. The scheme is our proxy's business.
fn is_our_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    authority.zip(host).is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn is_taken(headers: &[(&'static str, &'static str)]) -> bool {
        let request = headers.iter().fold(TestRequest::post(), |request, header| request.insert_header(*header));
        refuse(&request.to_http_request()).is_ok()
    }

    #[test]
    fn only_our_own_pages_may_act_with_a_cookie() {
        let (ours, host) = (("X-Tocsin-Client", "dashboard"), ("Host", "tocsin.example:8080"));
        assert!(is_taken(&[ours, host]), "an old browser says no more");
        assert!(is_taken(&[ours, host, ("Sec-Fetch-Site", "same-origin"), ("Origin", "http://tocsin.example:8080")]));
        for foreign in [
            &[host][..],
            &[ours, host, ("Sec-Fetch-Site", "cross-site")],
            &[ours, host, ("Sec-Fetch-Site", "same-site")],
            &[ours, host, ("Sec-Fetch-Site", "none")],
            &[ours, host, ("Origin", "http://tocsin.example")],
            &[ours, host, ("Origin", "http://tocsin.example:8080.evil.example")],
            &[ours, host, ("Origin", "null")],
            &[ours, ("Origin", "http://tocsin.example:8080")],
        ] {
            assert!(!is_taken(foreign), "{foreign:?}");
        }
    }
}
