//! Who may read, and how that changes while the api runs.

use nix::sys::signal::Signal;
use reqwest::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use tocsin_testbed::poll;

use crate::api::{ADMIN, Api, DEADLINE, READER, RESPONDER, document, problem};

const ROUTES: [&str; 7] = [
    "/api/v1/incidents",
    "/api/v1/incidents/1",
    "/api/v1/incidents/1/alerts",
    "/api/v1/incidents/1/timeline",
    "/api/v1/alerts",
    "/api/v1/alerts/1",
    "/api/v1/silences",
];

impl Api {
    /// Puts a new `tocsin.yaml` in place and says so.
    pub(crate) async fn reload(&self, yaml: &str) {
        std::fs::write(self.topology.folder().join("tocsin.yaml"), yaml).unwrap();
        self.process().signal(Signal::SIGHUP).await.unwrap();
    }

    pub(crate) async fn status_of(&self, token: &str) -> u16 {
        self.get_as(token, "/api/v1/incidents").await.status().as_u16()
    }

    pub(crate) async fn answers(&self, token: &str, status: u16) {
        let what = format!("{token} to be answered {status}");
        let look = async || poll::expect(self.status_of(token).await, |seen| *seen == status);
        poll::until(what, DEADLINE, look).await.unwrap();
    }
}

#[tokio::test]
async fn without_a_token_every_route_asks_for_one() {
    let api = Api::start().await;
    for path in ROUTES {
        let response = api.client.get(api.url(path)).send().await.unwrap();
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer", "{path}");
        problem(response, 401, "missing_token").await;
    }
}

#[tokio::test]
async fn a_token_that_is_not_known_opens_nothing() {
    let api = Api::start().await;
    for path in ROUTES {
        let response = api.get_as("token-of-nobody", path).await;
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer", "{path}");
        problem(response, 401, "invalid_token").await;
    }
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(READER));
    let basic = format!("Basic {READER}");
    for header in ["Bearer", "Bearer ", &format!("Bearer {hash}"), &basic, READER, "Bearer token-of-a-reade"] {
        let response = api.client.get(api.url(ROUTES[0])).header(AUTHORIZATION, header).send().await.unwrap();
        problem(response, 401, "invalid_token").await;
    }
}

#[tokio::test]
async fn a_token_opens_what_its_scope_covers() {
    let api = Api::start().await;
    for path in ROUTES {
        problem(api.get_as(RESPONDER, path).await, 403, "insufficient_scope").await;
        for token in [READER, ADMIN] {
            let status = api.get_as(token, path).await.status().as_u16();
            // There is nothing to see yet, and that they may know.
            assert_eq!(status, if path.contains("/1") { 404 } else { 200 }, "{token} at {path}");
        }
    }
    let lower = api.client.get(api.url(ROUTES[0])).header(AUTHORIZATION, format!("bearer {READER}"));
    assert_eq!(lower.send().await.unwrap().status(), 200, "the scheme's case does not matter (RFC 9110)");
}

#[tokio::test]
async fn a_token_is_added_and_taken_away_while_the_api_runs() {
    let api = Api::start().await;
    let pid = api.process().pid();
    assert_eq!(api.status_of("token-of-a-newcomer").await, 401);
    api.reload(&document(&[("token-of-a-newcomer", "read")])).await;
    api.answers("token-of-a-newcomer", 200).await;
    assert_eq!(api.status_of(READER).await, 401, "what the file no longer names is no longer known");
    assert_eq!(api.process().pid(), pid);
}

#[tokio::test]
async fn a_faulty_file_keeps_the_old_one_in_force() {
    let api = Api::start().await;
    for (fault, yaml) in [
        ("nmae", "api: {tokens: [{nmae: x}]}"),
        ("YAML", "api: ["),
        ("sha256", "api: {tokens: [{name: a, scopes: [read], sha256: \"secret\"}]}"),
    ] {
        api.reload(yaml).await;
        poll::until("the fault to be logged", DEADLINE, async || {
            let log = api.process().log_tail(20);
            let told = log.lines().any(|line| line.contains("not reloaded") && line.contains(fault));
            if told { Ok(()) } else { Err(log) }
        })
        .await
        .unwrap();
        assert_eq!((api.status_of(READER).await, api.status_of("x").await), (200, 401), "{yaml}");
    }
    api.reload(&document(&[("token-of-a-newcomer", "read")])).await;
    api.answers("token-of-a-newcomer", 200).await;
}
