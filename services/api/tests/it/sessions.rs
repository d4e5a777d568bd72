//! Signing in with a token, and what a browser may do then.

use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::api::{ADMIN, Api, READER, RESPONDER, alone, document, problem};
use crate::worker::Worker;

/// A header that only our own pages send.
const CLIENT: (&str, &str) = ("X-Tocsin-Client", "dashboard");

impl Api {
    fn signing_in(&self, token: &str) -> RequestBuilder {
        self.client.post(self.url("/api/v1/session")).header(CLIENT.0, CLIENT.1).json(&json!({"token": token}))
    }

    /// The cookie of a new session, without its attributes.
    async fn signed_in(&self, token: &str) -> String {
        let response = self.signing_in(token).send().await.unwrap();
        assert_eq!(response.status(), 200);
        cookie(&response).split(';').next().unwrap().to_owned()
    }

    fn with(&self, cookie: &str, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path)).header(COOKIE, cookie)
    }
}

fn cookie(response: &Response) -> String {
    response.headers()[SET_COOKIE].to_str().unwrap().to_owned()
}

/// `document`, with more under `api`.
fn document_with(tokens: &[(&str, &str)], more: &str) -> String {
    format!("{}{more}", document(tokens))
}

#[tokio::test]
async fn a_session_opens_what_its_token_opens_until_one_signs_out() {
    let api = Api::start().await;
    let ways: Value = api.client.get(api.url("/api/v1/sign-in")).send().await.unwrap().json().await.unwrap();
    assert_eq!(ways, json!({"token": true, "oidc": null}));

    let response = api.signing_in(READER).send().await.unwrap();
    let set = cookie(&response);
    assert!(set.starts_with("tocsin_session=") && !set.contains(READER), "{set}");
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43"] {
        assert!(set.contains(attribute), "{set}");
    }
    assert!(!set.contains("Secure"), "it came by http: {set}");
    let session: Value = response.json().await.unwrap();
    assert_eq!((&session["name"], &session["scopes"]), (&json!(READER), &json!(["read"])));

    let cookie_of = set.split(';').next().unwrap();
    let ends = session["expires_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert!(ends > chrono::Utc::now());
    let mut shown = session.clone();
    shown["expires_at"] = json!("[when it ends]");
    insta::assert_json_snapshot!(shown);
    let seen: Value = api.with(cookie_of, Method::GET, "/api/v1/session").send().await.unwrap().json().await.unwrap();
    assert_eq!(seen, session);
    assert_eq!(api.with(cookie_of, Method::GET, "/api/v1/incidents").send().await.unwrap().status(), 200);

    let signing_out = api.with(cookie_of, Method::DELETE, "/api/v1/session").header(CLIENT.0, CLIENT.1);
    let out = signing_out.send().await.unwrap();
    assert_eq!(out.status(), 204);
    assert!(cookie(&out).starts_with("tocsin_session=;") && cookie(&out).contains("Max-Age=0"), "{}", cookie(&out));
    problem(api.client.get(api.url("/api/v1/session")).send().await.unwrap(), 401, "missing_token").await;
}

#[tokio::test]
async fn the_cookie_is_for_https_alone_where_the_proxy_says_that_it_was_https() {
    let api = Api::start().await;
    let signing_in = api.signing_in(READER).header("X-Forwarded-Proto", "https");
    assert!(cookie(&signing_in.send().await.unwrap()).contains("Secure"));
}

#[tokio::test]
async fn what_another_site_may_have_sent_changes_nothing() {
    let api = Api::start().await;
    api.apply(&alone(1)).await;
    let id = api.read("/api/v1/incidents/1").await["id"].as_str().unwrap().parse().unwrap();
    let worker = Worker::doing(&api, Some(id));
    let cookie = api.signed_in(ADMIN).await;
    let host = api.url("").trim_start_matches("http://").to_owned();
    let acknowledging = || api.with(&cookie, Method::POST, "/api/v1/incidents/1/acknowledge");
    let ours = || acknowledging().header(CLIENT.0, CLIENT.1);
    for foreign in [
        acknowledging(),
        ours().header("Origin", "https://evil.example"),
        ours().header("Origin", "null"),
        ours().header("Sec-Fetch-Site", "cross-site"),
        ours().header("Sec-Fetch-Site", "same-site"),
    ] {
        problem(foreign.send().await.unwrap(), 403, "foreign_request").await;
    }
    let without = api.client.post(api.url("/api/v1/session")).json(&json!({"token": READER}));
    problem(without.send().await.unwrap(), 403, "foreign_request").await;
    let out = api.with(&cookie, Method::DELETE, "/api/v1/session").send().await.unwrap();
    problem(out, 403, "foreign_request").await;
    assert_eq!(worker.take_seen(), []);

    let taken = ours().header("Origin", format!("http://{host}")).header("Sec-Fetch-Site", "same-origin");
    assert_eq!(taken.send().await.unwrap().status(), 200);
    assert_eq!(worker.take_seen().remove(0).actor.name, ADMIN);
    let bearer = api.client.post(api.url("/api/v1/incidents/1/acknowledge")).bearer_auth(RESPONDER);
    assert_eq!(bearer.send().await.unwrap().status(), 200, "a bearer token is no cookie");
}

