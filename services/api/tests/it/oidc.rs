//! Signing in at a provider, and what becomes of a provider that misbehaves.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reqwest::header::{ACCEPT, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tocsin_testbed::doubles::{Answer, OidcFault, OidcProvider};
use tocsin_testbed::poll;
use url::Url;

use crate::api::{Api, DEADLINE, READER, alone, document, problem};
use crate::worker::Worker;

const CLIENT_SECRET: &str = "the-secret-that-the-provider-knows";
const START: &str = "/auth/oidc/start";
const CONFIGURATION: &str = "/.well-known/openid-configuration";

/// An api at which people sign in at a provider.
struct Office {
    api: Api,
    provider: OidcProvider,
}

/// Somebody who has been at the provider, and is on the way back.
struct Visit {
    /// The address at our side to which the provider sends them.
    back: String,
    /// What their browser keeps meanwhile.
    cookie: String,
}

fn yaml(provider: &OidcProvider, more: &str) -> String {
    let issuer = provider.issuer();
    let tokens = document(&[(READER, "read")]);
    format!(
        "{tokens}  oidc:\n    issuer: {issuer}\n    name: Example\n    client_id: tocsin\n    client_secret: {CLIENT_SECRET}\n{more}"
    )
}

/// The value of a cookie that an answer sets, with its name.
fn cookie(response: &Response, name: &str) -> Option<String> {
    let set = response.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookie = set.filter_map(|cookie| cookie.split(';').next()).find(|cookie| cookie.starts_with(name));
    cookie.map(str::to_owned)
}

fn location(response: &Response) -> &str {
    response.headers()[LOCATION].to_str().unwrap()
}

impl Office {
    async fn open() -> Self {
        Self::open_with("").await
    }

    async fn open_with(more: &str) -> Self {
        let provider = OidcProvider::start("tocsin", CLIENT_SECRET).unwrap();
        let api = Self::api(&provider, more).await;
        Self { api, provider }
    }

    async fn api(provider: &OidcProvider, more: &str) -> Api {
        let yaml = yaml(provider, more);
        Api::start_as(|topology| topology.config_text(yaml).env("TOCSIN_PUBLIC_URL", "https://tocsin.example/")).await
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.api.client.get(self.api.url(path))
    }

    /// Leaves for the provider and is signed in there.
    async fn visit(&self, start: &str) -> Visit {
        let left = self.get(start).send().await.unwrap();
        assert_eq!(left.status(), 303, "{}", left.text().await.unwrap());
        let cookie = cookie(&left, "tocsin_sign_in=").unwrap();
        let there = self.api.client.get(location(&left)).send().await.unwrap();
        assert_eq!(there.status(), 302, "{}", there.text().await.unwrap());
        let back = Url::parse(location(&there)).unwrap();
        assert_eq!(back.origin().ascii_serialization(), "https://tocsin.example");
        Visit { back: format!("{}?{}", back.path(), back.query().unwrap()), cookie }
    }

    async fn come_back(&self, visit: &Visit) -> Response {
        self.get(&visit.back).header(COOKIE, &visit.cookie).send().await.unwrap()
    }

    /// The session of somebody who signs in.
    async fn signed_in(&self) -> String {
        let back = self.come_back(&self.visit(START).await).await;
        assert_eq!(back.status(), 303, "{}", back.text().await.unwrap());
        cookie(&back, "tocsin_session=").unwrap()
    }

    fn with(&self, session: &str, method: Method, path: &str) -> RequestBuilder {
        self.api.client.request(method, self.api.url(path)).header(COOKIE, session).header("X-Tocsin-Client", "test")
    }

    async fn session(&self, session: &str) -> Response {
        self.with(session, Method::GET, "/api/v1/session").send().await.unwrap()
    }

    /// What signing in comes to.
    async fn refused(&self, status: u16, code: &str) -> Value {
        let back = self.come_back(&self.visit(START).await).await;
        assert_eq!(cookie(&back, "tocsin_session="), None, "{code}");
        problem(back, status, code).await
    }
}

#[tokio::test]
async fn who_signs_in_at_the_provider_has_a_session_of_their_own_until_they_sign_out() {
    let office = Office::open().await;
    let ways: Value = office.get("/api/v1/sign-in").send().await.unwrap().json().await.unwrap();
    assert_eq!(ways, json!({"token": true, "oidc": {"name": "Example", "url": START}}));

    let visit = office.visit("/auth/oidc/start?return_to=%2Fincidents%2F7%3Ftab%3D1").await;
    let asked = office.provider.recorder().requests_at("/authorize").remove(0).path;
    let asked = Url::parse("http://x").unwrap().join(&asked).unwrap();
    let field = |name: &str| asked.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    assert_eq!(field("scope").as_deref(), Some("openid profile email"));
    assert_eq!(field("redirect_uri").as_deref(), Some("https://tocsin.example/auth/oidc/callback"));
    let back = office.come_back(&visit).await;
    assert_eq!((back.status().as_u16(), location(&back)), (303, "/incidents/7?tab=1"));
    assert_eq!(
        (&back.headers()["cache-control"], &back.headers()["referrer-policy"]),
        (&"no-store".parse().unwrap(), &"no-referrer".parse().unwrap())
    );
    assert_eq!(cookie(&back, "tocsin_sign_in=").as_deref(), Some("tocsin_sign_in="), "it is used up");
    let set: Vec<_> =
        back.headers().get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap().to_owned()).collect();
    let set = set.iter().find(|cookie| cookie.starts_with("tocsin_session=")).unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43"] {
        assert!(set.contains(attribute), "{set}");
    }
    let session = cookie(&back, "tocsin_session=").unwrap();
    let shown: Value = office.session(&session).await.json().await.unwrap();
    assert_eq!((&shown["name"], &shown["scopes"]), (&json!("ada@example.com"), &json!(["read"])));
    assert_eq!(office.with(&session, Method::GET, "/api/v1/incidents").send().await.unwrap().status(), 200);
    let acting = office.with(&session, Method::POST, "/api/v1/incidents/1/acknowledge").send().await.unwrap();
    problem(acting, 403, "insufficient_scope").await;

    let out = office.with(&session, Method::DELETE, "/api/v1/session").send().await.unwrap();
    assert_eq!(out.status(), 204);
    assert_eq!(cookie(&out, "tocsin_session=").as_deref(), Some("tocsin_session="));
    let log = office.api.process().log_tail(1_000);
    for secret in [CLIENT_SECRET, visit.back.as_str(), session.as_str()] {
        assert!(!log.contains(secret), "no secret in a log");
    }
}