#[tokio::test]
async fn a_session_has_the_scopes_of_its_token_and_no_more() {
    let api = Api::start().await;
    let cookie = api.signed_in(READER).await;
    let acting = api.with(&cookie, Method::POST, "/api/v1/incidents/1/acknowledge").header(CLIENT.0, CLIENT.1);
    problem(acting.send().await.unwrap(), 403, "insufficient_scope").await;
    let responder = api.signed_in(RESPONDER).await;
    problem(api.with(&responder, Method::GET, "/api/v1/incidents").send().await.unwrap(), 403, "insufficient_scope")
        .await;
}

#[tokio::test]
async fn a_session_ends_with_its_token_and_a_forged_one_never_begins() {
    let api = Api::start().await;
    let cookie = api.signed_in(READER).await;
    api.reload(&document(&[(RESPONDER, "read")])).await;
    api.answers(READER, 401).await;
    problem(api.with(&cookie, Method::GET, "/api/v1/incidents").send().await.unwrap(), 401, "invalid_token").await;
    for forged in
        ["tocsin_session=", "tocsin_session=AAAA", &format!("{cookie}A"), "tocsin_session=token-of-a-responder"]
    {
        problem(api.with(forged, Method::GET, "/api/v1/incidents").send().await.unwrap(), 401, "invalid_token").await;
    }
}

#[tokio::test]
async fn a_session_outlives_the_process_where_the_file_gives_a_secret() {
    for (secret, status) in [(format!("  session_secret: {}\n", "s".repeat(32)), 200), (String::new(), 401)] {
        let api = Api::start_as(|topology| topology.config_text(document_with(&[(READER, "read")], &secret))).await;
        let cookie = api.signed_in(READER).await;
        api.process().stop().await.unwrap();
        api.process().start().await.unwrap();
        api.topology.wait_ready("api-1").await.unwrap();
        let seen = api.with(&cookie, Method::GET, "/api/v1/session").send().await.unwrap();
        assert_eq!(seen.status(), status, "{secret}");
    }
}

#[tokio::test]
async fn a_token_expires_and_so_does_what_was_begun_with_it() {
    let sha256 = hex::encode(Sha256::digest("token-for-a-while"));
    let token = |expires_at: &str| {
        format!(
            "api:\n  tokens:\n    - {{name: a, scopes: [read], sha256: \"{sha256}\", expires_at: \"{expires_at}\"}}\n"
        )
    };
    let api = Api::start_as(|topology| topology.config_text(token("2100-01-01T00:00:00+01:00"))).await;
    assert_eq!(api.status_of("token-for-a-while").await, 200);
    let cookie = api.signed_in("token-for-a-while").await;
    api.reload(&token("2026-01-01T00:00:00Z")).await;
    api.answers("token-for-a-while", 401).await;
    problem(api.with(&cookie, Method::GET, "/api/v1/incidents").send().await.unwrap(), 401, "invalid_token").await;
    problem(api.signing_in("token-for-a-while").send().await.unwrap(), 401, "invalid_token").await;
}

#[tokio::test]
async fn who_guesses_at_tokens_is_held_up() {
    let api = Api::start().await;
    for attempt in 0..10 {
        let response = api.signing_in(&format!("guess-{attempt}")).send().await.unwrap();
        problem(response, 401, "invalid_token").await;
    }
    let denied = api.signing_in(READER).send().await.unwrap();
    assert_eq!(
        (&denied.headers()["x-ratelimit-limit"], &denied.headers()["x-ratelimit-remaining"]),
        (&"10".parse().unwrap(), &"0".parse().unwrap())
    );
    assert!(denied.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() <= 6);
    problem(denied, 429, "rate_limited").await;
    let elsewhere = api.signing_in(READER).header("X-Forwarded-For", "198.51.100.7").send().await.unwrap();
    assert_eq!(elsewhere.status(), 200, "others are not concerned");
    assert!(!api.process().log_tail(1_000).contains(READER), "no token in a log");
}

#[tokio::test]
async fn one_token_may_ask_for_so_much_in_a_minute() {
    let tokens = [(READER, "read"), (ADMIN, "admin")];
    let limited = document_with(&tokens, "  limit: {per_minute: 3}\n");
    let api = Api::start_as(|topology| topology.config_text(limited)).await;
    for remaining in ["2", "1", "0"] {
        let response = api.get_as(READER, "/api/v1/incidents").await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["x-ratelimit-remaining"]),
            (200, &remaining.parse().unwrap())
        );
    }
    let denied = api.get_as(READER, "/api/v1/incidents").await;
    assert_eq!(&denied.headers()["x-ratelimit-limit"], "3");
    assert_eq!(denied.headers()["retry-after"], "20");
    problem(denied, 429, "rate_limited").await;
    assert_eq!(api.status_of(ADMIN).await, 200, "others are not concerned");
}