#[tokio::test]
async fn the_claims_decide_what_somebody_may_do_and_under_which_name() {
    let rules = "    scopes: [groups]
    actor_claim: preferred_username
    everybody: []
    session_lifetime: 10m
    allow:
      - {claim: groups, value: watchers, scopes: [read]}
      - {claim: groups, value: sre, scopes: [read, respond]}
";
    let office = Office::open_with(rules).await;
    office.api.apply(&alone(1)).await;
    office
        .provider
        .set_claims(json!({"sub": "1", "preferred_username": "Grace", "groups": ["sre"], "email": "g@example.com"}));
    let session = office.signed_in().await;
    let shown: Value = office.session(&session).await.json().await.unwrap();
    assert_eq!((&shown["name"], &shown["scopes"]), (&json!("Grace"), &json!(["read", "respond"])));
    let ends: chrono::DateTime<chrono::Utc> = shown["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(ends <= chrono::Utc::now() + Duration::from_mins(10), "no longer than the file says");

    let id = office.api.read("/api/v1/incidents/1").await["id"].as_str().unwrap().parse().unwrap();
    let worker = Worker::doing(&office.api, Some(id));
    let acknowledging = || office.with(&session, Method::POST, "/api/v1/incidents/1/acknowledge");
    let foreign = acknowledging().header("Origin", "https://evil.example").send().await.unwrap();
    problem(foreign, 403, "foreign_request").await;
    assert_eq!(acknowledging().header("X-Tocsin-Actor", "Ada").send().await.unwrap().status(), 200);
    let actor = worker.take_seen().remove(0).actor;
    assert_eq!((actor.kind.as_str(), actor.id.as_str(), actor.name.as_str()), ("user", "1", "Grace"));

    office.provider.set_claims(json!({"sub": "2", "preferred_username": "Mallory", "groups": ["guests"]}));
    let refused = office.refused(403, "sign_in_refused").await;
    assert!(refused["detail"].as_str().unwrap().contains("api.oidc.allow"), "{refused}");
    office.provider.set_claims(json!({"sub": "3", "groups": ["sre"]}));
    office.refused(403, "sign_in_refused").await;

    // What the file says of who may come in counts for those who are in, too.
    office.api.reload(&yaml(&office.provider, &rules.replace("value: sre", "value: sres"))).await;
    poll::until("the session to end", DEADLINE, async || {
        poll::expect(office.session(&session).await.status().as_u16(), |status| *status == 401)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_answer_that_cannot_be_trusted_lets_nobody_in() {
    let office = Office::open().await;
    for fault in [
        OidcFault::WrongNonce,
        OidcFault::WrongAudience,
        OidcFault::SecondAudience,
        OidcFault::WrongIssuer,
        OidcFault::Expired,
        OidcFault::ForeignKey,
        OidcFault::Unsigned,
        OidcFault::SignedWithSecret,
        OidcFault::NoIdToken,
    ] {
        office.provider.set_fault(fault);
        let refused = office.refused(400, "sign_in_failed").await;
        assert!(refused["detail"].as_str().unwrap().contains("cannot be trusted"), "{fault:?}: {refused}");
        let id = refused["request_id"].as_str().unwrap();
        let look = async || poll::expect(office.api.process().log_tail(20), |log| log.contains(id));
        poll::until("the log to say why, under the request's id", DEADLINE, look).await.unwrap();
    }
    office.provider.set_fault(OidcFault::Denies);
    office.refused(403, "sign_in_refused").await;
    office.provider.set_fault(None);
    office.provider.set_claims(json!({"sub": "1", "email": "ada@example.com", "email_verified": false}));
    office.refused(403, "sign_in_refused").await;
    office.provider.set_claims(json!({"sub": "1", "email": "ada@example.com"}));
    office.signed_in().await;
}

#[tokio::test]
async fn only_the_browser_that_has_begun_ends_it_and_once() {
    let office = Office::open().await;
    let (one, other) = (office.visit(START).await, office.visit(START).await);
    let without = office.get(&one.back).send().await.unwrap();
    problem(without, 400, "sign_in_failed").await;
    for cookie in [&other.cookie, "tocsin_sign_in=", "tocsin_sign_in=AAAA"] {
        let crossed = Visit { back: one.back.clone(), cookie: cookie.to_owned() };
        problem(office.come_back(&crossed).await, 400, "sign_in_failed").await;
    }
    let changed = |from: &str, to: &str| Visit { back: one.back.replace(from, to), cookie: one.cookie.clone() };
    for visit in
        [changed("state=", "state=x"), changed("state=", "x="), changed("code=", "x="), changed("iss=http", "iss=x")]
    {
        problem(office.come_back(&visit).await, 400, "sign_in_failed").await;
    }
    assert_eq!(office.provider.recorder().count_at("/token"), 0, "the provider was asked nothing of all that");
    assert_eq!(office.come_back(&one).await.status(), 303);
    problem(office.come_back(&one).await, 400, "sign_in_failed").await;
    let session = format!("tocsin_session={}", other.cookie.split_once('=').unwrap().1);
    problem(office.session(&session).await, 401, "invalid_token").await;
}

#[tokio::test]
async fn nobody_is_sent_to_another_site_in_the_end() {
    let office = Office::open().await;
    for elsewhere in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example", "javascript%3Aalert(1)"]
    {
        let visit = office.visit(&format!("{START}?return_to={elsewhere}")).await;
        assert_eq!(location(&office.come_back(&visit).await), "/", "{elsewhere}");
    }
}

#[tokio::test]
async fn an_api_starts_without_its_provider_and_finds_it_later() {
    let provider = OidcProvider::start("tocsin", CLIENT_SECRET).unwrap();
    provider.recorder().script_at(CONFIGURATION, (0..4).map(|_| Answer::status(500)));
    // Each try asks twice.
    let office = Office { api: Office::api(&provider, "").await, provider };
    assert_eq!(office.provider.recorder().count(), 0, "nobody has asked it anything");
    assert_eq!(office.api.status_of(READER).await, 200);
    let away = office.get(START).send().await.unwrap();
    assert!(away.headers().contains_key("retry-after"));
    problem(away, 503, "provider_unavailable").await;
    // A browser is led to a page that says so.
    let browser = office.get(START).header(ACCEPT, "text/html,*/*;q=0.8").send().await.unwrap();
    assert_eq!(browser.status(), 303);
    assert!(location(&browser).starts_with("/sign-in?problem=provider_unavailable&request_id="), "{browser:?}");
    let tries = AtomicU32::new(1);
    poll::until("the provider to be asked again", DEADLINE, async || {
        // From elsewhere each time: one address may not ask so often.
        let from = format!("198.51.100.{}", tries.fetch_add(1, Ordering::Relaxed) % 250);
        let left = office.get(START).header("X-Forwarded-For", from).send().await.unwrap();
        poll::expect(left.status().as_u16(), |status| *status == 303)
    })
    .await
    .unwrap();
    let asked = office.provider.recorder().count_at(CONFIGURATION);
    office.signed_in().await;
    assert_eq!(office.provider.recorder().count_at(CONFIGURATION), asked, "it is not asked again each time");
}

#[tokio::test]
async fn a_provider_that_breaks_or_dawdles_is_said_to_be_away() {
    let office = Office::open().await;
    office.provider.set_fault(OidcFault::BrokenTokens);
    office.refused(503, "provider_unavailable").await;
    office.provider.set_fault(None);
    let visit = office.visit(START).await;
    let late = Answer::status(200).delay(Duration::from_mins(1));
    office.provider.recorder().script_at("/token", [late]);
    problem(office.come_back(&visit).await, 503, "provider_unavailable").await;
}

#[tokio::test]
async fn new_keys_of_the_provider_are_fetched_when_it_signs_with_them() {
    let office = Office::open().await;
    office.signed_in().await;
    assert_eq!(office.provider.recorder().count_at("/keys"), 1);
    office.provider.change_key().unwrap();
    office.signed_in().await;
    assert_eq!(office.provider.recorder().count_at("/keys"), 2);
    // They are not looked for at each answer: whoever has the provider sign with unknown keys would have us ask all the time.
    office.provider.change_key().unwrap();
    office.refused(400, "sign_in_failed").await;
    assert_eq!(office.provider.recorder().count_at("/keys"), 2);
}

#[tokio::test]
async fn without_the_section_there_is_no_such_address() {
    let api = Api::start().await;
    for path in [START, "/auth/oidc/callback?code=a&state=b", "/auth/nothing"] {
        problem(api.client.get(api.url(path)).send().await.unwrap(), 404, "not_found").await;
    }
}
